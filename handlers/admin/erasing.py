"""*Erase recipient*: who a piece was sent to is forgotten, at once and by one press."""

from collections.abc import Sequence
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from handlers.admin import view as admin_view
from handlers.context import intents as working
from handlers.context.access import require_settings_admin
from handlers.context.intents import Hold
from handlers.context.lookups import piece_of
from handlers.context.services import Request, Services
from handlers.errors import AlreadyErased, Refusal
from handlers.text import messages
from handlers.text.buttons import OnePiece, PiecesFound
from handlers.text.codec import read
from handlers.text.messages import Message
from storage import audit, privacy
from storage.audit import Act
from storage.intents import Kind
from storage.queries import mail as queries
from storage.queries import search
from storage.records import PieceId, StoredPiece

log = structlog.get_logger()


async def erase(services: Services, request: Request, value: str) -> None:
    """*Erase recipient*: by request of the person, or of the law. Done at once; whoever asked is told, if later."""
    await require_settings_admin(services, request)
    await _erase(services, request, [await piece_of(services, request, read(OnePiece, value).piece)])


async def erase_found(services: Services, request: Request, value: str) -> None:
    """The same of other pieces to the same name and address."""
    await require_settings_admin(services, request)
    ids = read(PiecesFound, value).pieces
    await _erase(services, request, await services.memory.read(queries.pieces_by_id, request.workspace.id, ids))


async def _erase(services: Services, request: Request, pieces: Sequence[StoredPiece]) -> None:
    known = [piece for piece in pieces if not piece.erased]
    if not known:
        raise AlreadyErased
    key, now = request.workspace.id, services.clock.now()
    # Looked for before they are forgotten: afterwards nobody knows which these are.
    same = await services.memory.read(search.same_recipient, key, known[0].id)
    others = sorted(set(same) - {piece.id for piece in known}, reverse=True)

    def also(connection: Connection) -> None:
        gone = [piece.ref for piece in known if privacy.erase_piece(connection, key, piece.id)]
        if not gone:
            # By somebody else, since we looked: what is left of the person's mail is told to them.
            raise AlreadyErased
        for ref in gone:
            audit.note(connection, key, request.user, Act.ERASED, now, subject=f"piece {ref}")

    payload = {
        "ref": known[0].ref, "number": len(known), "others": others, "by": request.user, "view": request.view_id,
    }  # fmt: skip
    secrets = {"url": request.response_url} if request.response_url else {}
    number = await working.keep(services, key, Kind.ERASE, payload, secrets, also=also, asked=request.kept)
    await working.begin(services, key, number, tell_erased)


async def tell_erased(hold: Hold) -> timedelta | None:
    """Tells who asked that it is done: in the place of what they pressed, which names the person, or directly."""
    slack, payload = hold.services.slack, hold.intent.payload
    others = [PieceId(one) for one in payload.get("others", [])]
    blocks = admin_view.erased(payload["ref"], payload.get("number", 1), others, hold.services.platform.name)
    message = Message(blocks[0]["text"]["text"], blocks)

    async def send() -> None:
        url = hold.secrets().get("url", "")
        try:
            if payload["view"]:
                await slack.update_view(payload["view"], messages.modal("Erased", blocks))
                return
            if url:
                await slack.answer(url, message, replace=True)
                return
        except Refusal as refusal:
            log.info("erased.told_directly", reason=type(refusal).__name__, code=refusal.code)
        await slack.post(payload["by"], message)

    await hold.tell(0, send)
    return None
