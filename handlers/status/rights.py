"""Who may cancel mail, as the workspace's settings have it: told to who asks."""

from decimal import Decimal
from typing import Final

import structlog

from handlers.context.access import cancellers, may_cancel
from handlers.context.services import Request, Services
from handlers.errors import Trouble
from handlers.text import formatting
from handlers.text.messages import Message, context, section
from handlers.text.rights import people
from storage.records import Money

log = structlog.get_logger()

HOW: Final = (
    "To cancel, press *Cancel…* under a campaign's `/mailstatus`. Admins change who can: *Settings* in my *Home*."
)


async def rights_message(services: Services, request: Request) -> Message:
    """The answer to `who can cancel?`."""
    rules = request.workspace.rules
    said = [f"{people(cancellers(services.policy, rules))} can cancel mail."]
    said += [await _asker(services, request)]
    said += [_approval(rules.approval_above, request.workspace.currency)]
    text = " ".join(filter(None, said))
    return Message(text, [section(text), context(HOW)])


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
