"""What is pressed on a piece: its timeline, and sharing it without the recipient."""

from handlers.context import replies
from handlers.context.access import note_shown, require_shown
from handlers.context.lookups import piece_of
from handlers.context.services import Ask, Services
from handlers.errors import Refusal
from handlers.text import messages
from handlers.text.messages import section
from handlers.track import answers
from handlers.track import view as track_view
from storage.queries import mail as queries


async def pick_piece(services: Services, ask: Ask, value: str) -> None:
    """A piece was chosen from a list: its timeline takes the list's place."""
    piece = await piece_of(services, ask, value)
    message = await answers.piece_message(services, ask, piece)
    await replies.to_asker(services, ask, message, replacing=True)


async def track_piece(services: Services, ask: Ask, value: str) -> None:
    """A piece's timeline: over the open list, or for the asker alone in the channel."""
    piece = await piece_of(services, ask, value)
    if not ask.view_id:
        await replies.to_asker(services, ask, await answers.piece_message(services, ask, piece))
        return
    await require_shown(services, ask, piece.campaign_id, piece)
    waiting = messages.modal("Tracking", [section("Asking Stannp for the latest scans…")])
    view_id = await services.slack.push_view(ask.trigger_id, waiting)
    message = await answers.piece_message(services, ask, piece)
    await services.slack.update_view(view_id, messages.modal(f"Piece {piece.ref}", message.blocks))


async def share_piece(services: Services, ask: Ask, value: str) -> None:
    """*Share to channel* on a private timeline: everyone there sees it, without the full name and address."""
    piece = await piece_of(services, ask, value)
    scans = await services.memory.read(queries.timeline, ask.workspace.id, piece.id)
    if not ask.channel:
        raise Refusal("There is no channel here to share it with. Ask with `/mailtrack` in the channel.")
    await services.slack.post(ask.channel, track_view.shared(piece, scans, ask.user))
    await note_shown(services, ask, piece.campaign_id, piece.id)
