"""The ledger: merges what was heard about campaigns and pieces into rows, tallies and the outbox, in one transaction.

The end state is a function of the *set* of changes: their order, repetition and grouping do not matter. That is
why every step below recomputes from the history of the touched pieces, instead of comparing old with new.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Table,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    union_all,
    update,
)

from storage import outbox, stage
from storage.database import rows_changed, upsert
from storage.records import Batch, Campaign, Change, Piece, Recipient, WorkspaceId
from storage.statuses import OTHER, Status
from storage.tables import EPOCH, Moment, campaigns, changes, orphans, pieces, tallies, tally_deltas

PLAIN_FACTS: Final = (
    "kind", "format", "name", "name_key", "surname_key", "address_key",
    "company", "address", "city", "region", "postcode", "country",
)  # fmt: skip
CHANGE_KEYS = ("status", "moment_key", "place", "word")
CHANGE_COLUMNS = (*CHANGE_KEYS, "occurred_at", "recorded_at", "source")


@dataclass(frozen=True)
class Applied:
    """What a batch came to: pieces met for the first time, changes kept, and changes of pieces still unknown."""

    arrived: int = 0
    recorded: int = 0
    orphaned: int = 0


def fold_text(text: str) -> str:
    """The form in which names and addresses are compared: no accents, no case, single spaces."""
    plain = unicodedata.normalize("NFKD", text)
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    return re.sub(r"[\s,.]+", " ", letters).strip().casefold()


def apply(connection: Connection, workspace_id: WorkspaceId, batch: Batch, now: datetime) -> Applied:
    """Merges a batch, in the caller's transaction. `now` is when it was heard (aware, UTC).

    Applying it twice, or in another order with others, ends in the same rows, tallies and outbox.
    """
    _merge_campaigns(connection, workspace_id, batch)
    if not batch.pieces and not batch.changes:
        return Applied()
    stage.clear(connection)
    _stage_pieces(connection, batch.pieces, now)
    _stage_changes(connection, batch.changes, now)
    arrived = _insert_arrivals(connection, workspace_id)
    _replay_orphans(connection, workspace_id)
    _touch(connection, workspace_id)
    _merge_facts(connection, workspace_id)
    recorded = _record_changes(connection, workspace_id)
    orphaned = _keep_orphans(connection, workspace_id)
    _advance(connection, now)
    _write_deltas(connection, workspace_id)
    _stretch_campaigns(connection, workspace_id)
    outbox.enqueue(connection, workspace_id, select(stage.touched.c.piece_id), now)
    return Applied(arrived, recorded, orphaned)


def fold_tallies(connection: Connection) -> int:
    """Adds the deltas into the tallies and removes them; gives how many there were."""
    newest = connection.scalar(select(func.max(tally_deltas.c.id)))
    if newest is None:
        return 0
    keys = [tally_deltas.c[name] for name in ("workspace_id", "campaign_id", "day", "status")]
    sums = select(*keys, func.sum(tally_deltas.c.pieces), func.sum(_units(tally_deltas.c.cost)))
    sums = sums.where(tally_deltas.c.id <= newest).group_by(*keys).order_by(*keys)
    adding = upsert(connection, tallies).from_select([c.name for c in tallies.c], sums)
    new = adding.excluded
    connection.execute(
        adding.on_conflict_do_update(
            index_elements=list(tallies.primary_key.columns),
            set_={"pieces": tallies.c.pieces + new.pieces, "cost": _units(tallies.c.cost) + _units(new.cost)},
        )
    )
    return rows_changed(connection, delete(tally_deltas).where(tally_deltas.c.id <= newest))


def _units(column: ColumnElement[Any]) -> ColumnElement[int]:
    """An amount as the whole number it is stored as, for arithmetic inside SQL."""
    return type_coerce(column, BigInteger)


def _merge_campaigns(connection: Connection, workspace_id: WorkspaceId, batch: Batch) -> None:
    known = {campaign.ref: campaign for campaign in batch.campaigns}
    named = {piece.campaign_ref for piece in batch.pieces if piece.campaign_ref}
    if named - known.keys():
        _insert_stubs(connection, workspace_id, named - known.keys())
    if not known:
        return
    statement = upsert(connection, campaigns)
    new = statement.excluded
    keep = {name: func.coalesce(new[name], campaigns.c[name]) for name in ("created_at", "send_on", "recipients")}
    statement = statement.on_conflict_do_update(
        index_elements=[campaigns.c.workspace_id, campaigns.c.ref],
        set_=keep
        | {name: new[name] for name in ("name", "status", "kind", "updated_at")}
        | {"cost": func.coalesce(_units(new.cost), _units(campaigns.c.cost))},
    )
    connection.execute(statement, [_campaign_row(workspace_id, known[ref]) for ref in sorted(known)])


def _insert_stubs(connection: Connection, workspace_id: WorkspaceId, refs: Iterable[str]) -> None:
    rows = [_campaign_row(workspace_id, Campaign(ref=ref, name=f"Campaign {ref}")) for ref in sorted(refs)]
    connection.execute(upsert(connection, campaigns).on_conflict_do_nothing(), rows)


def _campaign_row(workspace_id: WorkspaceId, campaign: Campaign) -> dict[str, Any]:
    row = {name: getattr(campaign, name) for name in ("ref", "name", "status", "kind", "recipients", "cost")}
    moments = {name: getattr(campaign, name) for name in ("created_at", "updated_at", "send_on")}
    return {"workspace_id": workspace_id} | row | moments


def _stage_pieces(connection: Connection, staged: Sequence[Piece], now: datetime) -> None:
    merged: dict[str, dict[str, Any]] = {}
    for piece in staged:
        row = _piece_row(piece, now)
        earlier = merged.get(piece.ref, {})
        merged[piece.ref] = row | {name: value for name, value in earlier.items() if row[name] in (None, "", False)}
    if merged:
        connection.execute(insert(stage.pieces), list(merged.values()))


def _piece_row(piece: Piece, now: datetime) -> dict[str, Any]:
    who = piece.recipient or Recipient()
    name_key = fold_text(who.name)
    first, _, last = name_key.rpartition(" ")
    return {
        "ref": piece.ref,
        "campaign_ref": piece.campaign_ref,
        "day": piece.created_at.date() if piece.created_at else None,
        "cost": piece.cost,
        "kind": piece.kind,
        "format": piece.format,
        "created_at": piece.created_at,
        "dispatched_at": piece.dispatched_at,
        "name": who.name,
        "name_key": name_key,
        "surname_key": f"{last} {first}".strip(),
        "address_key": fold_text(who.address),
        "company": who.company,
        "address": who.address,
        "city": who.city,
        "region": who.region,
        "postcode": who.postcode,
        "country": who.country,
        "facts_at": now,
        "detailed": piece.detailed,
    }


def _stage_changes(connection: Connection, heard: Sequence[Change], now: datetime) -> None:
    earliest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for change in heard:
        row = _change_row(change, now)
        key = (row["ref"], *(row[name] for name in CHANGE_KEYS))
        kept = earliest.get(key)
        if kept is None or row["occurred_at"] < kept["occurred_at"]:
            earliest[key] = row
    if earliest:
        connection.execute(insert(stage.changes), list(earliest.values()))


def _change_row(change: Change, now: datetime) -> dict[str, Any]:
    return {
        "ref": change.piece_ref,
        "status": OTHER if change.status is None else int(change.status),
        "moment_key": change.occurred_at if change.exact else EPOCH,
        "place": change.place,
        # A known status needs no word: two spellings of one scan are one scan.
        "word": change.word if change.status is None else "",
        "occurred_at": change.occurred_at,
        "recorded_at": now,
        "source": int(change.source),
    }


def _insert_arrivals(connection: Connection, workspace_id: WorkspaceId) -> int:
    """Inserts pieces not met before, and notes which: two processes may race for the same piece, one wins."""
    staged = stage.pieces.c
    fields: dict[str, ColumnElement[Any]] = {
        name: staged[name] for name in (*PLAIN_FACTS, "ref", "day", "created_at", "dispatched_at", "facts_at")
    }
    fields |= {
        "workspace_id": literal(int(workspace_id)),
        "cost": _units(staged.cost),
        "campaign_id": func.coalesce(campaigns.c.id, 0),
        "placed": staged.campaign_ref.is_not(None),
        "status": literal(OTHER),
        "word": literal(""),
        "detail_due": ~staged.detailed,
    }
    source = select(*(column.label(name) for name, column in fields.items()))
    source = source.select_from(stage.pieces.outerjoin(campaigns, _same_campaign(workspace_id)))
    source = source.where(staged.created_at.is_not(None), ~_piece_exists(workspace_id, staged.ref)).order_by(staged.ref)
    adding = upsert(connection, pieces).from_select(list(fields), source).on_conflict_do_nothing()
    ids = connection.scalars(adding.returning(pieces.c.id)).all()
    if ids:
        connection.execute(insert(stage.arrived), [{"piece_id": key} for key in ids])
    return len(ids)


def _same_campaign(workspace_id: WorkspaceId) -> ColumnElement[bool]:
    return and_(campaigns.c.workspace_id == workspace_id, campaigns.c.ref == stage.pieces.c.campaign_ref)


def _piece_exists(workspace_id: WorkspaceId, ref: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(pieces.c.workspace_id == workspace_id, pieces.c.ref == ref)


def _replay_orphans(connection: Connection, workspace_id: WorkspaceId) -> None:
    """Lays out again what was heard of pieces before they arrived."""
    met = and_(orphans.c.workspace_id == workspace_id, orphans.c.ref.in_(select(stage.pieces.c.ref)))
    columns = ("ref", *CHANGE_COLUMNS)
    waiting = select(*(orphans.c[name] for name in columns)).where(met)
    _insert_earliest(connection, stage.changes, columns, waiting)
    connection.execute(delete(orphans).where(met))


def _touch(connection: Connection, workspace_id: WorkspaceId) -> None:
    """Locks the pieces that the batch speaks of, in one order for everyone, and notes how they are counted now."""
    refs = union_all(select(stage.pieces.c.ref), select(stage.changes.c.ref)).subquery()
    locked = select(pieces.c.id).where(pieces.c.workspace_id == workspace_id, pieces.c.ref.in_(select(refs.c.ref)))
    ids = connection.scalars(locked.order_by(pieces.c.id).with_for_update()).all()
    if not ids:
        return
    connection.execute(insert(stage.touched), [{"piece_id": key} for key in ids])
    before = select(pieces.c.id, *_cell()).where(_is_touched(pieces.c.id))
    before = before.where(pieces.c.id.not_in(select(stage.arrived.c.piece_id)))
    connection.execute(insert(stage.counted).from_select([c.name for c in stage.counted.c], before))


def _cell() -> tuple[ColumnElement[Any], ...]:
    """Where a piece is counted, and with what cost (in ten-thousandths)."""
    return pieces.c.campaign_id, pieces.c.day, pieces.c.status, func.coalesce(_units(pieces.c.cost), 0)


def _is_touched(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return column.in_(select(stage.touched.c.piece_id))


def _merge_facts(connection: Connection, workspace_id: WorkspaceId) -> None:
    """A newer answer replaces what it names and leaves what it does not; an older one only fills gaps."""
    new, old = stage.pieces.c, pieces.c
    newer = new.facts_at >= old.facts_at
    values: dict[str, Any] = {name: _prefer(newer, func.nullif(new[name], ""), old[name], "") for name in PLAIN_FACTS}
    values["dispatched_at"] = _prefer(newer, new.dispatched_at, old.dispatched_at, None)
    values["cost"] = _prefer(newer, _units(new.cost), _units(old.cost), None)
    placed = select(campaigns.c.id).where(_same_campaign(workspace_id)).scalar_subquery()
    replaces = and_(new.campaign_ref.is_not(None), or_(newer, ~old.placed))
    values["campaign_id"] = case((replaces, func.coalesce(placed, 0)), else_=old.campaign_id)
    values["placed"] = or_(old.placed, new.campaign_ref.is_not(None))
    values["detail_due"] = and_(old.detail_due, ~new.detailed)
    values["facts_at"] = case((newer, new.facts_at), else_=old.facts_at)
    same = and_(old.workspace_id == workspace_id, old.ref == new.ref)
    connection.execute(update(pieces).where(same, _is_touched(old.id)).values(values))


def _prefer(
    newer: ColumnElement[bool], new: ColumnElement[Any], old: ColumnElement[Any], blank: str | None
) -> ColumnElement[Any]:
    kept = func.nullif(old, "") if blank == "" else old
    best = case((newer, func.coalesce(new, kept)), else_=func.coalesce(kept, new))
    return func.coalesce(best, "") if blank == "" else best


def _staged_with_ids(workspace_id: WorkspaceId) -> FromClause:
    same = and_(pieces.c.workspace_id == workspace_id, pieces.c.ref == stage.changes.c.ref)
    return stage.changes.join(pieces, same)


def _record_changes(connection: Connection, workspace_id: WorkspaceId) -> int:
    """Appends to the history. A moment that the platform did not give keeps the earliest time we heard of it."""
    heard = select(pieces.c.id, *(stage.changes.c[name] for name in CHANGE_COLUMNS))
    heard = heard.select_from(_staged_with_ids(workspace_id)).where(literal(1) == 1).order_by(pieces.c.id)
    return _insert_earliest(connection, changes, ("piece_id", *CHANGE_COLUMNS), heard)


def _insert_earliest(connection: Connection, table: Table, columns: Sequence[str], source: Select[Any]) -> int:
    """Inserts what is new; of what is there already, keeps the earliest moment. Gives how many rows that changed."""
    adding = upsert(connection, table).from_select(list(columns), source)
    adding = adding.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={"occurred_at": adding.excluded.occurred_at},
        where=adding.excluded.occurred_at < table.c.occurred_at,
    )
    return rows_changed(connection, adding)


def _keep_orphans(connection: Connection, workspace_id: WorkspaceId) -> int:
    columns = ("ref", *CHANGE_COLUMNS)
    lost = select(literal(int(workspace_id)), *(stage.changes.c[name] for name in columns))
    lost = lost.where(~_piece_exists(workspace_id, stage.changes.c.ref))
    return _insert_earliest(connection, orphans, ("workspace_id", *columns), lost)


def _advance(connection: Connection, now: datetime) -> None:
    """Gives each touched piece the highest status in its history, and the earliest moment of that status."""
    top = select(changes.c.piece_id, func.max(changes.c.status).label("status"), func.max(changes.c.word).label("word"))
    top = top.where(_is_touched(changes.c.piece_id)).group_by(changes.c.piece_id)
    best = top.subquery("best")
    first = select(best.c.piece_id, best.c.status, best.c.word, func.min(changes.c.occurred_at).label("moment"))
    first = first.join(changes, and_(changes.c.piece_id == best.c.piece_id, changes.c.status == best.c.status))
    new = first.group_by(best.c.piece_id, best.c.status, best.c.word).subquery("new")
    risen = pieces.c.status != new.c.status
    fresh = pieces.c.id.in_(_detailed_now())
    moved = or_(risen, pieces.c.status_at.is_distinct_from(new.c.moment), pieces.c.word != new.c.word)
    connection.execute(
        update(pieces)
        .where(pieces.c.id == new.c.piece_id, moved)
        .values(
            status=new.c.status,
            status_at=new.c.moment,
            word=new.c.word,
            changed_at=case(
                (or_(risen, pieces.c.changed_at.is_(None)), literal(now, Moment())), else_=pieces.c.changed_at
            ),
            detail_due=case((fresh, False), (risen, True), else_=pieces.c.detail_due),
        )
    )


def _detailed_now() -> Select[Any]:
    return select(pieces.c.id).join(stage.pieces, stage.pieces.c.ref == pieces.c.ref).where(stage.pieces.c.detailed)


def _write_deltas(connection: Connection, workspace_id: WorkspaceId) -> None:
    """Moves the touched pieces from where they were counted to where they belong now."""
    old = stage.counted.c
    out = select(old.campaign_id, old.day, old.status, literal(-1).label("n"), (-old.cost).label("cost"))
    campaign_id, day, status, cost = _cell()
    back = select(campaign_id, day, status, literal(1), cost).where(_is_touched(pieces.c.id))
    moves = union_all(out, back).subquery("moves")
    keys = (moves.c.campaign_id, moves.c.day, moves.c.status)
    n, amount = func.sum(moves.c.n), func.sum(moves.c.cost)
    net = select(literal(int(workspace_id)), *keys, n, amount).group_by(*keys).having(or_(n != 0, amount != 0))
    columns = [column.name for column in tally_deltas.c if column.name != "id"]
    connection.execute(insert(tally_deltas).from_select(columns, net))


def _stretch_campaigns(connection: Connection, workspace_id: WorkspaceId) -> None:
    """Keeps for each campaign when its first and last pieces were handed over and delivered."""
    heard = changes.c.occurred_at
    handed, landed = (
        case((changes.c.status == int(status), heard)) for status in (Status.HANDED_OVER, Status.DELIVERED)
    )
    spans = select(
        pieces.c.campaign_id,
        func.min(handed).label("handed_over_first"),
        func.max(handed).label("handed_over_last"),
        func.min(landed).label("delivered_first"),
        func.max(landed).label("delivered_last"),
        func.max(pieces.c.changed_at).label("changed_at"),
    ).join(changes, changes.c.piece_id == pieces.c.id)
    spans = spans.where(_is_touched(pieces.c.id), pieces.c.campaign_id != 0).group_by(pieces.c.campaign_id)
    span = spans.subquery("span")
    firsts = {name: _widen(campaigns.c[name], span.c[name], later=False) for name in _named("first")}
    lasts = {name: _widen(campaigns.c[name], span.c[name], later=True) for name in (*_named("last"), "changed_at")}
    same = and_(campaigns.c.workspace_id == workspace_id, campaigns.c.id == span.c.campaign_id)
    connection.execute(update(campaigns).where(same).values(firsts | lasts))


def _named(end: str) -> tuple[str, str]:
    return f"handed_over_{end}", f"delivered_{end}"


def _widen(old: ColumnElement[Any], new: ColumnElement[Any], *, later: bool) -> ColumnElement[Any]:
    beyond = new > old if later else new < old
    return case((old.is_(None), new), (beyond, new), else_=old)
