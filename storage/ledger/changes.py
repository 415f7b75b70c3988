"""The part of the ledger that takes changes: keeps them in the history, and moves the pieces that they move.

A piece's place is the highest status known of it, or Other where a foreign word outranks that, and the earliest moment
of it. Both only ever go one way, so a batch is compared with where its pieces stand, and their history need not be read
again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Final

from sqlalchemy import Connection, func, select, text

from storage.database import run
from storage.dialects import is_postgresql
from storage.ledger import stage
from storage.ledger.stage import cut_text, microseconds
from storage.records import Change, Source, WorkspaceId
from storage.schema.tables import EPOCH, MICROSECOND, Moment, subscriptions, workspaces
from storage.statements import load
from storage.statuses import NOTABLE, OTHER, PAPERWORK, Status

Key = tuple[str, int, int, str, str]


Facts = tuple[int, int, int]


#: Where a change has no moment of its own.
UNKNOWN: Final = 0


#: Bytes of a place or a foreign word, which are part of a change's key; and characters that never are so many.
LONGEST_PLACE: Final = 500


LONG: Final = LONGEST_PLACE // 4


#: What came in by these is news; the others tell of the past.
TELLING: Final = (Source.WEBHOOK, Source.POLL)


@dataclass(frozen=True)
class Found:
    """What is among the changes of a batch: with a moment of their own, without, news for channels, foreign words."""

    exact: bool
    vague: bool
    news: bool
    words: bool


def after_marks(connection: Connection, workspace_id: WorkspaceId, now: datetime) -> datetime | None:
    """The moment before which nothing of what is merged now is kept: after the first complete poll and each
    subscription that were written by a clock that was ahead, or has been set back since. Else it would be history for
    ever. None where there is no such mark."""
    last = select(func.max(subscriptions.c.since)).where(subscriptions.c.workspace_id == workspace_id)
    marks = select(workspaces.c.baseline_at, last.scalar_subquery()).where(workspaces.c.id == workspace_id)
    ahead = [mark for mark in connection.execute(marks).first() or () if mark is not None and mark > now]
    return max(ahead) + MICROSECOND if ahead else None


def stage_changes(connection: Connection, told: Iterable[tuple[datetime, Iterable[Change]]]) -> Found:
    """Fills `stage.heard` with each change once, in the order of their pieces.

    They come with the moments when they were heard. Of a change without a moment of its own the earliest is kept.
    """
    earliest: dict[Key, Facts] = {}
    for recorded_at, changes in told:
        recorded = microseconds(recorded_at)
        for change in changes:
            # The one loop that meets every change: each call in it would show.
            status = change.status
            occurred = (change.occurred_at - EPOCH) // MICROSECOND
            moment = occurred if change.exact else UNKNOWN
            place = change.place
            if len(place) > LONG:
                place = cut_text(place, LONGEST_PLACE)
            if status is None:
                key: Key = (change.piece_ref, OTHER, moment, place, cut_text(change.word, LONGEST_PLACE))
            else:
                # A known status needs no word: two spellings of one scan are one scan.
                key = (change.piece_ref, status, moment, place, "")
            kept = earliest.get(key)
            if kept is None:
                earliest[key] = (occurred, recorded, change.source)
            elif occurred < kept[0]:
                earliest[key] = (occurred, *kept[1:])
    stage.load(connection, stage.heard, [key + earliest[key] for key in sorted(earliest, key=itemgetter(0))])
    news = any(key[1] in NOTABLE and facts[2] in TELLING for key, facts in earliest.items())
    exact = any(map(itemgetter(2), earliest))
    vague = not all(map(itemgetter(2), earliest))
    return Found(exact, vague, news, any(map(itemgetter(4), earliest)))


def record(connection: Connection, workspace_id: WorkspaceId, found: Found, heard: datetime | None) -> tuple[int, int]:
    """Keeps what was laid out; gives how many changes are new (or earlier than thought), and how many wait as orphans.

    `heard`: when the last of it was heard, None where its changes bear another moment. Afterwards `stage.known` lists
    the changes whose pieces we know.
    """
    run(connection, LOOK_UP, workspace=workspace_id)
    unknown, unplaced = connection.execute(LEFT_OPEN).one()
    if is_postgresql(connection):
        if unknown:
            connection.execute(NOBODY_ARRIVES, {"workspace": workspace_id})
            connection.execute(FORGET_LOOK_UP)
            run(connection, LOOK_UP, workspace=workspace_id)
        if unknown or unplaced:
            # A piece that is being placed by another process: one of the two must see what the other did.
            run(connection, AWAIT_PLACING, workspace=workspace_id)
    waiting = run(connection, KEEP_ORPHANS, workspace=workspace_id) if unknown else 0
    recorded = run(connection, KEEP_EXACT, workspace=workspace_id, epoch=EPOCH) if found.exact else 0
    if found.vague and found.news and heard is not None:
        run(connection, KEEP_ORDER, workspace=workspace_id, epoch=EPOCH, heard=heard)
    recorded += run(connection, KEEP_VAGUE, workspace=workspace_id, epoch=EPOCH) if found.vague else 0
    return recorded, waiting


def move(connection: Connection, workspace_id: WorkspaceId, now: datetime, *, words: bool) -> int:
    """Moves the pieces that the known changes move, lists them in `stage.moves`, and gives how many these are.

    `words`: some changes are told in words that we do not know.
    """
    moved = run(connection, FIND_MOVES, workspace=workspace_id, epoch=EPOCH)
    if moved:
        run(connection, MOVE, workspace=workspace_id, now=now)
    if words:
        run(connection, KEEP_WORDS, workspace=workspace_id, epoch=EPOCH)
    return moved


def widen_dates(
    connection: Connection, workspace_id: WorkspaceId, now: datetime, *, recorded: bool, placed: bool
) -> None:
    """Keeps when the first and last pieces of each campaign were handed over and delivered, and when it last moved.

    `recorded`: some changes are new. `placed`: the batch may have brought known pieces into a campaign.
    """
    if recorded:
        run(connection, WIDEN, workspace=workspace_id, now=now)
    if placed:
        run(connection, WIDEN_BY_HISTORY, workspace=workspace_id, now=now)


#: Where a foreign word without a moment stands among the heights that are compared: it is what the platform says of the
#: piece now, and stands above all paperwork. One with a moment is the label of a scan, which tells nothing of where the
#: piece is.
HEIGHTS: Final = {"other": OTHER, "of_a_word": 2 * max(PAPERWORK) + 1}
LOOK_UP: Final = load("look_up", HEIGHTS)
LEFT_OPEN: Final = text("""
    SELECT EXISTS (SELECT 1 FROM stage_known WHERE piece_id IS NULL),
           EXISTS (SELECT 1 FROM stage_known WHERE NOT placed)""")


#: See `ledger.pieces.ARRIVING`.
NOBODY_ARRIVES: Final = text("SELECT pg_advisory_xact_lock(1, CAST(:workspace AS INTEGER))")


FORGET_LOOK_UP: Final = text("DELETE FROM stage_known")
AWAIT_PLACING: Final = load("await_placing")
KEEP_ORPHANS: Final = load("keep_orphans")
KEEP_EXACT: Final = load("keep_exact", epoch=Moment)
_FIRST_SAID: Final[dict[str, int | Sequence[int]]] = {
    "poll": int(Source.POLL),
    "notable": [int(status) for status in NOTABLE],
}
KEEP_ORDER: Final = load("keep_order", _FIRST_SAID, epoch=Moment, heard=Moment)
KEEP_VAGUE: Final = load("keep_vague", epoch=Moment)
FIND_MOVES: Final = load("find_moves", HEIGHTS, epoch=Moment)
MOVE: Final = load("move", now=Moment)
KEEP_WORDS: Final = load("keep_words", epoch=Moment)
_SPANS: Final = {"handed": int(Status.HANDED_OVER), "landed": int(Status.DELIVERED), "other": OTHER}
WIDEN: Final = load("widen_spans", _SPANS, now=Moment)
WIDEN_BY_HISTORY: Final = load("widen_spans_by_history", _SPANS, now=Moment)
