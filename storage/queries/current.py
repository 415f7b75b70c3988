"""What is current: campaigns that still move or wait for their mailing date, and what was ordered lately."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Date

from storage.records import CampaignId, WorkspaceId
from storage.schema.tables import Moment
from storage.statements import load
from storage.statuses import FINAL, OTHER, UNDER_WAY, Status

#: Ordered within so many days is current, whatever became of it.
LATELY: Final = timedelta(days=30)
#: 1–4% of letters never get a final scan: a campaign of which nothing was heard for so long no longer moves.
SILENT: Final = timedelta(days=45)
OPEN: Final = [OTHER, *(int(one) for one in Status if one not in FINAL)]
CURRENT: Final = load(
    "current", {"open": OPEN, "under_way": [int(one) for one in UNDER_WAY]}, since=Date, today=Date, heard=Moment
)


def current_campaigns(connection: Connection, workspace_id: WorkspaceId, today: date) -> list[CampaignId]:
    """What moves first, then what waits for its day, then what is complete; each the most recently changed first."""
    values: dict[str, Any] = {
        "workspace": workspace_id, "today": today, "since": today - LATELY,
        "heard": datetime.combine(today - SILENT, time(), UTC),
    }  # fmt: skip
    return [CampaignId(key) for key in connection.scalars(CURRENT.on(connection), values)]
