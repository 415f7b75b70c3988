"""What only a person can mend: from when on it lasts, until when it can be mended, and whether anybody was told."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, delete, select, update

from storage.database import upsert
from storage.records import WorkspaceId
from storage.schema.account_tables import troubles


class Kind(StrEnum):
    """What is wrong. Stored: never renamed."""

    #: The mail platform no longer accepts the account's key.
    KEY = "key"
    #: Slack does not renew the bot's token.
    TOKEN = "token"  # noqa: S105 - a word


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. Moments are aware UTC; `until` is None where nothing ends."""

    kind: Kind
    since: datetime
    until: datetime | None = None
    told_at: datetime | None = None


def begin(
    connection: Connection, workspace_id: WorkspaceId, kind: Kind, now: datetime, until: datetime | None = None
) -> None:
    """It is wrong from now on, unless it was already."""
    row = {"workspace_id": workspace_id, "kind": kind.value, "since": now, "until": until}
    connection.execute(upsert(connection, troubles).values(**row).on_conflict_do_nothing())


def end(connection: Connection, workspace_id: WorkspaceId, kind: Kind) -> None:
    """It is mended, and would be news again."""
    mine = troubles.c.workspace_id == workspace_id, troubles.c.kind == kind.value
    connection.execute(delete(troubles).where(*mine))


def told(connection: Connection, workspace_id: WorkspaceId, kind: Kind, now: datetime) -> None:
    """Somebody was told."""
    mine = troubles.c.workspace_id == workspace_id, troubles.c.kind == kind.value
    connection.execute(update(troubles).where(*mine).values(told_at=now))


def of(connection: Connection, workspace_id: WorkspaceId) -> list[Problem]:
    """All that is wrong in this workspace, the longest lasting first."""
    rows = select(troubles).where(troubles.c.workspace_id == workspace_id).order_by(troubles.c.since)
    return [Problem(Kind(row.kind), row.since, row.until, row.told_at) for row in connection.execute(rows).all()]
