"""Who asked to cancel which piece, and what came of it. The intent is kept before the platform is asked."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, select, update

from storage.database import rows_changed, upsert
from storage.records import PieceId, UserId, WorkspaceId
from storage.tables import cancellations


@dataclass(frozen=True)
class Cancellation:
    """A request to cancel a piece; `outcome` is "" while it is under way."""

    piece_id: PieceId
    asked_by: UserId
    asked_at: datetime
    outcome: str


def begin(
    connection: Connection,
    workspace_id: WorkspaceId,
    piece_id: PieceId,
    by: UserId,
    now: datetime,
    retry: tuple[str, ...],
) -> bool:
    """Notes the intent. False when the piece was asked for before, unless that ended in one of `retry`."""
    row = {"workspace_id": workspace_id, "piece_id": piece_id, "asked_by": by, "asked_at": now, "outcome": ""}
    if rows_changed(connection, upsert(connection, cancellations).values(**row).on_conflict_do_nothing()):
        return True
    again = update(cancellations).where(_key(workspace_id, piece_id), cancellations.c.outcome.in_(retry))
    return rows_changed(connection, again.values(asked_by=by, asked_at=now, outcome="", ended_at=None)) == 1


def end(connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId, outcome: str, now: datetime) -> None:
    """Keeps what came of it."""
    ended = update(cancellations).where(_key(workspace_id, piece_id))
    connection.execute(ended.values(outcome=outcome, ended_at=now))


def of(connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId) -> Cancellation | None:
    """The last request to cancel this piece, or None."""
    row = connection.execute(select(cancellations).where(_key(workspace_id, piece_id))).first()
    return Cancellation(PieceId(row.piece_id), UserId(row.asked_by), row.asked_at, row.outcome) if row else None


def unfinished(connection: Connection, workspace_id: WorkspaceId, before: datetime) -> list[Cancellation]:
    """Requests begun before this moment whose end was never kept: the process died in between."""
    rows = select(cancellations).where(
        cancellations.c.workspace_id == workspace_id, cancellations.c.outcome == "", cancellations.c.asked_at < before
    )
    return [
        Cancellation(PieceId(row.piece_id), UserId(row.asked_by), row.asked_at, row.outcome)
        for row in connection.execute(rows).all()
    ]


def _key(workspace_id: WorkspaceId, piece_id: PieceId) -> ColumnElement[bool]:
    return and_(cancellations.c.workspace_id == workspace_id, cancellations.c.piece_id == piece_id)
