"""`/mailstatus`, and what was meant by what somebody typed behind it."""

from datetime import date
from typing import Final

from sqlalchemy import Connection

from handlers.context import matching, replies
from handlers.context.access import note_shown, require_insider
from handlers.context.asker import require_account, today_of, visible_campaigns
from handlers.context.matching import Match
from handlers.context.services import Request, Services
from handlers.status import view as status_view
from handlers.status.answers import account_message, campaign_message
from handlers.text import parsing, short_answers
from handlers.text.messages import Message, quote
from handlers.text.parsing import ALL_TIME, Range
from storage import privacy
from storage.queries import mail as queries

EXAMPLE: Final = "Spring"


async def mail_status(services: Services, request: Request) -> None:
    """`/mailstatus [campaign] [range]`: the pie and its numbers, in the channel."""
    asked = parsing.clean(request.text)
    if parsing.wants_help(asked):
        known = await services.memory.read(visible_campaigns, request, 1)
        await replies.to_asker(services, request, short_answers.help_status(known[0].facts.name if known else EXAMPLE))
        return
    require_account(request)
    today = await today_of(services, request)
    name, span, found = await services.memory.read(_understand, request, asked, today)
    if not name:
        require_insider(request)
        message = await account_message(services, request, span or parsing.this_month(today), today)
        await replies.to_channel(services, request, message)
        return
    if len(found.found) == 1 and found.sure:
        message = await campaign_message(services, request, found.found[0], span or ALL_TIME, today)
        await replies.to_channel(services, request, message)
        await note_shown(services, request, found.found[0].id)
        return
    await replies.to_asker(services, request, _which(name, found, span or ALL_TIME))


def _understand(connection: Connection, request: Request, asked: str, today: date) -> tuple[str, Range | None, Match]:
    """The campaign's name in what was typed, the range behind it, and who may be meant. Raises RangeRefused."""
    if not asked:
        return "", None, Match()
    names = queries.campaign_names(connection, request.workspace.id)
    if request.guest:
        shown = set(privacy.shown_campaigns(connection, request.workspace.id, request.channel))
        names = [one for one in names if one.id in shown]
    exact = matching.exactly(asked, names)
    name, span = (asked, None) if exact else parsing.split_range(asked, today)
    found = matching.match(connection, request.workspace.id, parsing.unquote(name), names) if name else Match()
    return name, span, found


def _which(name: str, found: Match, span: Range) -> Message:
    if found.found:
        return status_view.pick_campaign(quote(name), found.found, span)
    return short_answers.not_found(quote(name), found.near)
