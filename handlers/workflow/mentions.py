"""The same words after a mention, answered in its thread: what is no other command asks where the mail is."""

import re
from dataclasses import replace
from typing import Final

from handlers.alerts import words
from handlers.alerts.commands import mail_alerts
from handlers.context import matching, replies
from handlers.context.access import require_insider
from handlers.context.asker import visible_names
from handlers.context.services import Request, Services
from handlers.status import understanding
from handlers.status.commands import help_message, mail_status
from handlers.text import parsing
from handlers.track.commands import mail_track

STATUS: Final = frozenset({"status", "mailstatus", "/mailstatus"})
#: What mutes alerts though they are not named: "mute until tomorrow".
MUTES: Final = frozenset({"mute", "unmute", "snooze", "unsnooze"})
#: "turn on alerts", "turn alerts on for Spring": these words behind the verb.
SWITCHES: Final = re.compile(
    r"(?:turn|switch) (?:(?:(?:the|our|my) )?alerts (?:back )?(?:on|off)|"
    r"(?:back )?(?:on|off) (?:(?:the|our|my) )?alerts)\b",
    re.IGNORECASE,
)
#: Settings of a channel, where no campaign is called so.
SETTINGS: Final = re.compile(
    r"(?:(?:turn|switch) (?:on|off) )?(?:(?:turn|switch|stop|the|our|my|morning|daily|weekly) )*"
    r"(?:digest|alarm|quiet hours|weekly report)\b",
    re.IGNORECASE,
)


async def mention(services: Services, request: Request) -> None:
    """`@Piecewise status …`, `track …`, `alerts …`, or a question, answered in the same thread."""
    typed = parsing.clean(request.text)
    first, _, rest = typed.partition(" ")
    verb = first.casefold().strip("?!.,:")
    setting = verb in MUTES or bool(SWITCHES.match(typed) or SETTINGS.match(typed))
    if not typed or parsing.wants_help(typed):
        await replies.to_asker(services, request, await help_message(services, request))
    elif (setting or rest) and await _names_campaign(services, request, typed, part=setting):
        await mail_status(services, replace(request, text=typed))
    elif verb in ("track", "mailtrack", "/mailtrack"):
        await mail_track(services, replace(request, text=rest))
    elif verb in ("alerts", "mailalerts", "/mailalerts"):
        await _alerts(services, request, rest)
    elif setting:
        await _alerts(services, request, typed)
    elif verb in STATUS:
        await mail_status(services, replace(request, text=rest))
    elif asks(typed):
        await mail_status(services, replace(request, text=typed))
    else:
        await replies.to_asker(services, request, await help_message(services, request))


async def _names_campaign(services: Services, request: Request, typed: str, *, part: bool) -> bool:
    """Whether a campaign is called so, before a word of it is taken for a command; `part`: or its name holds this."""
    names = await services.memory.read(visible_names, request)
    asked = parsing.unquote(typed)
    return bool(matching.holding(asked, names) if part else matching.exactly(asked, names))


def asks(typed: str) -> bool:
    """Whether mail is asked for: by a name, by a question, or by the words for all of it. What is said in passing ("the
    mail went out") shows nobody the account's numbers."""
    named = understanding.without_words_around(typed)
    return bool(named) or "?" in typed or bool(parsing.QUESTION.match(typed)) or understanding.is_everything(typed)


async def _alerts(services: Services, request: Request, typed: str) -> None:
    """What guests may not do. For a mention Slack opens no page: the settings are listed, with their button."""
    require_insider(request)
    opens = words.parse_alerts(typed, services.clock.now()).verb == "settings"
    await mail_alerts(services, replace(request, text="list" if opens else typed))
