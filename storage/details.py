"""Which pieces' own timelines should still be fetched, and which of them first."""

from typing import Final

from sqlalchemy import Connection, delete, select

from storage.database import run, sql, upsert
from storage.records import PieceId, Source, WorkspaceId
from storage.schema.tables import due_details
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


NOTE_MOVED: Final = sql(f"""
    INSERT INTO due_details (workspace_id, urgency, piece_id)
    SELECT CAST(:workspace AS INTEGER),
           CASE WHEN NOT placed THEN {UNPLACED} WHEN status = {int(Status.RETURNED)} THEN {RETURNED} ELSE {OTHERS} END,
           piece_id
    FROM stage_moves WHERE status <> was AND source <> {int(Source.IMPORT)}
    ORDER BY piece_id
    ON CONFLICT DO NOTHING""")

NOTE_ARRIVED: Final = sql(f"""
    INSERT INTO due_details (workspace_id, urgency, piece_id)
    SELECT CAST(:workspace AS INTEGER), CASE WHEN m.placed THEN {OTHERS} ELSE {UNPLACED} END, m.piece_id
    FROM stage_met m JOIN stage_pieces s ON s.ref = m.ref WHERE m.arrived AND NOT s.detailed
    ORDER BY m.piece_id
    ON CONFLICT DO NOTHING""")

DONE: Final = sql(f"""
    DELETE FROM due_details WHERE (workspace_id, urgency, piece_id) IN (
        SELECT CAST(:workspace AS INTEGER), u.urgency, m.piece_id
        FROM stage_met m JOIN stage_pieces s ON s.ref = m.ref
        JOIN (SELECT {UNPLACED} AS urgency UNION ALL SELECT {RETURNED} UNION ALL SELECT {OTHERS}
              UNION ALL SELECT {LATER}) u ON true
        WHERE s.detailed)""")
