"""What this wing answers."""

from handlers.context.services import Request, Services
from handlers.context.table import Filled, Press, Submission, Table
from handlers.setup import actions
from handlers.text.buttons import Action, Form, Word
from handlers.text.codec import read
from handlers.text.messages import waiting


async def _connect(services: Services, request: Request, filled: Filled) -> None:
    await actions.connect(services, request, filled["key"].typed, read(Word, filled["region"].chosen).word)


async def _save_webhook(services: Services, request: Request, filled: Filled) -> None:
    await actions.save_webhook(services, request, filled["secret"].typed)


TABLE = Table(
    actions={
        Action.CONNECT: Press(actions.open_connect),
        Action.WEBHOOK: Press(actions.open_webhook),
        Action.NEW_WEBHOOK: Press(actions.new_webhook, kept=True),
    },
    forms={
        Form.CONNECT: Submission(_connect, kept=True, meanwhile=lambda _: waiting("Mail account")),
        Form.WEBHOOK: Submission(_save_webhook, kept=True, meanwhile=lambda _: waiting("Webhook")),
    },
)
