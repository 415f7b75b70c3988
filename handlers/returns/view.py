"""The returns desk: what came back, where it was to go, why, and what was done about it. For the asker alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from handlers.context.ports import AddressCheck
from handlers.pieces.view import packed
from handlers.status.view import CampaignLine
from handlers.text import formatting
from handlers.text.buttons import (
    NOWHERE,
    ON_RETURNS,
    Action,
    OneCampaign,
    OnePiece,
    OneReturn,
    ReturnsOf,
    Settled,
    Word,
)
from handlers.text.codec import write
from handlers.text.messages import (
    FIELD,
    TEXT,
    Block,
    Message,
    actions,
    button,
    clip,
    context,
    escape,
    header,
    modal,
    option,
    section,
    select,
)
from handlers.text.mixes import share_of_mailed
from handlers.text.parsing import Range
from handlers.text.reasons import REASONS
from handlers.track.view import full_name, recipient
from storage.queries.piece_pages import PieceFilter
from storage.queries.returns import CameBack, Note, Place
from storage.records import ChannelId, Mix, PieceId, StoredCampaign, StoredPiece
from storage.statuses import MAILED, Status

PAGE: Final = 15
PLACES_SHOWN: Final = 8
CAMPAIGNS: Final = 50
UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class Returns:
    """A page of a campaign's returns: one piece more than fits says that there is a next."""

    campaign: StoredCampaign
    mix: Mix
    #: The share of the account's other mail that came back; None before there is a usual.
    usual: str | None
    places: Counter[Place]
    page: Sequence[StoredPiece]
    notes: Mapping[PieceId, Note]
    #: Where the picture goes: a channel ("": to the person), and the message in whose thread.
    channel: ChannelId = NOWHERE
    thread: str = ""
    after: CameBack | None = None
    #: How many of all its returns are settled.
    handled: int = 0
    #: What came of what was pressed; escaped.
    said: str = ""

    def carried(self, after: CameBack | None = None) -> ReturnsOf:
        """This desk, or its page behind a piece, for a button."""
        return ReturnsOf.behind(self.campaign.id, after, self.channel, self.thread)


def desk(shown: Returns) -> Block:
    """The modal."""
    campaign, pieces = shown.campaign, shown.page[:PAGE]
    shown.carried(shown.after)
    rate = rate_text(shown.mix, shown.usual) + handled_text(shown.handled, shown.mix.of(Status.RETURNED))
    blocks = [
        section(f"*{escape(campaign.facts.name)}*\n{rate}"),
        *([context(shown.said)] if shown.said else []),
        *_places(shown),
        actions(
            button(
                "Show by state",
                Action.RETURNS_MAP,
                write(shown.carried(shown.after)),
                spoken="Post the picture by state",
            ),
            button("Export CSV", Action.DETAILS_EXPORT, ON_RETURNS, spoken="Send me these addresses as a CSV file"),
        ),
        *(_line(shown, piece) for piece in pieces),
        *([] if pieces else [section("Nothing came back." if shown.after is None else "There are no more.")]),
        *_pager(shown),
        context(
            "USPS usually throws undeliverable Marketing Mail away instead of returning it, so few returns don't mean "
            "a clean list. Why a piece came back stands on the piece alone: *Open* it here to note that for everyone."
        ),
    ]
    return modal("Returns", blocks, packed(campaign.id, PieceFilter(Status.RETURNED)))


@dataclass(frozen=True)
class RangeReturns:
    """What came back of the mail ordered in a range, by campaign: the worst rate first."""

    span: Range
    mix: Mix
    lines: Sequence[CampaignLine]


def range_desk(shown: RangeReturns) -> Block:
    """The modal: a campaign a line, each with its own desk."""
    worst = sorted(shown.lines, key=lambda one: (-_rate(one.mix), one.campaign.facts.name))[:CAMPAIGNS]
    blocks = [
        section(f"{escape(shown.span.said)}: {rate_text(shown.mix, None)}"),
        *(_campaign_line(one) for one in worst),
        *([] if worst else [section("Nothing came back.")]),
    ]
    more = len(shown.lines) - len(worst)
    if more > 0:
        blocks.append(context(f"and {formatting.count(more)} more campaigns with lower rates"))
    return modal("Returns", blocks)


def _rate(mix: Mix) -> float:
    # Of each that is listed something came back, and so was mailed.
    return mix.of(Status.RETURNED) / mix.of(*MAILED)


def _campaign_line(line: CampaignLine) -> Block:
    name = line.campaign.facts.name
    said = f"*{escape(name)}*\n{rate_text(line.mix, None)}"
    value = write(OneCampaign(line.campaign.id))
    return section(said, button("Open", Action.RETURNS_PUSH, value, spoken=f"What came back of {name}"))


def rate_text(mix: Mix, usual: str | None) -> str:
    """How much came back, beside what usually does."""
    mailed, back = mix.of(*MAILED), mix.of(Status.RETURNED)
    if not mailed:
        return "Nothing has been mailed yet."
    said = f"*{formatting.count(back)}* of {formatting.count(mailed)} mailed came back"
    said += f" (*{escape(share_of_mailed(mix, Status.RETURNED))}*)."
    return said if usual is None else f"{said} Your other mail: {escape(usual)}."


def handled_text(handled: int, back: int) -> str:
    """How many are settled, as a sentence to follow another; "" before anything came back."""
    return f" *{formatting.count(min(handled, back))} of {formatting.count(back)}* handled." if back else ""


def by_state(places: Counter[Place]) -> list[tuple[str, int]]:
    """Counts by state, the most first."""
    states: Counter[str] = Counter()
    for place, number in places.items():
        states[place.region or UNKNOWN] += number
    return sorted(states.items(), key=lambda one: (-one[1], one[0]))


def _places(shown: Returns) -> list[Block]:
    if not shown.places:
        return []
    states = ", ".join(f"{escape(name)} {formatting.count(n)}" for name, n in by_state(shown.places)[:PLACES_SHOWN])
    zips = shown.places.most_common(PLACES_SHOWN)
    near = ", ".join(f"{escape(place.zip3)}•• {formatting.count(n)}" for place, n in zips if place.zip3)
    return [section(f"*By state:* {states}" + (f"\n*By ZIP area:* {near}" if near else ""))]


def _line(shown: Returns, piece: StoredPiece) -> Block:
    note = shown.notes.get(piece.id, Note())
    when = f" · came back {formatting.stamp_day(piece.status_at)}" if piece.status_at else ""
    said = f"{recipient(piece)}{when}"
    if note.reason:
        said += f"\n_{REASONS.get(note.reason, note.reason)}_"
    if note.handled_at is not None:
        said += f"\n:white_check_mark: handled by <@{note.handled_by}> {formatting.stamp_day(note.handled_at)}"
    page = shown.carried(shown.after)
    value = write(OneReturn(piece.id, page.campaign, page.after, page.back, page.channel, page.thread))
    return section(said, button("Open", Action.RETURN_OPEN, value, spoken=f"Open returned piece {piece.ref}"))


def _pager(shown: Returns) -> list[Block]:
    if len(shown.page) <= PAGE:
        return []
    value = write(shown.carried(CameBack.of(shown.page[PAGE - 1])))
    return [actions(button("Next page", Action.RETURNS_NEXT, value, spoken="Next page of returns"))]


#: Characters of an address as the register writes it. Escaped for Slack and for the form they are three times as many.
WRITTEN: Final = 600


#: How long *Undo* is called so; later a return is opened again.
UNDO: Final = timedelta(minutes=10)


def checked(shown: OneReturn, check: AddressCheck) -> OneReturn:
    """The same, with what the register says of the address."""
    return replace(shown, is_valid=check.is_valid, written=clip(full_name(check.address), WRITTEN))


def returned_piece(
    piece: StoredPiece, note: Note, shown: OneReturn, said: str = "", now: datetime | None = None
) -> Block:
    """One returned piece: its address, whether it is good, why it came back, and whether that is settled."""
    menu = {code: option(f"{code}: {text}", write(Word(code))) for code, text in REASONS.items()}
    settled, this = note.handled_at is not None, write(OnePiece(piece.id))
    again = "Undo" if note.handled_at and now and now - note.handled_at <= UNDO else "Open again"
    blocks = [
        section(
            f"*{recipient(piece)}*\nPiece `{escape(piece.ref)}`"
            + (f" of {escape(piece.campaign_name)}" if piece.campaign_name else "")
        ),
        *([] if shown.is_valid is None else [section(check_text(shown.is_valid, shown.written))]),
        *([context(escape(said))] if said else []),
        actions(
            button("Check address", Action.RETURN_CHECK, this, spoken="Look it up in the postal database"),
            select(Action.RETURN_REASON, "Why it came back", list(menu.values()), menu.get(note.reason)),
            button(
                again if settled else "Mark as handled",
                Action.RETURN_HANDLED,
                write(Settled(piece.id, done=not settled)),
                spoken="This return is not handled yet" if settled else "This return is handled",
            ),
        )
        | {"block_id": f"return {piece.id} {note.reason}"},
    ]
    if note.reason:
        blocks.append(context(f"{REASONS.get(note.reason, note.reason)}, noted by <@{note.reason_by}>"))
    if note.handled_at is not None:
        blocks.append(context(f"Handled by <@{note.handled_by}> {formatting.stamp(note.handled_at)}"))
    return modal("Returned piece", blocks, write(shown))


def check_text(is_valid: bool, written: str) -> str:
    """What the register of addresses says; `written` is escaped."""
    if not is_valid:
        return ":x: This address isn't in the postal database. Mail to it will probably come back."
    return f":white_check_mark: This address is in the postal database, as: *{written}*"


def rates_by_state(places: Counter[Place], mailed: Mapping[str, int]) -> list[tuple[str, int, int]]:
    """State, returned, mailed; the highest rate first, those of a handful of pieces last.

    What was returned was mailed, whatever was counted when.
    """
    back = dict(by_state(places))
    rows = [(state or UNKNOWN, back.get(state or UNKNOWN, 0), number) for state, number in mailed.items()]
    rows += [(state, number, number) for state, number in back.items() if state not in {row[0] for row in rows}]
    rows = [(state, number, max(number, of)) for state, number, of in rows if of or number]
    return sorted(rows, key=lambda row: (row[2] < TELLING, -row[1] / row[2], -row[1], row[0]))


def map_headline(mix: Mix, rows: Sequence[tuple[str, int, int]]) -> str:
    """What the map says: how much came back, and where the most did for what was mailed there."""
    back, mailed = mix.of(Status.RETURNED), mix.of(*MAILED)
    if not back:
        return "Nothing came back"
    share = share_of_mailed(mix, Status.RETURNED)
    said = f"{formatting.count(back)} of {formatting.count(mailed)} came back ({share})"
    # Of a handful of pieces one return is a high rate and says nothing.
    known = [row for row in rows if row[2] >= TELLING and row[1]]
    return f"{said}, most often from {known[0][0]}" if len(known) > 1 else said


#: Pieces to a state from which on its rate says something.
TELLING: Final = 20


def map_shown(channel: ChannelId, thread: str, *, for_all: bool) -> str:
    """Where the picture by state went."""
    if not channel:
        return "I sent you the returns by state in a direct message."
    if not for_all:
        return f"Only you see the returns by state in <#{channel}>: I couldn't post them there."
    return f"The returns by state are posted in <#{channel}>{', in the thread of the answer' if thread else ''}."


def map_answer(campaign: StoredCampaign, mix: Mix, rows: Sequence[tuple[str, int, int]]) -> Message:
    """Returns by state, in words; the picture comes beside."""
    name = campaign.facts.name
    counted = [
        f"{state} {formatting.count(back)} of {formatting.count(of)} ({formatting.share(back, of)})"
        for state, back, of in rows
        if back
    ]
    said = f"{map_headline(mix, rows)}."
    blocks = [header(f"Returns of {name}"), section(f"*{escape(said)}*")]
    blocks += [context(clip(escape(" · ".join(counted)), FIELD))] if counted else []
    return Message(
        clip(f"Returns of {escape(name)} by state. {escape(said)} {escape('; '.join(counted))}", TEXT), blocks
    )
