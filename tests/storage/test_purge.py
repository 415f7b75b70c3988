"""What a workspace that left leaves behind: nothing, in any table there is or ever will be."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Date, LargeBinary, Text, func, insert, select

from storage import secrets as sealed_secrets
from storage.database import Database
from storage.records import WorkspaceId
from storage.schema import revision  # noqa: F401 - all tables are known then
from storage.schema.tables import Amount, Moment, changes, leases, metadata, pieces, workspaces

NOW = datetime(2026, 11, 2, 14, tzinfo=UTC)
#: What has no workspace, and why nothing of one stays in it.
SHARED = {
    "workspaces": "the row itself goes", "leases": "they are named by it",
    "seen": "ids of Slack's deliveries, for an hour", "install_states": "browsers, for ten minutes",
    "schema_versions": "the schema",
}  # fmt: skip


def a_value(column: Column[Any], workspace_id: int, number: int) -> Any:
    """Something of this column's type, of its own for each row."""
    if column.name == "workspace_id":
        return workspace_id
    made: dict[type, Any] = {
        Boolean: False, Moment: NOW, Amount: Decimal(number), Date: date(2026, 11, 2),
        LargeBinary: b"{}", Text: f"{workspace_id}-{number}",
    }  # fmt: skip
    kind = type(column.type)
    return made.get(kind, made[Text] if issubclass(kind, Text) else 100 * workspace_id + number)


def furnish(connection: Connection, workspace_id: int) -> None:
    """A workspace with three rows in every table."""
    for table in metadata.sorted_tables:
        if "workspace_id" not in table.c or table is changes:
            continue
        for number in range(3):
            row = {c.key: a_value(c, workspace_id, number) for c in table.c}
            connection.execute(insert(table).values(**row))
    for piece_id in connection.scalars(select(pieces.c.id).where(pieces.c.workspace_id == workspace_id)).all():
        row = {c.key: a_value(c, workspace_id, 1) for c in changes.c} | {"piece_id": piece_id}
        connection.execute(insert(changes).values(**row))
    left = {"removed_at": NOW, "purge_at": NOW}
    named = {"id": workspace_id, "team_id": f"T{workspace_id}", "name": "Acme", "currency": "USD"}
    connection.execute(insert(workspaces).values(**named, **(left if workspace_id == 1 else {})))
    lease = {"name": f"poll:{workspace_id}", "next_at": NOW, "owner": "a", "token": 1}
    connection.execute(insert(leases).values(**lease))


def rows_of(connection: Connection) -> dict[str, int]:
    """How many rows each table holds."""
    return {
        table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in metadata.sorted_tables
    }


def test_a_purge_leaves_no_row_in_any_table(database: Database) -> None:
    without = {table.name for table in metadata.sorted_tables if "workspace_id" not in table.c}
    assert without <= SHARED.keys(), "say here how a purge reaches it"
    before = database.read(rows_of)
    database.write(furnish, 1)
    database.write(furnish, 2)
    while database.write(sealed_secrets.purge_some, WorkspaceId(1), NOW + timedelta(days=1), 2):
        pass
    after = database.read(rows_of)
    half = {name: (3, 1)["workspace_id" not in metadata.tables[name].c] for name in after}
    half |= {"changes": 3}
    left = {name: number - before[name] for name, number in after.items() if number != before[name]}
    assert left == {name: half[name] for name in left}
    assert {name for name in left if "workspace_id" in metadata.tables[name].c} == {
        table.name for table in metadata.sorted_tables if "workspace_id" in table.c
    }, "the other workspace lost something"
