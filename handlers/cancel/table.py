"""What this wing answers."""

from handlers.cancel import actions, approvals
from handlers.context.services import Request, Services
from handlers.context.table import Filled, Press, Submission, Table
from handlers.text.buttons import Action, Cancelling, Form
from handlers.text.codec import read


async def _confirmed(services: Services, request: Request, filled: Filled) -> None:
    await actions.cancel_campaign(services, request, read(Cancelling, filled.metadata))


def _channel(filled: Filled) -> str:
    return read(Cancelling, filled.metadata).channel


TABLE = Table(
    actions={
        Action.CANCEL_PIECE: Press(actions.cancel_one, kept=True),
        Action.CANCEL_CAMPAIGN: Press(actions.ask_cancel_campaign),
        Action.APPROVE: Press(approvals.approve, kept=True),
        Action.DECLINE: Press(approvals.decline, kept=True),
    },
    forms={Form.CANCEL_CAMPAIGN: Submission(_confirmed, kept=True, channel=_channel)},
)
