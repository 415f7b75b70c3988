"""One piece's timeline, read again just now."""

from decimal import Decimal

from sqlalchemy import Connection

from handlers.context.access import is_steward, needs_second, require_shown
from handlers.context.refreshing import refresh_piece
from handlers.context.services import Request, Services
from handlers.forecast import queries as forecast_queries
from handlers.text.messages import Message
from handlers.track import view as track_view
from storage import outbox
from storage.queries import mail as queries
from storage.records import StoredPiece


async def piece_message(services: Services, request: Request, piece: StoredPiece) -> Message:
    """A piece's timeline, read again just now."""
    await require_shown(services, request, piece.campaign_id, piece)
    news = await refresh_piece(services, request.workspace, piece)
    settings_admin = not request.guest and await is_steward(services, request)

    def look(connection: Connection) -> Message:
        scans = queries.timeline(connection, request.workspace.id, piece.id)
        if request.guest:
            return track_view.shared(news.piece, scans, "")
        told = outbox.told_of(connection, request.workspace.id, piece.id)
        expected = forecast_queries.of_piece(connection, request.workspace.id, piece, services.clock.now().date())
        cost = news.piece.cost
        approved = needs_second(request.workspace.rules, cost or Decimal(0), int(cost is None))
        return track_view.piece_answer(
            news.piece, scans, told, expected, news.note, shareable=not request.view_id, erasable=settings_admin,
            needs_approval=approved,
        )  # fmt: skip

    return await services.memory.read(look)
