"""The part of the ledger that meets pieces: inserts the new ones, and keeps what is known of the others up to date."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from storage.database import run
from storage.dialects import is_postgresql
from storage.ledger import stage
from storage.ledger.stage import cut_text
from storage.records import NOBODY, Change, Piece, Source, WorkspaceId
from storage.schema.tables import Moment
from storage.statements import load
from storage.statuses import OTHER, status_of

#: What says who it was sent to; state and country alone do not. `blank_erased.sql` names the same.
PERSONAL: Final = ("name", "name_key", "surname_key", "address_key", "company", "address", "city", "postcode")


#: Bytes of what is searched by its beginning; and of kind and format, which together are the key of a count.
LONGEST_KEY, LONGEST_KIND = 1000, 400


#: What a laid out row ends with: when it was heard, whether in detail, and its fingerprints.
BESIDES: Final = 4
#: Where a laid out row says to which campaign it belongs.
CAMPAIGN: Final = 1
PRINTS: Final = 2

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


def upsert_pieces(
    connection: Connection, workspace_id: WorkspaceId, told: Sequence[tuple[datetime, Sequence[Piece]]]
) -> int:
    """Lays the pieces out, inserts those that are new, and merges what was told of the others. They come with the
    moments when they were heard, the earliest first.

    Gives how many are new. Afterwards `stage.met` lists all of them, locked, with how they were counted before.
    """
    merged: dict[str, tuple[Any, ...]] = {}
    for heard_at, described in told:
        for piece in described:
            row = _row(piece, heard_at)
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
        run(connection, MERGE_OFTEN, workspace=workspace_id)
    if known and any(one.recipient or one.campaign_ref is not None for _, described in told for one in described):
        run(connection, BLANK_ERASED, workspace=workspace_id)
        run(connection, MERGE_RARELY, workspace=workspace_id)
    if known and any(one.listed_print or one.placed_print for _, described in told for one in described):
        run(connection, KEEP_PRINTS, workspace=workspace_id)
    return arrived


def _row(piece: Piece, heard_at: datetime) -> tuple[Any, ...]:
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
        heard_at,
        piece.detailed,
        piece.listed_print,
        piece.placed_print,
    )


def _fuller(row: tuple[Any, ...], earlier: tuple[Any, ...]) -> tuple[Any, ...]:
    full = [old if _is_silent(new) else new for new, old in zip(row, earlier, strict=True)]
    if row[CAMPAIGN] is not None:
        # "" says that it belongs to none.
        full[CAMPAIGN] = row[CAMPAIGN]
    if tuple(full[:-BESIDES]) == earlier[:-BESIDES]:
        return tuple(full)
    # Whoever told it otherwise before is read again the next time.
    return *full[:-PRINTS], *row[-PRINTS:]


def _is_silent(said: Any) -> bool:
    return said is None or said is False or said == ""


def _insert(connection: Connection, workspace_id: WorkspaceId) -> int:
    """Two processes may race for the same piece: one wins, and the other does not insert it."""
    if is_postgresql(connection):
        return run(connection, INSERT, workspace=workspace_id)
    top = connection.scalar(TOP)
    arrived = run(connection, INSERT, workspace=workspace_id)
    if arrived:
        run(connection, NOTE_ARRIVALS, top=top)
    return arrived


def waiting_changes(connection: Connection, workspace_id: WorkspaceId) -> list[tuple[datetime, list[Change]]]:
    """Takes out what was heard of the new pieces before they arrived, by the moments when it was heard."""
    taken: dict[datetime, list[Change]] = {}
    taking = TAKE_ORPHANS.on(connection).columns(moment_key=Moment, occurred_at=Moment, recorded_at=Moment)
    for row in connection.execute(taking, {"workspace": workspace_id}).all():
        exact = row.moment_key == row.occurred_at
        change = Change(row.ref, status_of(row.status), row.occurred_at, exact, row.word, row.place, Source(row.source))
        taken.setdefault(row.recorded_at, []).append(change)
    return list(taken.items())


#: Arrivals share this lock, taken before that of any piece; who would keep a change as an orphan takes it alone (see
#: `ledger.changes`). Else one could keep an orphan while another brings its piece, and neither would see the other's.
ARRIVING: Final = text("SELECT pg_advisory_xact_lock_shared(1, CAST(:workspace AS INTEGER))")


TOP: Final = text("SELECT coalesce(max(id), 0) FROM pieces")
#: On PostgreSQL it notes the arrivals as well.
INSERT: Final = load("insert_pieces", {"other": OTHER})
NOTE_ARRIVALS: Final = load("note_arrivals", {"other": OTHER})
MEET_KNOWN: Final = load("meet_known")
MERGE_OFTEN: Final = load("merge_often")
MERGE_RARELY: Final = load("merge_rarely")
BLANK_ERASED: Final = load("blank_erased")
KEEP_PRINTS: Final = load("keep_prints")
TAKE_ORPHANS: Final = load("take_orphans")
