"""What came back, and why: in these days, from a place, or last. For the asker alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from handlers.text import formatting
from handlers.text.buttons import Action, OneCampaign, PiecesFound
from handlers.text.codec import write
from handlers.text.messages import Block, Message, actions, button, clip_plain, context, escape, section
from handlers.text.parsing import Range
from handlers.text.reasons import REASONS
from handlers.track.newest import Back
from handlers.track.view import NAMED, pieces_menu, recipient_in_a_line
from storage.queries.returns import Note
from storage.queries.search import COUNTED
from storage.records import NO_CAMPAIGN, PieceId, StoredPiece

#: Pieces that are told in a line each.
TOLD: Final = 5
BY_DAY: Final = "Counted by the day it came back."
#: Notices of a reason cost the sender a service of USPS, and no mail platform passes them on.
WHY: Final = (
    "*Why:* USPS gives a reason only sometimes, on the piece itself, and I'm not sent it. Note it under *Returns*: it "
    "shows here, too."
)
ALL_RETURNS: Final = "*Returns* has all of a campaign, checks addresses, and makes a file."


def came_back(back: Back, *, why: bool = False) -> Message:
    """Returned pieces were asked for, of no days and of nobody: the last ones. `why`: that was asked, too."""
    if not back.pieces:
        none = "Nothing in your latest campaigns came back." if back.total else "Nothing has come back so far."
        return Message(none, [section(none)])
    return _listed(f"{formatting.pieces(back.total)} came back so far{_order(back)}", back, [], why=why)


def _order(back: Back) -> str:
    """What the lines below are."""
    told = len(back.pieces[:TOLD])
    if back.total <= told:
        return ":"
    # Where others may have come back later, these are only some.
    return f". {told} of them:" if back.more else f". The latest {told}:"


def came_back_in(span: Range, back: Back, *, name: str = "", why: bool = False) -> Message:
    """What came back in these days, of all mail or of what is called so (`name`): how many, and the latest of it."""
    when = _when(span)
    seen = "your latest campaign" if back.looked_through == 1 else f"your {back.looked_through} latest campaigns"
    seen = f"{seen} of that time with returns" if back.looked_through else "your latest campaigns of that time"
    of = f" of *{escape(name)}*" if name else ""
    if not back.pieces:
        return _none_in(f"Nothing{of} came back {when}{f' in {seen}' if back.more else ''}.", back, why=why)
    number = f"{'At least ' if back.more else ''}{formatting.pieces(back.total)}"
    counted = f"Counted by the day it came back, in {seen}; others may have more." if back.more else BY_DAY
    return _listed(f"{number}{of} came back {when}{_order(back)}", back, [counted], why=why)


def _none_in(none: str, back: Back, *, why: bool) -> Message:
    """Nothing did; but at other times something came back."""
    if not back.beside:
        return Message(none, [section(none)])
    near = replace(back, pieces=back.beside, total=back.since, more=back.beside_more)
    if back.since:
        have = "piece has" if back.since == 1 else "pieces have"
        least = "at least " if back.beside_more else ""
        since = f"Since then {least}{formatting.count(back.since)} {have}"
        return _listed(f"{none} {since}{_order(near)}", near, [BY_DAY], why=why)
    before = "Some that came back before that:" if back.beside_more else "Came back last before that:"
    return _listed(f"{none} {before}", replace(near, total=len(near.pieces)), [], why=why)


def _when(span: Range) -> str:
    return escape(span.said.removeprefix("Ordered "))


def came_back_from(
    place: str, span: Range | None, back: Back, ids: Sequence[PieceId], total: int, *, why: bool = False
) -> Message:
    """What came back of the so many pieces that go to a place, in these days. `place` is escaped by the caller."""
    when = f" {_when(span)}" if span else ""
    of = f"{'at least ' if total >= COUNTED else ''}{formatting.pieces(total)} to “{place}”"
    if not back.pieces:
        text = f"Nothing to “{place}” came back{when}."
        return Message(text, [section(text), context(f"For the {of}: `/mailtrack {place}`.")])
    text = f"{formatting.count(len(ids))} of {of} came back{when}{_order(back)}"
    return _listed(text, back, [], ids, why=why)


def _listed(text: str, back: Back, notes: Sequence[str], ids: Sequence[PieceId] = (), *, why: bool) -> Message:
    """The latest in a line each under its campaign, with what people noted; one to choose, and all as a list."""
    told = back.pieces[:TOLD]
    ids = ids or [piece.id for piece in back.pieces]
    row = [pieces_menu(back.pieces)]
    if len(ids) > 1:
        spoken = "List all that came back with their tracking"
        value = replace(PiecesFound.of(ids), total=max(back.total, len(ids)))
        row.append(button("Show the list", Action.FOUND_LIST, write(value), spoken=spoken))
    reasons = [] if all(back.notes.get(piece.id, Note()).reason for piece in told) else [WHY]
    small = [*notes, *([] if why else reasons), ALL_RETURNS]
    blocks = [
        section(text),
        *_by_campaign(told, back.notes),
        *[section(one) for one in reasons if why],
        actions(*row),
        context(" ".join(small)),
    ]
    return Message(" ".join([text, *(reasons if why else [])]), blocks)


def _by_campaign(told: Sequence[StoredPiece], notes: Mapping[PieceId, Note]) -> list[Block]:
    """What came back last first; beside each campaign its returns desk."""
    blocks = []
    for key in dict.fromkeys(piece.campaign_id for piece in told):
        mine = [piece for piece in told if piece.campaign_id == key]
        name = mine[0].campaign_name
        lines = [f"*{escape(clip_plain(name or 'Sent singly', NAMED))}*"]
        lines += [_line(piece, notes.get(piece.id, Note())) for piece in mine]
        desk = button("Returns", Action.RETURNS, write(OneCampaign(key)), spoken=f"What came back of {name}")
        blocks.append(section("\n".join(lines), desk if key != NO_CAMPAIGN else None))
    return blocks


def _line(piece: StoredPiece, note: Note) -> str:
    """ "• Jane Smith, Austin 78701 · Nov 2 · _No such number_"."""
    parts = [recipient_in_a_line(piece)]
    parts += [formatting.stamp_day(piece.status_at)] if piece.status_at else []
    parts += [f"_{REASONS.get(note.reason, escape(note.reason))}_"] if note.reason else []
    parts += ["handled"] if note.handled_at else []
    return f"• {' · '.join(parts)}"
