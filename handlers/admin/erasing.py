"""*Erase recipient*: who a piece was sent to is forgotten, at once and by one press."""

from datetime import timedelta

import structlog
from sqlalchemy import Connection

from handlers.admin import view as admin_view
from handlers.context import intents as working
from handlers.context.access import require_settings_admin
from handlers.context.intents import Hold
from handlers.context.lookups import piece_of
from handlers.context.services import Request, Services
from handlers.errors import Refusal
from handlers.text import messages
from handlers.text.buttons import OnePiece
from handlers.text.codec import read
from handlers.text.messages import Message
from storage import audit, privacy
from storage.audit import Act
from storage.intents import Kind

log = structlog.get_logger()


async def erase(services: Services, request: Request, value: str) -> None:
    """*Erase recipient*: by request of the person, or of the law. Done at once; whoever asked is told, if later."""
    await require_settings_admin(services, request)
    piece = await piece_of(services, request, read(OnePiece, value).piece)
    now = services.clock.now()

    def also(connection: Connection) -> None:
        privacy.erase_piece(connection, request.workspace.id, piece.id)
        audit.note(connection, request.workspace.id, request.user, Act.ERASED, now, subject=f"piece {piece.ref}")

    payload = {"ref": piece.ref, "by": request.user, "view": request.view_id}
    secrets = {"url": request.response_url} if request.response_url else {}
    number = await working.keep(
        services, request.workspace.id, Kind.ERASE, payload, secrets, also=also, asked=request.kept
    )
    await working.begin(services, request.workspace.id, number, tell_erased)


async def tell_erased(hold: Hold) -> timedelta | None:
    """Tells who asked that it is done: where they pressed, or in a direct message."""
    slack, payload = hold.services.slack, hold.intent.payload
    blocks = admin_view.erased(payload["ref"], hold.services.platform.name)
    message = Message(blocks[0]["text"]["text"], blocks)

    async def send() -> None:
        url = hold.secrets().get("url", "")
        try:
            if payload["view"]:
                await slack.update_view(payload["view"], messages.modal("Erased", blocks))
                return
            if url:
                await slack.answer(url, message)
                return
        except Refusal as refusal:
            log.info("erased.told_directly", reason=type(refusal).__name__, code=refusal.code)
        await slack.post(payload["by"], message)

    await hold.tell(0, send)
    return None
