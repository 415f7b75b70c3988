"""Who may cancel mail, as the workspace's settings have it: told to who asks."""

from decimal import Decimal
from typing import Final

import structlog
from sqlalchemy import Connection

from handlers.context.access import cancellers, may_cancel
from handlers.context.services import Request, Services
from handlers.errors import Trouble
from handlers.text import formatting
from handlers.text.messages import Message, clip_plain, context, escape, section
from handlers.text.rights import people
from storage import privacy
from storage.queries import mail as queries
from storage.records import Money, StoredCampaign

log = structlog.get_logger()

HOW: Final = (
    "To cancel, press *Cancel…* under a campaign's `/mailstatus`. Admins change who can: *Settings* in my *Home*."
)
#: Campaigns that are named, and of each name so much.
LISTED: Final = 5
NAMED: Final = 60
GUESTS: Final = (
    "They read its numbers and the scans of pieces shown here, with names and addresses shortened, and what I post "
    "here for others. What they ask is answered without your balance, lists of pieces or returns, and exports, and "
    "they can't cancel anything or change alerts."
)
AS_GUEST: Final = "They ask as you do: `/mailstatus` or `/mailtrack` and a name, in this channel."


async def rights_message(services: Services, request: Request) -> Message:
    """The answer to `who can cancel?`."""
    rules = request.workspace.rules
    said = [f"{people(cancellers(services.policy, rules))} can cancel mail."]
    said += [await _asker(services, request)]
    said += [_approval(rules.approval_above, request.workspace.currency)]
    text = " ".join(filter(None, said))
    return Message(text, [section(text), context(HOW)])


async def guests_message(services: Services, request: Request) -> Message:
    """The answer to `what does a guest see?`, about this channel."""
    shown = [one.facts.name for one in await services.memory.read(_shown, request)]
    named = ", ".join(f"*{escape(clip_plain(one, NAMED))}*" for one in shown[:LISTED])
    more = f" and {formatting.count(len(shown) - LISTED)} more" if len(shown) > LISTED else ""
    here = f"here that's {named}{more}" if shown else "no campaign was shown here yet"
    text = f"A guest sees what I've shown in this channel, and nothing else: {here}. {GUESTS}"
    return Message(text, [section(text), context(AS_GUEST)])


def _shown(connection: Connection, request: Request) -> list[StoredCampaign]:
    shown = privacy.shown_campaigns(connection, request.workspace.id, request.channel)
    return queries.latest_campaigns(connection, request.workspace.id, len(shown), shown) if shown else []


async def _asker(services: Services, request: Request) -> str:
    """Whether the asker may; "" while Slack does not say who that is."""
    try:
        person = await services.slack.person(request.user)
    except Trouble as trouble:
        log.info("person.unknown", reason=type(trouble).__name__, code=trouble.code)
        return ""
    if may_cancel(services.policy, request.workspace.rules, request.user, person):
        return "You can, too."
    return "You can't: ask one of them."


def _approval(above: Decimal | None, currency: str) -> str:
    if above is None:
        return ""
    if not above:
        return "A second one of them approves every time."
    return f"Above {formatting.money(Money(above, currency))} a second one of them approves."
