"""Who asked to cancel which piece, and what came of it. The intent is kept before the platform is asked."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select, update

from storage.database import rows_changed, upsert
from storage.records import PieceId, UserId, WorkspaceId
from storage.schema.tables import cancellations


@dataclass(frozen=True)
class Cancellation:
    """A request to cancel a piece; `outcome` is "" while it is under way."""

    piece_id: PieceId
    asked_by: UserId
    asked_at: datetime
    outcome: str
    #: The intent that asked; None where a version before did.
    intent_id: int | None = None


def begin(
    connection: Connection,
    workspace_id: WorkspaceId,
    piece_id: PieceId,
    by: UserId,
    now: datetime,
    retry: tuple[str, ...],
    intent_id: int | None = None,
) -> bool:
    """Notes that the piece is asked for now. False when it was before, unless that ended in one of `retry`, or was
    done for the same intent, whose process may have died before it could ask."""
    row = {
        "workspace_id": workspace_id, "piece_id": piece_id, "asked_by": by, "asked_at": now, "outcome": "",
        "intent_id": intent_id,
    }  # fmt: skip
    if rows_changed(connection, upsert(connection, cancellations).values(**row).on_conflict_do_nothing()):
        return True
    same = and_(cancellations.c.outcome == "", cancellations.c.intent_id == intent_id)
    again = update(cancellations).where(_key(workspace_id, piece_id), or_(cancellations.c.outcome.in_(retry), same))
    values = {"asked_by": by, "asked_at": now, "outcome": "", "ended_at": None, "intent_id": intent_id}
    return rows_changed(connection, again.values(**values)) == 1


def end(
    connection: Connection,
    workspace_id: WorkspaceId,
    piece_id: PieceId,
    outcome: str,
    now: datetime,
    intent_id: int,
) -> None:
    """Keeps what came of it, if this intent asked for it."""
    ended = update(cancellations).where(_key(workspace_id, piece_id), cancellations.c.intent_id == intent_id)
    connection.execute(ended.values(outcome=outcome, ended_at=now))


def adopt(connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId, intent_id: int) -> None:
    """A request that a version before left open belongs to this intent from now on."""
    left = cancellations.c.intent_id.is_(None), cancellations.c.outcome == ""
    connection.execute(update(cancellations).where(_key(workspace_id, piece_id), *left).values(intent_id=intent_id))


def of(connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId) -> Cancellation | None:
    """The last request to cancel this piece, or None."""
    row = connection.execute(select(cancellations).where(_key(workspace_id, piece_id))).first()
    return _cancellation(row) if row else None


def unfinished(connection: Connection, workspace_id: WorkspaceId, before: datetime) -> list[Cancellation]:
    """Requests of a version before, begun before this moment, whose end was never kept: the process died in between."""
    rows = select(cancellations).where(
        cancellations.c.workspace_id == workspace_id,
        cancellations.c.outcome == "",
        cancellations.c.intent_id.is_(None),
        cancellations.c.asked_at < before,
    )
    return [_cancellation(row) for row in connection.execute(rows).all()]


def _cancellation(row: Row[Any]) -> Cancellation:
    return Cancellation(PieceId(row.piece_id), UserId(row.asked_by), row.asked_at, row.outcome, row.intent_id)


def _key(workspace_id: WorkspaceId, piece_id: PieceId) -> ColumnElement[bool]:
    return and_(cancellations.c.workspace_id == workspace_id, cancellations.c.piece_id == piece_id)


class Outcome(StrEnum):
    """What a request to cancel came to. Stored: never rename."""

    CANCELLED = "cancelled"
    TOO_LATE = "too late"
    UNCLEAR = "unclear"
    REFUSED = "refused"
    DOWN = "not reached"
    ALREADY = "already cancelled"
    ASKED_BEFORE = "asked before"
    #: It never showed what was asked for, and nobody looks again.
    UNSETTLED = "still unclear"
