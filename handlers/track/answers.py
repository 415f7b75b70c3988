"""One piece's timeline, read again just now."""

from sqlalchemy import Connection

from handlers.context.access import is_steward, require_shown
from handlers.context.refreshing import refresh_piece
from handlers.context.services import Ask, Services
from handlers.forecast import queries as forecast_queries
from handlers.text.messages import Message
from handlers.track import view as track_view
from storage import outbox
from storage.queries import mail as queries
from storage.records import StoredPiece


async def piece_message(services: Services, ask: Ask, piece: StoredPiece) -> Message:
    """A piece's timeline, read again just now."""
    await require_shown(services, ask, piece.campaign_id, piece)
    news = await refresh_piece(services, ask.workspace, piece)
    steward = not ask.guest and await is_steward(services, ask)

    def look(connection: Connection) -> Message:
        scans = queries.timeline(connection, ask.workspace.id, piece.id)
        if ask.guest:
            return track_view.shared(news.piece, scans, "")
        told = outbox.told_of(connection, ask.workspace.id, piece.id)
        expected = forecast_queries.of_piece(connection, ask.workspace.id, piece, services.clock.now().date())
        return track_view.piece_answer(
            news.piece, scans, told, expected, news.note, shareable=not ask.view_id, erasable=steward
        )

    return await services.memory.read(look)
