"""*View details*: a campaign's pieces, status first, with *Tracking* beside each. For the asker alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from handlers.text import formatting
from handlers.text.buttons import NOTHING, Action, AtStatus, Form, OnePiece, PiecesPage, PiecesShown
from handlers.text.codec import Value, read, write
from handlers.text.messages import (
    Block,
    actions,
    button,
    context,
    escape,
    input_block,
    modal,
    option,
    quote,
    section,
    select,
)
from handlers.text.status_styles import STYLES, emoji
from handlers.track.view import plain_standing
from storage.queries.piece_pages import PieceFilter
from storage.records import CampaignId, Mix, PieceId, StoredCampaign, StoredPiece

PAGE: Final = 20
LONGEST_ASKED: Final = 100


@dataclass(frozen=True)
class Listing:
    """A page of the list: one piece more than fits says that there is a next."""

    campaign: StoredCampaign
    mix: Mix
    only: PieceFilter
    page: Sequence[StoredPiece]
    after: PieceId | None = None


def packed(campaign_id: CampaignId, only: PieceFilter) -> Value:
    """What the list shows, to be kept in the modal itself."""
    return write(PiecesShown(campaign_id, only.status, only.asked[:LONGEST_ASKED]))


def unpacked(metadata: str) -> tuple[CampaignId, PieceFilter]:
    """What `packed` wrote; raises Outdated."""
    shown = read(PiecesShown, metadata)
    return shown.campaign, PieceFilter(shown.status, shown.asked)


def details(listing: Listing) -> Block:
    """The modal."""
    campaign, only = listing.campaign, listing.only
    shown = listing.page[:PAGE]
    blocks = [
        _tools(listing),
        _search(only),
        context(_summary(listing)),
        *(_line(piece) for piece in shown),
        *([] if shown else _nothing(listing)),
        *_pager(listing),
    ]
    view = modal(campaign.facts.name, blocks, packed(campaign.id, only))
    return view | {
        "callback_id": Form.DETAILS,
        "submit": {"type": "plain_text", "text": "Search"},
    }


def _tools(listing: Listing) -> Block:
    every = option(f"All statuses ({formatting.count(listing.mix.total)})", write(AtStatus(None)))
    choices = {
        status: option(f"{STYLES[status].label} ({formatting.count(number)})", write(AtStatus(status)))
        for status, number in listing.mix.in_order()
    }
    chosen = every if listing.only.status is None else choices[listing.only.status]
    row = actions(
        select(Action.DETAILS_FILTER, "Status", [every, *choices.values()], chosen),
        button("Export CSV", Action.DETAILS_EXPORT, NOTHING, spoken="Send me exactly these pieces as a CSV file"),
    )
    # Slack keeps what was chosen in a block of the same name, whatever it is told to show.
    return row | {"block_id": f"tools {chosen['value']}"}


def _search(only: PieceFilter) -> Block:
    element: Block = {
        "type": "plain_text_input",
        "action_id": "asked",
        "max_length": LONGEST_ASKED,
        "placeholder": {"type": "plain_text", "text": "Recipient, ZIP, address or piece id"},
    }
    element |= {"initial_value": only.asked} if only.asked else {}
    return input_block("Find", "search", element, optional=True)


def _summary(listing: Listing) -> str:
    if listing.only.asked:
        return f"Pieces that match “{quote(listing.only.asked)}”"
    status = listing.only.status
    number = listing.mix.total if status is None else listing.mix.of(status)
    where = "" if status is None else f" at {STYLES[status].label}"
    return f"{formatting.pieces(number)}{where}, oldest first"


def _nothing(listing: Listing) -> list[Block]:
    only = listing.only
    if not listing.mix.total:
        return [section("No pieces here yet. They show up once the campaign is booked.")]
    if only.asked and only.status is not None:
        why = f"No piece at {STYLES[only.status].label} matches “{quote(only.asked)}”."
    elif only.asked:
        why = f"No piece of this campaign matches “{quote(only.asked)}”. Try one word of the name, street or city."
    elif listing.after is not None or only.status is None:
        why = "There are no more."
    else:
        why = f"No piece of this campaign is at {STYLES[only.status].label} now."
    return [section(why), actions(_back(listing, "Show all pieces", PiecesPage(every=True)))]


def _pager(listing: Listing) -> list[Block]:
    row = []
    if len(listing.page) > PAGE:
        value = write(PiecesPage(listing.page[PAGE - 1].id))
        row.append(actions(button("Next page", Action.DETAILS_NEXT, value, spoken="Next page of pieces")))
    if listing.after is not None:
        row.append(actions(_back(listing, "Back to the first page", PiecesPage())))
    return row


def _back(listing: Listing, label: str, page: PiecesPage) -> Block:
    spoken = f"{label} of {listing.campaign.facts.name}"
    return button(label, Action.DETAILS_NEXT, write(page), spoken=spoken)


def _line(piece: StoredPiece) -> Block:
    who = piece.recipient
    name = "Recipient erased" if piece.erased else escape(who.name or f"Piece {piece.ref}")
    place = escape(" ".join(part for part in (who.city, who.region, who.postcode) if part))
    line = f"{emoji(piece.status)} *{escape(plain_standing(piece))}* · {name}" + (f"\n{place}" if place else "")
    track_it = button("Tracking", Action.TRACK, write(OnePiece(piece.id)), spoken=f"Tracking of piece {piece.ref}")
    return section(line, track_it)


def export_begun(listing_of: str) -> Block:
    """Said while the file is being written."""
    text = f"I'm preparing the file of *{escape(listing_of)}* and will send it to you in a direct message in a minute."
    return modal("Export", [section(text), context("It holds names and addresses. Pass it on with care.")])


def export_put_off(what: str, why: str) -> Block:
    """Said when the file cannot be sent until somebody has mended something. `what` is escaped."""
    text = f"I couldn't send you {what}. {escape(why)}"
    return modal("Export", [section(text), context("I'll try again by myself: there's no need to ask again.")])
