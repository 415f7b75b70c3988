"""The part of the ledger that meets pieces: inserts the new ones, and keeps what is known of the others up to date."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from storage.database import Sql, run, sql
from storage.dialects import is_postgresql
from storage.ledger import stage
from storage.ledger.stage import cut_text
from storage.records import NOBODY, Change, Piece, Source, WorkspaceId
from storage.schema.tables import Moment
from storage.statuses import OTHER, status_of

TEXTS: Final = (
    "kind", "format", "name", "name_key", "surname_key", "address_key",
    "company", "address", "city", "region", "postcode", "country",
)  # fmt: skip


#: What says who it was sent to; state and country alone do not.
PERSONAL: Final = ("name", "name_key", "surname_key", "address_key", "company", "address", "city", "postcode")


#: Bytes of what is searched by its beginning; and of kind and format, which together are the key of a count.
LONGEST_KEY, LONGEST_KIND = 1000, 400


SPACES: Final = re.compile(r"[\s,.]+")


def fold_text(text: str) -> str:
    """The form in which names and addresses are compared: no accents, no case, single spaces."""
    if not text.isascii():
        plain = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in plain if not unicodedata.combining(c))
    return SPACES.sub(" ", text).strip().casefold()


def search_key(text: str) -> str:
    """The folded text as far as it is compared: what is longer would not fit into an index."""
    return cut_text(fold_text(text), LONGEST_KEY)


def upsert_pieces(connection: Connection, workspace_id: WorkspaceId, described: Sequence[Piece], now: datetime) -> int:
    """Lays the pieces out, inserts those that are new, and merges what was told of the others.

    Gives how many are new. Afterwards `stage.met` lists all of them, locked, with how they were counted before.
    """
    merged: dict[str, tuple[Any, ...]] = {}
    for piece in described:
        row = _row(piece, now)
        earlier = merged.get(piece.ref)
        merged[piece.ref] = row if earlier is None else _fuller(row, earlier)
    stage.load(connection, stage.pieces, [merged[ref] for ref in sorted(merged)])
    if is_postgresql(connection):
        connection.execute(ARRIVING, {"workspace": workspace_id})
    known = run(connection, MEET_KNOWN, workspace=workspace_id)
    arrived = _insert(connection, workspace_id) if known < len(merged) else 0
    if known + arrived < len(merged) and is_postgresql(connection):
        # Another process brought some in between.
        known += run(connection, MEET_KNOWN, workspace=workspace_id)
    if known:
        run(connection, MERGE_OFTEN)
    if known and any(piece.recipient or piece.campaign_ref is not None for piece in described):
        run(connection, BLANK_ERASED)
        run(connection, MERGE_RARELY, workspace=workspace_id)
    return arrived


def _row(piece: Piece, now: datetime) -> tuple[Any, ...]:
    who = piece.recipient or NOBODY
    name_key = search_key(who.name)
    first, _, last = name_key.rpartition(" ")
    return (
        piece.ref,
        piece.campaign_ref,
        piece.created_at.date() if piece.created_at else None,
        piece.cost,
        cut_text(piece.kind, LONGEST_KIND),
        cut_text(piece.format, LONGEST_KIND),
        piece.created_at,
        piece.dispatched_at,
        who.name,
        name_key,
        f"{last} {first}".strip(),
        search_key(who.address),
        who.company,
        who.address,
        who.city,
        who.region,
        cut_text(who.postcode, LONGEST_KEY),
        who.country,
        now,
        piece.detailed,
    )


def _fuller(row: tuple[Any, ...], earlier: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(old if new in (None, "", False) else new for new, old in zip(row, earlier, strict=True))


def _insert(connection: Connection, workspace_id: WorkspaceId) -> int:
    """Two processes may race for the same piece: one wins, and the other does not insert it."""
    if is_postgresql(connection):
        return run(connection, INSERT_AND_NOTE, workspace=workspace_id)
    top = connection.scalar(TOP)
    arrived = run(connection, INSERT, workspace=workspace_id)
    if arrived:
        run(connection, NOTE_ARRIVALS, top=top)
    return arrived


def waiting_changes(connection: Connection, workspace_id: WorkspaceId) -> list[tuple[datetime, list[Change]]]:
    """Takes out what was heard of the new pieces before they arrived, by the moments when it was heard."""
    taken: dict[datetime, list[Change]] = {}
    for row in connection.execute(TAKE_ORPHANS, {"workspace": workspace_id}).all():
        exact = row.moment_key == row.occurred_at
        change = Change(row.ref, status_of(row.status), row.occurred_at, exact, row.word, row.place, Source(row.source))
        taken.setdefault(row.recorded_at, []).append(change)
    return list(taken.items())


#: Arrivals share this lock, taken before that of any piece; who would keep a change as an orphan takes it alone (see
#: `movements`). Else one could keep an orphan while another brings its piece, and neither would see the other's.
ARRIVING: Final = text("SELECT pg_advisory_xact_lock_shared(1, CAST(:workspace AS INTEGER))")


_COPIED: Final = ", ".join((*TEXTS, "day", "created_at", "dispatched_at", "facts_at", "cost"))


_FRESH: Final = f"""
    INSERT INTO pieces (workspace_id, ref, campaign_id, placed, status, word, {_COPIED})
    SELECT CAST(:workspace AS INTEGER), s.ref, coalesce(c.id, 0), s.campaign_ref IS NOT NULL, {OTHER}, '',
           {", ".join(f"s.{name}" for name in _COPIED.split(", "))}
    FROM stage_pieces s LEFT JOIN campaigns c ON c.workspace_id = :workspace AND c.ref = s.campaign_ref
    WHERE s.created_at IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM pieces p WHERE p.workspace_id = :workspace AND p.ref = s.ref)
    ORDER BY s.ref
    ON CONFLICT DO NOTHING"""


TOP: Final = text("SELECT coalesce(max(id), 0) FROM pieces")


INSERT: Final = sql(_FRESH)


#: SQLite has one writer, and counts row numbers up: what is above the old top is new.
NOTE_ARRIVALS: Final = sql(f"""
    INSERT INTO stage_met (piece_id, ref, arrived, placed, campaign_id, day, status, cost)
    SELECT id, ref, true, placed, campaign_id, day, {OTHER}, coalesce(cost, 0) FROM pieces WHERE id > :top""")


INSERT_AND_NOTE: Final = sql(f"""
    WITH made AS ({_FRESH} RETURNING id, ref, placed, campaign_id, day, cost)
    INSERT INTO stage_met (piece_id, ref, arrived, placed, campaign_id, day, status, cost)
    SELECT id, ref, true, placed, campaign_id, day, {OTHER}, coalesce(cost, 0) FROM made""")


MEET_KNOWN: Final = sql("""
    INSERT INTO stage_met (piece_id, ref, arrived, placed, campaign_id, day, status, cost)
    SELECT p.id, p.ref, false, p.placed, p.campaign_id, p.day, p.status, coalesce(p.cost, 0)
    FROM (SELECT ref FROM stage_pieces ORDER BY ref) s
    JOIN LATERAL (SELECT * FROM pieces p WHERE p.workspace_id = :workspace AND p.ref = s.ref FOR UPDATE) p ON true
    WHERE NOT EXISTS (SELECT 1 FROM stage_met m WHERE m.piece_id = p.id)""")


TAKE_ORPHANS: Final = text("""
    DELETE FROM orphans WHERE workspace_id = :workspace
      AND ref IN (SELECT m.ref FROM stage_met m WHERE m.arrived
                  AND EXISTS (SELECT 1 FROM orphans o WHERE o.workspace_id = :workspace AND o.ref = m.ref))
    RETURNING ref, status, moment_key, place, word, occurred_at, recorded_at, source""").columns(
    moment_key=Moment, occurred_at=Moment, recorded_at=Moment
)


def _merged(name: str, blank: str) -> str:
    """A newer answer replaces what it names and leaves what it does not; an older one only fills gaps."""
    new, old = (f"nullif({row}.{name}, '')" if blank else f"{row}.{name}" for row in ("s", "pieces"))
    best = f"CASE WHEN s.facts_at >= pieces.facts_at THEN coalesce({new}, {old}) ELSE coalesce({old}, {new}) END"
    return f"coalesce({best}, '')" if blank else best


#: What every call repeats, and what only some tell. The second touches indexes, and SQLite writes each anew that an
#: UPDATE names, also where its value stays.
_OFTEN: Final = {name: _merged(name, "''") for name in ("kind", "format")} | {
    name: _merged(name, "") for name in ("dispatched_at", "cost")
}


_RARELY: Final = {name: _merged(name, "''") for name in TEXTS if name not in _OFTEN} | {
    "campaign_id": """CASE WHEN s.campaign_ref IS NOT NULL AND (s.facts_at >= pieces.facts_at OR NOT pieces.placed)
        THEN coalesce((SELECT c.id FROM campaigns c WHERE c.workspace_id = :workspace AND c.ref = s.campaign_ref), 0)
        ELSE pieces.campaign_id END""",
    "placed": "pieces.placed OR s.campaign_ref IS NOT NULL",
}


def _merging(facts: dict[str, str]) -> Sql:
    """Writes a row only when that changes it: a poll repeats what is known of every piece under way."""
    sets = ", ".join(f"{name} = {value}" for name, value in facts.items())
    differs = " OR ".join(f"pieces.{name} IS DISTINCT FROM ({value})" for name, value in facts.items())
    return sql(f"""
        UPDATE pieces SET {sets},
            facts_at = CASE WHEN s.facts_at >= pieces.facts_at THEN s.facts_at ELSE pieces.facts_at END
        FROM stage_pieces s
        WHERE pieces.id IN (SELECT piece_id FROM stage_met WHERE NOT arrived) AND s.ref = pieces.ref AND ({differs})""")


#: Who a piece was sent to and was dropped stays dropped (see `privacy`), whatever is told again.
BLANK_ERASED: Final = sql(f"""
    UPDATE stage_pieces SET {", ".join(f"{name} = ''" for name in PERSONAL)}
    WHERE ref IN (SELECT p.ref FROM stage_met m JOIN pieces p ON p.id = m.piece_id WHERE p.erased)""")


MERGE_OFTEN: Final = _merging(_OFTEN)


MERGE_RARELY: Final = _merging(_RARELY)
