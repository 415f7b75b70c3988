"""What must still be done after the request that asked for it: one row each, leased to one process at a time.

A row is written in the transaction that decided it. Who takes it gets a fencing token, and every later word about it
is taken from the holder of the newest token alone. Leases are compared by the database's clock (`database_time`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, literal, or_, select, tuple_, update

from storage.database import database_time, rows_changed, upsert
from storage.records import PieceId, WorkspaceId
from storage.schema.account_tables import approvals, intent_pieces, intents
from storage.schema.tables import EPOCH, Moment, cancellations
from storage.statuses import Status, status_of
from storage.vault import Vault

#: Who holds one says so well within this time; after it another process may take it over.
LEASE: Final = timedelta(seconds=15)
#: While a message is under way it is as long as a channel's: a process that is paused meanwhile finds nobody else at
#: its work, and what dies just then is told after this.
TELLING: Final = timedelta(minutes=2)
#: Nothing that waits for a person is kept longer: a request for approval has lapsed by then.
HELD: Final = timedelta(hours=25)
#: What has ended is kept so long, for whoever asks what became of it.
KEPT: Final = timedelta(days=7)
#: A process that dies with the same row again and again takes it less and less often, an hour apart in the end.
MOST_DOUBLINGS: Final = 8
#: So many tries in a row that came to nothing, and of which nothing outside was the cause, are enough: half a day.
MOST_TRIES: Final = 16
#: Nothing is put off for longer: what lies further ahead was written before the clock was set back, and is due.
FURTHEST: Final = timedelta(hours=25)
SOME: Final = 500


class Kind(StrEnum):
    """What is to be done. Stored: never rename."""

    #: A button or a form that was acknowledged and is not answered yet.
    ASKED = "asked"
    CANCEL = "cancel"
    DELETE = "delete"
    STEP = "step"
    EXPORT = "export"
    LOG = "log"
    ERASE = "erase"
    REQUEST = "request"
    HELLO = "hello"


@dataclass(frozen=True)
class Intent:
    """One thing to do. `payload` holds ids and choices, nothing about a recipient and no secret; `sealed` what the
    vault sealed, or "". `token` is who holds it; `tries`: how often in a row it was taken before, and nothing came of
    it; `told` how many of its messages were sent."""

    id: int
    workspace_id: WorkspaceId
    kind: Kind
    payload: Mapping[str, Any]
    sealed: str
    made_at: datetime
    token: int
    tries: int
    told: int
    ended: bool


@dataclass(frozen=True)
class PieceRow:
    """A piece of an intent. `outcome` is "" while it is open; `looks`: how often it was looked at since it was asked
    for; `status` is where it stood when last read."""

    piece_id: PieceId
    outcome: str
    status: Status | None
    looks: int


def place(workspace_id: WorkspaceId) -> str:
    """What an intent's secrets are sealed for."""
    return f"{workspace_id}:intent"


def keep(
    connection: Connection,
    workspace_id: WorkspaceId,
    kind: Kind,
    payload: Mapping[str, Any],
    *,
    sealed: str = "",
    piece_ids: Sequence[PieceId] = (),
    held: bool = False,
    looks: int = 0,
    name: str | None = None,
) -> int:
    """Writes an intent, and gives its number. `held`: nothing is done before `release_held`.

    `looks`: how often its pieces were looked at already. `name`: what it is about, where the same may arrive twice;
    then the first stands, and its number is given.
    """
    now = database_time(connection)
    row = {
        "workspace_id": workspace_id, "kind": kind.value, "payload": json.dumps(payload), "sealed": sealed,
        "name": name, "made_at": now, "next_at": None if held else now, "lease_until": EPOCH, "token": 0,
        "tries": 0, "told": 0,
    }  # fmt: skip
    made = connection.scalar(upsert(connection, intents).values(**row).on_conflict_do_nothing().returning(intents.c.id))
    if made is None:
        same = intents.c.workspace_id == workspace_id, intents.c.name == name
        return int(connection.execute(select(intents.c.id).where(*same)).scalar_one())
    rows = [
        {"workspace_id": workspace_id, "intent_id": made, "piece_id": one, "outcome": "", "looks": looks}
        for one in piece_ids
    ]
    if rows:
        connection.execute(intent_pieces.insert(), rows)
    return int(made)


def keep_taken(
    connection: Connection, workspace_id: WorkspaceId, kind: Kind, payload: Mapping[str, Any], sealed: str, name: str
) -> Intent | None:
    """Writes an intent that is leased already to whoever writes it; None where this name was kept before."""
    now = database_time(connection)
    row = {
        "workspace_id": workspace_id, "kind": kind.value, "payload": json.dumps(payload), "sealed": sealed,
        "name": name, "made_at": now, "next_at": now + LEASE, "lease_until": now + LEASE, "token": 1, "tries": 1,
        "told": 0,
    }  # fmt: skip
    made = connection.scalar(upsert(connection, intents).values(**row).on_conflict_do_nothing().returning(intents.c.id))
    if made is None:
        return None
    return Intent(int(made), workspace_id, kind, payload, sealed, now, token=1, tries=0, told=0, ended=False)


def of(connection: Connection, workspace_id: WorkspaceId, intent_id: int) -> Intent | None:
    """The intent with this number; None when there is none here."""
    row = connection.execute(select(intents).where(_mine(workspace_id, intent_id))).first()
    return _intent(row) if row else None


def release_held(
    connection: Connection, workspace_id: WorkspaceId, intent_id: int, payload: Mapping[str, Any], *, ready: bool = True
) -> bool:
    """Whether this decides it: it still waited for a person. From now on it may be worked at (`ready`), or waits on."""
    waiting = intents.c.next_at.is_(None), intents.c.ended_at.is_(None)
    changed: dict[str, Any] = {"payload": json.dumps(payload)}
    if ready:
        changed["next_at"] = database_time(connection)
    deciding = update(intents).where(_mine(workspace_id, intent_id), *waiting).values(**changed)
    return rows_changed(connection, deciding) == 1


def drop_held(connection: Connection, workspace_id: WorkspaceId, intent_id: int, outcome: str) -> bool:
    """Nothing of it is to be done; gives whether it still waited."""
    waiting = intents.c.next_at.is_(None), intents.c.ended_at.is_(None)
    ended = {"ended_at": database_time(connection), "outcome": outcome, "sealed": ""}
    return (
        rows_changed(connection, update(intents).where(_mine(workspace_id, intent_id), *waiting).values(**ended)) == 1
    )


def due(connection: Connection, limit: int) -> list[tuple[WorkspaceId, int]]:
    """The intents of all workspaces that may be taken now, the longest waiting first. Only reads."""
    rows = select(intents.c.workspace_id, intents.c.id).where(_is_due(database_time(connection)))
    found = connection.execute(rows.order_by(intents.c.next_at).limit(limit)).all()
    return [(WorkspaceId(row.workspace_id), row.id) for row in found]


def take(connection: Connection, workspace_id: WorkspaceId, intent_id: int) -> Intent | None:
    """Leases it, with a token of its own; None when it is not due, or another has it."""
    now = database_time(connection)
    row = connection.execute(
        select(intents).where(_mine(workspace_id, intent_id), _is_due(now)).with_for_update(skip_locked=True)
    ).first()
    if row is None:
        return None
    pause = LEASE * 2 ** min(row.tries, MOST_DOUBLINGS)
    taken = {"lease_until": now + LEASE, "token": row.token + 1, "tries": row.tries + 1, "next_at": now + pause}
    connection.execute(update(intents).where(_mine(workspace_id, intent_id)).values(**taken))
    return _intent(row, token=row.token + 1)


def renew(
    connection: Connection, workspace_id: WorkspaceId, intent_id: int, token: int, lease: timedelta | None = None
) -> bool:
    """Whether the holder of this token still holds it; then it does so for this time more, and no less than before.

    An overrun lease that nobody took is still held.
    """
    now = database_time(connection)
    until, furthest = now + (lease or LEASE), now + 2 * TELLING
    # Further ahead than any lease lies what was written before the clock was set back.
    longer = and_(intents.c.lease_until > until, intents.c.lease_until <= furthest)
    further = case((longer, intents.c.lease_until), else_=literal(until, Moment))
    held = update(intents).where(_held(workspace_id, intent_id, token))
    return rows_changed(connection, held.values(lease_until=further)) == 1


def note_told(connection: Connection, workspace_id: WorkspaceId, intent_id: int, token: int, told: int) -> bool:
    """Keeps how many of its messages were sent, and none is under way; False when another holds it by now."""
    noted = {"told": told, "lease_until": database_time(connection) + LEASE}
    return rows_changed(connection, update(intents).where(_held(workspace_id, intent_id, token)).values(**noted)) == 1


def give_back(
    connection: Connection, workspace_id: WorkspaceId, intent_id: int, token: int, delay: timedelta, *, failed: bool
) -> None:
    """It may be taken again after this time. `failed`: something outside was in the way, so that this was no try."""
    given: dict[str, Any] = {"lease_until": EPOCH, "next_at": database_time(connection) + delay}
    given["tries"] = case((intents.c.tries > 0, intents.c.tries - 1), else_=0) if failed else 0
    connection.execute(update(intents).where(_held(workspace_id, intent_id, token)).values(**given))


def put_off(connection: Connection, workspace_id: WorkspaceId, intent_id: int, delay: timedelta) -> None:
    """Nobody can work at it for this time; what is held meanwhile is left alone."""
    now = database_time(connection)
    idle = update(intents).where(_mine(workspace_id, intent_id), _is_due(now))
    connection.execute(idle.values(next_at=now + delay))


def end(connection: Connection, workspace_id: WorkspaceId, intent_id: int, token: int, outcome: str) -> bool:
    """It is done, and its secrets go; False when another holds it by now."""
    ended = {"ended_at": database_time(connection), "outcome": outcome, "sealed": "", "lease_until": EPOCH}
    return rows_changed(connection, update(intents).where(_held(workspace_id, intent_id, token)).values(**ended)) == 1


def is_old(connection: Connection, workspace_id: WorkspaceId, intent_id: int, age: timedelta) -> bool:
    """Whether it was made longer ago than this, by the clock that its moment was written by."""
    made_at = connection.scalar(select(intents.c.made_at).where(_mine(workspace_id, intent_id)))
    return made_at is not None and database_time(connection) - made_at > age


def give_up(connection: Connection, workspace_id: WorkspaceId, intent_id: int, token: int, outcome: str) -> bool:
    """Ends it undone; its open pieces end with this outcome, so that they may be asked for anew and are news again."""
    if not end(connection, workspace_id, intent_id, token, "given up"):
        return False
    for table in (intent_pieces, cancellations):
        of_it = table.c.workspace_id == workspace_id, table.c.intent_id == intent_id, table.c.outcome == ""
        connection.execute(update(table).where(*of_it).values(outcome=outcome))
    return True


def rows_of(connection: Connection, workspace_id: WorkspaceId, intent_id: int) -> list[PieceRow]:
    """Its pieces, in the order of their numbers."""
    mine = intent_pieces.c.workspace_id == workspace_id, intent_pieces.c.intent_id == intent_id
    rows = connection.execute(select(intent_pieces).where(*mine).order_by(intent_pieces.c.piece_id)).all()
    return [
        PieceRow(PieceId(r.piece_id), r.outcome, None if r.status is None else status_of(r.status), r.looks)
        for r in rows
    ]


def note_piece(
    connection: Connection,
    workspace_id: WorkspaceId,
    intent_id: int,
    token: int,
    row: PieceRow,
) -> bool:
    """Keeps what became of one of its pieces; False when another holds it by now."""
    if not renew(connection, workspace_id, intent_id, token):
        return False
    # Something came of it: who dies after this has not tried in vain.
    connection.execute(update(intents).where(_held(workspace_id, intent_id, token)).values(tries=0))
    mine = (
        intent_pieces.c.workspace_id == workspace_id,
        intent_pieces.c.intent_id == intent_id,
        intent_pieces.c.piece_id == row.piece_id,
    )
    status = None if row.status is None else int(row.status)
    known = {"outcome": row.outcome, "status": status, "looks": row.looks}
    connection.execute(update(intent_pieces).where(*mine).values(**known))
    return True


def free_leases(connection: Connection) -> int:
    """Where this is the only process (SQLite), whoever held anything is dead: it may be taken at once."""
    now = database_time(connection)
    left = update(intents).where(intents.c.lease_until > EPOCH, intents.c.ended_at.is_(None))
    return rows_changed(connection, left.values(lease_until=EPOCH, next_at=now))


def forget(connection: Connection) -> int:
    """Drops what ended some days ago, and what waited for a person in vain; gives how many."""
    now = database_time(connection)
    lapsed = and_(intents.c.next_at.is_(None), intents.c.ended_at.is_(None), intents.c.made_at < now - HELD)
    old = select(intents.c.workspace_id, intents.c.id).where((intents.c.ended_at < now - KEPT) | lapsed)
    keys = [tuple(row) for row in connection.execute(old.order_by(intents.c.id).limit(SOME))]
    if keys:
        of_it = tuple_(intent_pieces.c.workspace_id, intent_pieces.c.intent_id).in_(keys)
        connection.execute(delete(intent_pieces).where(of_it))
        asked = tuple_(approvals.c.workspace_id, approvals.c.intent_id).in_(keys)
        connection.execute(update(approvals).where(asked).values(intent_id=None))
        connection.execute(delete(intents).where(tuple_(intents.c.workspace_id, intents.c.id).in_(keys)))
    return len(keys)


def every_sealed(connection: Connection) -> list[tuple[WorkspaceId, str]]:
    """The secrets of all that is still to be done, sealed."""
    rows = select(intents.c.workspace_id, intents.c.sealed).where(intents.c.sealed != "", intents.c.ended_at.is_(None))
    return [(WorkspaceId(row.workspace_id), row.sealed) for row in connection.execute(rows).all()]


def seal_again(connection: Connection, vault: Vault, limit: int = SOME) -> int:
    """Seals with the newest key what an older one sealed, at most `limit`; gives how many. What no key opens stays: it
    ends in words, and stops nothing else."""
    done = 0
    rows = select(intents.c.id, intents.c.workspace_id, intents.c.sealed).where(intents.c.sealed != "")
    for row in connection.execute(rows.order_by(intents.c.id)).all():
        if done == limit:
            break
        at = place(WorkspaceId(row.workspace_id))
        if vault.is_current(row.sealed) or not vault.opens(at, row.sealed):
            continue
        # Compared with what was read: what ended meanwhile has lost its secrets.
        mine = update(intents).where(_mine(WorkspaceId(row.workspace_id), row.id), intents.c.sealed == row.sealed)
        done += rows_changed(connection, mine.values(sealed=vault.seal(at, vault.open(at, row.sealed))))
    return done


def _mine(workspace_id: WorkspaceId, intent_id: int) -> ColumnElement[bool]:
    return and_(intents.c.workspace_id == workspace_id, intents.c.id == intent_id)


def _held(workspace_id: WorkspaceId, intent_id: int, token: int) -> ColumnElement[bool]:
    return and_(_mine(workspace_id, intent_id), intents.c.token == token, intents.c.ended_at.is_(None))


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Of a kind that this version knows; what a later one wrote waits for it."""
    turn = or_(intents.c.next_at <= now, intents.c.next_at > now + FURTHEST)
    free = or_(intents.c.lease_until <= now, intents.c.lease_until > now + 2 * TELLING)
    return and_(intents.c.ended_at.is_(None), turn, free, intents.c.kind.in_([*Kind]))


def _intent(row: Row[Any], token: int | None = None) -> Intent:
    return Intent(
        row.id, WorkspaceId(row.workspace_id), Kind(row.kind), json.loads(row.payload), row.sealed, row.made_at,
        row.token if token is None else token, row.tries, row.told, row.ended_at is not None,
    )  # fmt: skip
