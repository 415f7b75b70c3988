"""Which pieces' own timelines should still be fetched, and which of them first."""

from typing import Final

from sqlalchemy import Connection, delete, select

from storage.database import run, upsert
from storage.records import PieceId, Source, WorkspaceId
from storage.schema.tables import due_details
from storage.statements import load
from storage.statuses import Status

#: First the pieces that belong nowhere yet, then those that came back, then the others, then what was refused before.
UNPLACED, RETURNED, OTHERS, LATER = 0, 1, 2, 3


def note(
    connection: Connection,
    workspace_id: WorkspaceId,
    *,
    moved: bool = True,
    arrived: bool = True,
    detailed: bool = True,
) -> None:
    """Notes the pieces that this batch moved or brought, unless it brought their timelines, too.

    What is False is known to have nothing: no piece moved, none arrived, none came with its timeline.
    """
    for statement, wanted in ((NOTE_MOVED, moved), (NOTE_ARRIVED, arrived), (DONE, detailed)):
        if wanted:
            run(connection, statement, workspace=workspace_id)


def due(connection: Connection, workspace_id: WorkspaceId, limit: int) -> list[PieceId]:
    """The most urgent, and of those the newest first."""
    rows = select(due_details.c.piece_id).where(due_details.c.workspace_id == workspace_id)
    rows = rows.order_by(due_details.c.urgency, due_details.c.piece_id.desc()).limit(limit)
    return list(dict.fromkeys(PieceId(key) for key in connection.scalars(rows)))


def drop(connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId) -> None:
    """The platform has nothing (more) to say about this piece."""
    mine = due_details.c.workspace_id == workspace_id, due_details.c.piece_id == piece_id
    connection.execute(delete(due_details).where(*mine, due_details.c.urgency.in_((UNPLACED, RETURNED, OTHERS, LATER))))


def postpone(connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId) -> None:
    """The platform did not tell: the others come first."""
    drop(connection, workspace_id, piece_id)
    row = {"workspace_id": workspace_id, "urgency": LATER, "piece_id": piece_id}
    connection.execute(upsert(connection, due_details).values(**row).on_conflict_do_nothing())


_URGENCIES: Final = {"unplaced": UNPLACED, "returned": RETURNED, "others": OTHERS, "later": LATER}
_MOVED: Final = {"back": int(Status.RETURNED), "imported": int(Source.IMPORT)}
NOTE_MOVED: Final = load("note_moved", _URGENCIES | _MOVED)
NOTE_ARRIVED: Final = load("note_arrived", _URGENCIES)
DONE: Final = load("note_detailed", _URGENCIES)
