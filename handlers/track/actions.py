"""What is pressed on a piece: its timeline, and sharing it without the recipient."""

from handlers.context import replies
from handlers.context.access import note_shown, require_shown
from handlers.context.lookups import piece_of
from handlers.context.services import Request, Services
from handlers.errors import Refusal
from handlers.text import messages
from handlers.text.buttons import OnePiece, PiecesFound
from handlers.text.codec import read
from handlers.text.messages import Block, section
from handlers.track import answers
from handlers.track import view as track_view
from storage.queries import mail as queries


async def pick_piece(services: Services, request: Request, value: str) -> None:
    """A piece was chosen from a list: its timeline takes the list's place."""
    piece = await piece_of(services, request, read(OnePiece, value).piece)
    message = await answers.piece_message(services, request, piece)
    await replies.to_asker(services, request, message, replacing=True)


async def track_piece(services: Services, request: Request, value: str) -> None:
    """A piece's timeline: over the open list, or for the asker alone in the channel."""
    piece = await piece_of(services, request, read(OnePiece, value).piece)
    if not request.view_id:
        await replies.to_asker(services, request, await answers.piece_message(services, request, piece))
        return
    await require_shown(services, request, piece.campaign_id, piece)
    waiting = messages.modal("Tracking", [section(f"Asking {services.platform.name} for the latest scans…")])
    view_id = await services.slack.push_view(request.trigger_id, waiting)
    message = await answers.piece_message(services, request, piece)
    await services.slack.update_view(view_id, messages.modal(f"Piece {piece.ref}", message.blocks))


async def open_found(services: Services, request: Request, value: str) -> None:
    """*Show the list* of what a search found."""
    view = await _found_page(services, request, read(PiecesFound, value))
    show = services.slack.push_view if request.view_id else services.slack.open_view
    await show(request.trigger_id, view)


async def turn_found(services: Services, request: Request, value: str) -> None:
    """Another page of it."""
    view = await _found_page(services, request, read(PiecesFound, value))
    await services.slack.update_view(request.view_id, view)


async def _found_page(services: Services, request: Request, found: PiecesFound) -> Block:
    those = found.pieces[found.start : found.start + track_view.FOUND_SHOWN]
    page = await services.memory.read(queries.pieces_by_id, request.workspace.id, those)
    return track_view.found_list(found, page)


async def share_piece(services: Services, request: Request, value: str) -> None:
    """*Share to channel* on a private timeline: everyone there sees it, without the full name and address."""
    piece = await piece_of(services, request, read(OnePiece, value).piece)
    scans = await services.memory.read(queries.timeline, request.workspace.id, piece.id)
    if not request.channel:
        raise Refusal("There is no channel here to share it with. Ask with `/mailtrack` in the channel.")
    await services.slack.post(request.channel, track_view.shared(piece, scans, request.user))
    await note_shown(services, request, piece.campaign_id, piece.id)
