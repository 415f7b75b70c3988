"""The part of the ledger that takes changes: keeps them in the history, and moves the pieces that they move.

A piece's place is the highest status known of it, or Other where a foreign word outranks that, and the earliest moment
of it. Both only ever go one way, so a batch is compared with where its pieces stand, and their history need not be read
again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Final

from sqlalchemy import Connection, func, select, text

from storage.database import Sql, run, sql
from storage.dialects import is_postgresql
from storage.ledger import stage
from storage.ledger.stage import cut_text, microseconds
from storage.records import Change, Source, WorkspaceId
from storage.schema.tables import EPOCH, MICROSECOND, Moment, subscriptions, workspaces
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


def after_marks(connection: Connection, workspace_id: WorkspaceId, now: datetime) -> datetime:
    """The moment under which what is heard now is kept: after the first complete poll and each subscription, though
    these were written by a clock that was ahead, or has been set back since. Else it would be history for ever."""
    last = select(func.max(subscriptions.c.since)).where(subscriptions.c.workspace_id == workspace_id)
    marks = select(workspaces.c.baseline_at, last.scalar_subquery()).where(workspaces.c.id == workspace_id)
    ahead = [mark for mark in connection.execute(marks).first() or () if mark is not None and mark > now]
    return max(ahead) + MICROSECOND if ahead else now


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


def record(connection: Connection, workspace_id: WorkspaceId, found: Found) -> tuple[int, int]:
    """Keeps what was laid out; gives how many changes are new (or earlier than thought), and how many wait as orphans.

    Afterwards `stage.known` lists the changes whose pieces we know.
    """
    run(connection, LOOK_UP, workspace=workspace_id)
    unknown, unplaced = connection.execute(LEFT_OPEN).one()
    if is_postgresql(connection):
        if unknown:
            connection.execute(NOBODY_ARRIVES, {"workspace": workspace_id})
            run(connection, FORGET_LOOK_UP)
            run(connection, LOOK_UP, workspace=workspace_id)
        if unknown or unplaced:
            # A piece that is being placed by another process: one of the two must see what the other did.
            run(connection, AWAIT_PLACING)
    waiting = run(connection, KEEP_ORPHANS, workspace=workspace_id) if unknown else 0
    recorded = run(connection, KEEP_EXACT, epoch=EPOCH) if found.exact else 0
    recorded += run(connection, KEEP_VAGUE, epoch=EPOCH) if found.vague else 0
    return recorded, waiting


def move(connection: Connection, now: datetime, *, words: bool) -> int:
    """Moves the pieces that the known changes move, lists them in `stage.moves`, and gives how many these are.

    `words`: some changes are told in words that we do not know.
    """
    moved = run(connection, FIND_MOVES, epoch=EPOCH)
    if moved:
        run(connection, MOVE, now=now)
    if words:
        run(connection, KEEP_WORDS, epoch=EPOCH)
    return moved


def widen_dates(connection: Connection, now: datetime, *, recorded: bool, placed: bool) -> None:
    """Keeps when the first and last pieces of each campaign were handed over and delivered, and when it last moved.

    `recorded`: some changes are new. `placed`: the batch may have brought known pieces into a campaign.
    """
    if recorded:
        run(connection, STRETCH, now=now)
    if placed:
        run(connection, STRETCH_BY_HISTORY, now=now)


#: The heights that are compared. A foreign word without a moment is what the platform says of the piece now, and stands
#: above all paperwork; one with a moment is the label of a scan, which tells nothing of where the piece is.
_OF_A_WORD: Final = 2 * max(PAPERWORK) + 1
_HEIGHT: Final = f"CASE WHEN {{0}}status <> 0 THEN 2 * {{0}}status WHEN {{1}} THEN {_OF_A_WORD} ELSE 0 END"


_STANDS: Final = _HEIGHT.format("p.", "p.word <> ''")


_HEARD: Final = _HEIGHT.format("", "word <> '' AND moment_key = :epoch")


_LOOK_UP: Final = f"""
    INSERT INTO stage_known (piece_id, campaign_id, placed, was, was_at,
                             ref, status, moment_key, place, word, occurred_at, recorded_at, source)
    SELECT p.id, p.campaign_id, p.placed, {_STANDS}, p.status_at,
           h.ref, h.status, {{moment_key}}, h.place, h.word, {{occurred_at}}, {{recorded_at}}, h.source
    FROM stage_heard h LEFT JOIN pieces p ON p.workspace_id = :workspace AND p.ref = h.ref"""


_MOMENTS: Final = ("moment_key", "occurred_at", "recorded_at")


LOOK_UP: Final = sql(
    _LOOK_UP.format(**{name: f"h.{name}" for name in _MOMENTS}),
    _LOOK_UP.format(**{name: f"TIMESTAMPTZ 'epoch' + h.{name} * INTERVAL '1 microsecond'" for name in _MOMENTS}),
)


LEFT_OPEN: Final = text("""
    SELECT EXISTS (SELECT 1 FROM stage_known WHERE piece_id IS NULL),
           EXISTS (SELECT 1 FROM stage_known WHERE NOT placed)""")


#: See `arrivals.ARRIVING`.
NOBODY_ARRIVES: Final = text("SELECT pg_advisory_xact_lock(1, CAST(:workspace AS INTEGER))")


FORGET_LOOK_UP: Final = sql("DELETE FROM stage_known")


AWAIT_PLACING: Final = sql("""
    WITH open AS (SELECT p.id, p.campaign_id, p.placed
                  FROM (SELECT DISTINCT ref, piece_id FROM stage_known WHERE NOT placed ORDER BY ref) k
                  JOIN LATERAL (SELECT * FROM pieces p WHERE p.id = k.piece_id FOR UPDATE) p ON true)
    UPDATE stage_known SET placed = open.placed, campaign_id = open.campaign_id
    FROM open WHERE open.id = stage_known.piece_id AND open.placed""")


_CHANGE: Final = "status, moment_key, place, word, occurred_at, recorded_at, source"


_EARLIER: Final = "DO UPDATE SET occurred_at = excluded.occurred_at WHERE excluded.occurred_at < {}.occurred_at"


KEEP_ORPHANS: Final = sql(f"""
    INSERT INTO orphans (workspace_id, ref, {_CHANGE})
    SELECT CAST(:workspace AS INTEGER), ref, {_CHANGE} FROM stage_known WHERE piece_id IS NULL
    ORDER BY ref
    ON CONFLICT (workspace_id, ref, status, moment_key, place, word) {_EARLIER.format("orphans")}""")


#: The key of a change with a moment holds that moment: nothing about it can become earlier.
KEEP_EXACT: Final = sql(
    f"""INSERT INTO changes (piece_id, {_CHANGE})
    SELECT piece_id, {_CHANGE} FROM stage_known WHERE piece_id IS NOT NULL AND moment_key <> :epoch
    ORDER BY piece_id, status, moment_key
    ON CONFLICT DO NOTHING""",
    epoch=Moment,
)


KEEP_VAGUE: Final = sql(
    f"""INSERT INTO changes (piece_id, {_CHANGE})
    SELECT piece_id, {_CHANGE} FROM stage_known WHERE piece_id IS NOT NULL AND moment_key = :epoch
    ORDER BY piece_id, status
    ON CONFLICT (piece_id, status, moment_key, place, word) {_EARLIER.format("changes")}""",
    epoch=Moment,
)


#: `was` may be old news by now, but a piece never goes back: what would not have moved it then will not now.
#: Where it stands is read again under its lock.
FIND_MOVES: Final = sql(
    f"""
    INSERT INTO stage_moves (piece_id, campaign_id, placed, day, cost, was, status, occurred_at, source)
    SELECT p.id, p.campaign_id, p.placed, p.day, coalesce(p.cost, 0), p.status,
           best.status, best.occurred_at, best.source
    FROM (SELECT piece_id, status, height, occurred_at, source,
                 row_number() OVER (PARTITION BY piece_id ORDER BY height DESC, occurred_at) AS place
          FROM (SELECT k.*, {_HEARD} AS height FROM stage_known k) heard
          WHERE piece_id IS NOT NULL
            AND (height > was OR height = was AND (was_at IS NULL OR occurred_at < was_at))
          ORDER BY ref) best
    JOIN LATERAL (SELECT * FROM pieces p WHERE p.id = best.piece_id FOR UPDATE) p ON true
    WHERE best.place = 1
      AND (best.height > {_STANDS}
           OR best.height = {_STANDS} AND (p.status_at IS NULL OR best.occurred_at < p.status_at))
    """,
    epoch=Moment,
)


MOVE: Final = sql(
    """UPDATE pieces SET status = m.status, status_at = m.occurred_at,
        changed_at = CASE WHEN m.status <> m.was OR pieces.changed_at IS NULL THEN :now ELSE pieces.changed_at END
    FROM stage_moves m WHERE pieces.id = m.piece_id""",
    now=Moment,
)


KEEP_WORDS: Final = sql(
    """UPDATE pieces SET word = w.word
    FROM (SELECT piece_id, max(word) AS word FROM stage_known
          WHERE word <> '' AND moment_key = :epoch GROUP BY piece_id) w
    WHERE pieces.id = w.piece_id AND w.word > pieces.word""",
    epoch=Moment,
)


def _stretching(rows: str) -> Sql:
    """Widens the campaigns' spans by these (campaign_id, status, occurred_at), and notes when they last changed."""
    handed, landed = int(Status.HANDED_OVER), int(Status.DELIVERED)
    return sql(
        f"""UPDATE campaigns SET
            handed_over_first = CASE WHEN campaigns.handed_over_first <= s.handed_first
                THEN campaigns.handed_over_first ELSE coalesce(s.handed_first, campaigns.handed_over_first) END,
            handed_over_last = CASE WHEN campaigns.handed_over_last >= s.handed_last
                THEN campaigns.handed_over_last ELSE coalesce(s.handed_last, campaigns.handed_over_last) END,
            delivered_first = CASE WHEN campaigns.delivered_first <= s.landed_first
                THEN campaigns.delivered_first ELSE coalesce(s.landed_first, campaigns.delivered_first) END,
            delivered_last = CASE WHEN campaigns.delivered_last >= s.landed_last
                THEN campaigns.delivered_last ELSE coalesce(s.landed_last, campaigns.delivered_last) END,
            changed_at = CASE WHEN s.moved = 0 OR campaigns.changed_at >= :now THEN campaigns.changed_at ELSE :now END
        FROM (SELECT c.id, span.* FROM (
                SELECT r.campaign_id,
                    min(CASE WHEN r.status = {handed} THEN r.occurred_at END) AS handed_first,
                    max(CASE WHEN r.status = {handed} THEN r.occurred_at END) AS handed_last,
                    min(CASE WHEN r.status = {landed} THEN r.occurred_at END) AS landed_first,
                    max(CASE WHEN r.status = {landed} THEN r.occurred_at END) AS landed_last,
                    max(r.moved) AS moved
                FROM ({rows}) r WHERE r.campaign_id <> 0 GROUP BY r.campaign_id) span
              JOIN campaigns c ON c.id = span.campaign_id ORDER BY c.id FOR UPDATE OF c) s
        WHERE campaigns.id = s.id""",
        now=Moment,
    )


_ENDS: Final = f"({int(Status.HANDED_OVER)}, {int(Status.DELIVERED)})"


STRETCH: Final = _stretching(f"""
    SELECT campaign_id, status, occurred_at, 0 AS moved
    FROM stage_known WHERE piece_id IS NOT NULL AND status IN {_ENDS}
    UNION ALL SELECT campaign_id, {OTHER}, occurred_at, 1 FROM stage_moves WHERE status <> was""")


#: Pieces that came into another campaign bring their history with them, and that moves it.
STRETCH_BY_HISTORY: Final = _stretching(f"""
    SELECT p.campaign_id, c.status, c.occurred_at, 1 AS moved
    FROM stage_met m
    JOIN LATERAL (SELECT * FROM pieces p WHERE p.id = m.piece_id OFFSET 0) p ON true
    JOIN LATERAL (SELECT * FROM changes c WHERE c.piece_id = m.piece_id AND c.status IN {_ENDS} OFFSET 0) c ON true
    WHERE NOT m.arrived AND p.campaign_id <> m.campaign_id""")
