"""What a channel was not told while its alerts were off, told after all: they were turned off by mistake."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select

from storage import outbox
from storage.ledger import stage
from storage.ledger.changes import TELLING
from storage.records import NO_CAMPAIGN, WorkspaceId
from storage.schema.tables import UNFILLED, campaigns, changes, pieces
from storage.statuses import NOTABLE


def since(connection: Connection, workspace_id: WorkspaceId, at: datetime) -> list[dict[str, Any]]:
    """The changes worth telling that came in after this moment, by their keys. Reads the pieces of all campaigns that
    moved since: not to be done where a transaction that writes would wait for it.
    """
    moved = select(campaigns.c.id).where(campaigns.c.workspace_id == workspace_id, campaigns.c.changed_at >= at)
    rows = (
        select(changes.c.piece_id, changes.c.status, changes.c.moment_key, changes.c.place, changes.c.word)
        .join(pieces, pieces.c.id == changes.c.piece_id)
        .where(
            pieces.c.workspace_id == workspace_id,
            changes.c.workspace_id.in_((UNFILLED, workspace_id)),
            or_(pieces.c.campaign_id == NO_CAMPAIGN, pieces.c.campaign_id.in_(moved)),
            pieces.c.changed_at >= at,
            changes.c.recorded_at > at,
            changes.c.status.in_([int(status) for status in NOTABLE]),
            changes.c.source.in_([int(source) for source in TELLING]),
        )
    )
    return [dict(row) for row in connection.execute(rows).mappings()]


def tell(connection: Connection, workspace_id: WorkspaceId, found: Sequence[dict[str, Any]]) -> None:
    """Writes what the channels that are subscribed now are to be told of these. What they were told adds nothing."""
    if not found:
        return
    stage.begin(connection)
    connection.execute(insert(stage.known), found)
    outbox.enqueue(connection, workspace_id, news=True, placed=False)
