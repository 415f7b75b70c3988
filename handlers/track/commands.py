"""`/mailtrack`, and *Track pieces here* on a message."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from handlers.context import matching, replies
from handlers.context.asker import require_account, today_of, visible_campaigns, zone_of
from handlers.context.services import Request, Services
from handlers.errors import Outage, PieceUnknown, Refusal
from handlers.text import parsing, short_answers
from handlers.text.messages import Message, context, quote
from handlers.track import back_view
from handlers.track import view as track_view
from handlers.track.answers import piece_message
from handlers.track.newest import AskedBack, back_lately, back_or_near, newest, returned_of
from storage import privacy
from storage.queries import mail as queries
from storage.queries import piece_pages, search
from storage.queries.piece_pages import PieceFilter
from storage.queries.search import Found
from storage.records import StoredCampaign, StoredPiece

PIECES_OFFERED: Final = 25


async def mail_track(services: Services, request: Request) -> None:
    """`/mailtrack <piece>`: the dated scans of one piece, for the asker alone."""
    asked = parsing.unquote(parsing.clean(request.text))
    if request.guest and (not asked or parsing.wants_help(asked)):
        shown = await services.memory.read(visible_campaigns, request, 2)
        await replies.to_asker(services, request, short_answers.help_for_guests([one.facts.name for one in shown]))
        return
    if not asked or parsing.wants_help(asked):
        usage = short_answers.help_track(await _example_piece(services, request))
        others = ([], []) if asked else await services.memory.read(newest, request)
        await replies.to_asker(services, request, track_view.unnamed(usage, *others))
        return
    require_account(request)
    back = await _asked_back(services, request, asked)
    found, those = await services.memory.read(_look, request, asked, back)
    campaign = those[0] if len(those) == 1 else None
    if back and not (back.name or campaign or request.guest or _is_called(found, asked)):
        await replies.to_asker(services, request, await _came_back(services, request, back))
        return
    if back and not campaign and not request.guest and _is_place(found, back.name):
        listed, ids = await services.memory.read(returned_of, request, back, await zone_of(services, request))
        said = back_view.came_back_from(quote(back.name), back.span, listed, ids, len(found.ids), why=back.why)
        await replies.to_asker(services, request, said)
        return
    if back and back.span and those and not (found.ids and found.exact):
        await replies.to_asker(services, request, await _came_back(services, request, back, those))
        return
    ref = _id_in(asked)
    fetch = not request.guest and _may_be_unknown(services, ref, found)
    # Before it is read as a ZIP code or a house number: somebody else's piece would be the answer.
    if fetch and (fetched := await _fetch_unknown(services, request, ref)):
        found = Found([one.id for one in fetched], True, fetched)
    if request.guest:
        found = await services.memory.read(_shown, request, found)
    if not found.pieces and campaign is None and not request.guest and services.platform.find_refs(asked)[1:]:
        await track_in_message(services, request)
        return
    if not found.pieces and campaign is None:
        # Of somebody whom nothing goes to, nobody else's mail is the answer.
        others = ([], []) if back else await services.memory.read(newest, request)
        await replies.to_asker(services, request, track_view.none_found(asked, *others))
        return
    await replies.to_asker(services, request, await _answer(services, request, asked, found, campaign))


def _shown(connection: Connection, request: Request, found: Found) -> Found:
    """Of what was found what a guest's channel was shown, also behind the first that are offered."""
    seen = privacy.shown_pieces(connection, request.workspace.id, request.channel, found.ids)
    ids = [one for one in found.ids if one in seen]
    shown = queries.pieces_by_id(connection, request.workspace.id, ids[:PIECES_OFFERED])
    return Found(ids, found.exact, shown, found.more)


def _id_in(asked: str) -> str:
    """The one number that is asked for, without the words around it; "" where it is none, or has a dash."""
    numbers = [one for one in parsing.wordings(asked) if one.isascii() and one.isdigit()]
    return numbers[0] if numbers and "-" not in asked else ""


def _may_be_unknown(services: Services, ref: str, found: Found) -> bool:
    """Whether this may be the id of a piece that we have not met."""
    if not ref or any(one.ref == ref for one in found.pieces):
        return False
    return not found.ids or bool(services.platform.find_refs(ref))


def _is_called(found: Found, asked: str) -> bool:
    """Whether somebody to whom one of these goes is called by a word that was typed, as a whole: "May" may be meant by
    "came back in May", and "Mayer" is not."""
    typed = frozenset(search.words_of(asked))
    names = ([one.recipient.name, one.recipient.company] for one in found.pieces)
    return found.exact and any(not typed.isdisjoint(search.words_in(one)) for one in names)


def _is_place(found: Found, name: str) -> bool:
    """Whether several go there, and none of them to somebody who is called so: of a place, what came back is meant."""
    return bool(name) and found.exact and len(found.ids) > 1 and not _is_called(found, name)


async def _asked_back(services: Services, request: Request, asked: str) -> AskedBack | None:
    if not parsing.CAME_BACK.search(asked):
        return None
    return AskedBack.read(asked, await today_of(services, request))


async def _came_back(
    services: Services, request: Request, back: AskedBack, those: Sequence[StoredCampaign] = ()
) -> Message:
    """What came back, of anybody; or in these days of these campaigns."""
    if back.span is None:
        return back_view.came_back(await services.memory.read(back_lately, request), why=back.why)
    zone, only = await zone_of(services, request), [one.id for one in those]
    today = services.clock.now().astimezone(zone).date()
    found = await services.memory.read(back_or_near, request, back.span, zone, today, only)
    # Of several the words that all are called by.
    name = those[0].facts.name if len(those) == 1 else back.name if those else ""
    return back_view.came_back_in(back.span, found, name=name, why=back.why)


def _look(
    connection: Connection, request: Request, asked: str, back: AskedBack | None
) -> tuple[Found, Sequence[StoredCampaign]]:
    """The pieces that are meant, and the campaigns that are called so to the letter (none for a guest)."""
    # Of "was the letter to Sean returned?" his name alone is looked for, too.
    name = back.name if back else ""
    wordings = [*parsing.wordings(asked), *([name] if name else [])]
    found = search.search(connection, request.workspace.id, wordings, PIECES_OFFERED)
    if request.guest or (found.ids and found.exact and len(found.ids) == 1):
        return found, ()
    match = matching.match(connection, request.workspace.id, asked)
    # Of a campaign's name its number and its small words are a part: "Drop 2", "Back to school".
    for called in (back.rest, name) if back and name else ():
        if not match.sure:
            match = matching.match(connection, request.workspace.id, called)
    return found, match.found if match.sure else ()


async def _answer(
    services: Services, request: Request, asked: str, found: Found, campaign: StoredCampaign | None
) -> Message:
    if not found.pieces or (campaign and not found.exact):
        return track_view.no_piece(asked, campaign)
    if len(found.ids) > 1 or campaign:
        return track_view.pick_piece(
            quote(asked), found.pieces, found.ids, campaign, exact=found.exact, guest=request.guest, more=found.more
        )
    message = await piece_message(services, request, found.pieces[0])
    if found.exact:
        return message
    note = f"Nothing matches “{quote(asked)}” to the letter; this is the nearest."
    return replace(message, text=f"{note} {message.text}", blocks=[context(note), *message.blocks])


async def track_in_message(services: Services, request: Request) -> None:
    """*Track pieces here* on a message: the pieces whose ids stand in it (in `request.text`), for the asker alone."""
    ids = services.platform.find_refs(request.text)
    found: list[StoredPiece] = []
    for ref in ids:
        found += await _known(services, request, ref) or await _fetch_unknown(services, request, ref)
    if not found:
        await replies.to_asker(services, request, short_answers.no_ids(len(ids)))
    elif len(found) == 1:
        await replies.to_asker(services, request, await piece_message(services, request, found[0]))
    else:
        await replies.to_asker(
            services, request, track_view.pick_piece("this message", found, [one.id for one in found])
        )


async def _example_piece(services: Services, request: Request) -> str:
    for campaign in await services.memory.read(visible_campaigns, request, 3):
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
    return await _known(services, request, ref)


async def _known(services: Services, request: Request, ref: str) -> list[StoredPiece]:
    """The piece of this id: what is only alike, as a ZIP code is, would be somebody else's."""
    found = await services.memory.read(queries.find_pieces, request.workspace.id, ref, 1)
    return [one for one in found if one.ref == ref]
