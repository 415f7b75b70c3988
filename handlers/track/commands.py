"""`/mailtrack`, and *Track pieces here* on a message."""

from typing import Final

from handlers.context import replies
from handlers.context.access import may_see
from handlers.context.asker import require_account, visible_campaigns
from handlers.context.services import Request, Services
from handlers.errors import Outage, PieceUnknown, Refusal
from handlers.text import parsing, short_answers
from handlers.text.messages import quote
from handlers.track import view as track_view
from handlers.track.answers import piece_message
from storage.queries import mail as queries
from storage.queries import piece_pages
from storage.queries.piece_pages import PieceFilter
from storage.records import StoredPiece

PIECES_OFFERED: Final = 25


async def mail_track(services: Services, request: Request) -> None:
    """`/mailtrack <piece>`: the dated scans of one piece, for the asker alone."""
    asked = parsing.unquote(parsing.clean(request.text))
    if not asked or parsing.wants_help(asked):
        await replies.to_asker(services, request, short_answers.help_track(await _example_piece(services, request)))
        return
    require_account(request)
    wanted = asked.removeprefix("#")
    found = await services.memory.read(queries.find_pieces, request.workspace.id, wanted, PIECES_OFFERED + 1)
    if not found and wanted.isascii() and wanted.isdigit() and not request.guest:
        found = await _fetch_unknown(services, request, wanted)
    if request.guest:
        found = [one for one in found if await may_see(services, request, one.campaign_id, one.id)]
    if not found:
        await replies.to_asker(services, request, short_answers.refusal(short_answers.no_piece(asked)))
    elif len(found) == 1:
        await replies.to_asker(services, request, await piece_message(services, request, found[0]))
    else:
        offered = found[:PIECES_OFFERED]
        message = track_view.pick_piece(quote(asked), offered, more=len(found) > PIECES_OFFERED)
        await replies.to_asker(services, request, message)


async def track_in_message(services: Services, request: Request) -> None:
    """*Track pieces here* on a message: the pieces whose ids stand in it (in `request.text`), for the asker alone."""
    ids = parsing.piece_ids(request.text)
    found: list[StoredPiece] = []
    for ref in ids:
        known = await services.memory.read(queries.find_pieces, request.workspace.id, ref, 1)
        found += known or await _fetch_unknown(services, request, ref)
    if not found:
        await replies.to_asker(services, request, short_answers.no_ids(len(ids)))
    elif len(found) == 1:
        await replies.to_asker(services, request, await piece_message(services, request, found[0]))
    else:
        await replies.to_asker(services, request, track_view.pick_piece("this message", found, more=False))


async def _example_piece(services: Services, request: Request) -> str:
    for campaign in [] if request.guest else await services.memory.read(visible_campaigns, request, 3):
        page = await services.memory.read(piece_pages.page, request.workspace.id, campaign.id, PieceFilter(), None, 1)
        if page:
            return page[0].ref
    return "16818211"


async def _fetch_unknown(services: Services, request: Request, ref: str) -> list[StoredPiece]:
    """A piece that we have not met may be known to the platform already."""
    try:
        batch = await services.platform.piece(ref, "")
    except (PieceUnknown, Outage, Refusal):
        return []
    await services.memory.learn(request.workspace.id, batch, services.clock.now())
    return await services.memory.read(queries.find_pieces, request.workspace.id, ref, 1)
