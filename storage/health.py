"""How it stands with the work that waits: read when somebody looks at the metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, case, func, select

from storage.outbox import MUTED_AT_MOST
from storage.schema.tables import channels, outbox, workspaces

NONE: Final = timedelta(0)


@dataclass(frozen=True)
class Health:
    """What waits. `age`: of the oldest row whose channel is neither muted nor quiet; `lag`: of the oldest reading."""

    depth: int
    age: timedelta
    lag: timedelta
    workspaces: Mapping[str, int]


def look(connection: Connection, now: datetime) -> Health:
    """Counts what waits in the outbox, and how long the accounts were not read. Costs what waits, not what was told."""
    waiting = outbox.c.sent_at.is_(None)
    depth = connection.scalar(select(func.count()).select_from(outbox).where(waiting)) or 0
    here = (channels.c.workspace_id == outbox.c.workspace_id) & (channels.c.channel == outbox.c.channel)
    muted = func.coalesce(channels.c.muted_until, now)
    free = (muted <= now) | (muted > now + MUTED_AT_MOST)
    free &= func.coalesce(channels.c.hush_until, now) <= now
    oldest = connection.scalar(select(func.min(outbox.c.created_at)).join(channels, here).where(waiting, free))
    row: Row[Any] = connection.execute(
        select(
            func.min(func.coalesce(workspaces.c.polled_at, workspaces.c.connected_at))
            .filter(workspaces.c.connected_at.is_not(None), workspaces.c.removed_at.is_(None))
            .label("polled"),
            func.count(case((workspaces.c.removed_at.is_not(None), 1))).label("removed"),
            func.count(case(((workspaces.c.connected_at.is_not(None)) & workspaces.c.removed_at.is_(None), 1))).label(
                "connected"
            ),
            func.count().label("every"),
        )
    ).one()
    states = {
        "removed": row.removed, "connected": row.connected, "unconnected": row.every - row.removed - row.connected,
    }  # fmt: skip
    return Health(
        depth,
        now - oldest if oldest else NONE,
        now - row.polled if row.polled else NONE,
        states,
    )
