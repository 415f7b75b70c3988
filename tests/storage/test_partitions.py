"""A database that is divided by workspace: the same program, and each of its statements looks into one partition."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, inspect
from typer.testing import CliRunner

from bot.__main__ import app
from storage import workspaces
from storage.database import Database, open_database
from storage.ledger import apply as ledger
from storage.ledger import tallies as tally
from storage.queries import mail
from storage.records import NO_CAMPAIGN, ChannelId, NotifyOn, PieceId, UserId, WorkspaceId
from storage.schema import partitions, revision
from storage.schema.partitions import NotSpreadableError
from storage.statuses import Status
from tests.builders import a_batch, a_campaign, a_change, a_piece
from tests.conftest import PARTITIONS
from tests.storage.test_mailings import NOW, open_workspace

PARTS = 16
OURS = WorkspaceId(1)


@pytest.fixture
def divided(postgres_url: str) -> Any:
    """An empty PostgreSQL, divided."""
    opened = open_database(postgres_url)
    revision.migrate(opened, parts=PARTITIONS or PARTS)
    yield opened
    opened.close()


def test_every_key_begins_with_the_workspace(divided: Database) -> None:
    found = inspect(divided.reader)
    for table in partitions.of_a_workspace():
        assert found.get_pk_constraint(table.name)["constrained_columns"] == partitions.key_of(table)
        assert partitions.key_of(table)[0] == "workspace_id"
        assert all(one["column_names"][0] == "workspace_id" for one in found.get_unique_constraints(table.name))
    assert divided.read(partitions.number) == (PARTITIONS or PARTS)


def test_a_version_that_needs_the_old_key_is_told_so(divided: Database) -> None:
    assert divided.read(revision.state).oldest == max(revision.OLDEST, partitions.SINCE)
    revision.migrate(divided)
    assert divided.read(revision.state).oldest == max(revision.OLDEST, partitions.SINCE), "also the next time"


def test_what_holds_rows_or_is_a_file_is_left_as_it_is(database: Database) -> None:
    if not PARTITIONS:
        database.write(open_workspace)
        database.write(ledger.apply, OURS, a_batch(a_piece()), NOW)
        with pytest.raises(NotSpreadableError, match="empty PostgreSQL"):
            revision.migrate(database, parts=PARTS)
        assert database.read(partitions.number) == 0
        assert database.read(mail.find_pieces, OURS, "1001", 5)


def test_what_is_told_and_asked_looks_into_one_partition(divided: Database) -> None:
    """Of each statement of the ledger and of the questions: no partition but the workspace's own is looked at."""
    divided.write(open_workspace)
    channel = ChannelId("C1")
    divided.write(workspaces.note, OURS, baseline_at=NOW - timedelta(days=9))
    divided.write(
        workspaces.subscribe, OURS, channel, NO_CAMPAIGN, frozenset(NotifyOn), UserId("U1"), NOW - timedelta(days=8)
    )
    seen: dict[str, set[str]] = {}

    def explain(connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", statement):
            with connection.connection.dbapi_connection.cursor() as cursor:
                # As it is run: with its values, and without what is left out when it begins.
                cursor.execute("SAVEPOINT explained")
                cursor.execute("EXPLAIN (ANALYZE, TIMING OFF) " + statement, values)
                lines = [line for (line,) in cursor.fetchall() if "never executed" not in line]
                cursor.execute("ROLLBACK TO SAVEPOINT explained")
            for line in lines:
                for table, part in re.findall(r" on ([a-z_]+)_(\d+)\b", line):
                    seen.setdefault(table, set()).add(part)

    event.listen(divided.writer, "before_cursor_execute", explain)
    told = a_batch(
        a_campaign(),
        a_piece("1", listed_print=1),
        a_piece("2"),
        a_change("1", Status.RETURNED),
        a_change("2", exact=False),
    )
    for _ in range(2):
        divided.write(ledger.apply, OURS, told, NOW)
    divided.write(ledger.apply, OURS, a_batch(a_change("2", Status.DELIVERED), a_change("9")), NOW)
    divided.write(lambda connection: mail.find_pieces(connection, OURS, "1", 5))
    divided.write(lambda connection: mail.timeline(connection, OURS, PieceId(1)))
    divided.write(lambda connection: mail.campaigns_of(connection, OURS))
    event.remove(divided.writer, "before_cursor_execute", explain)
    assert {"pieces", "changes", "campaigns"} <= seen.keys()
    # A change may bear 0 in place of its workspace, and that lies in another.
    assert {table: parts for table, parts in seen.items() if len(parts) > 1 + (table == "changes")} == {}
    divided.write(tally.fold)
    assert divided.read(tally.drift, OURS) == []


def test_the_command_divides_an_empty_database_and_refuses_one_that_holds_rows(postgres_url: str) -> None:
    made = open_database(postgres_url)
    if not PARTITIONS:
        said = CliRunner().invoke(app, ["migrate", "--partitions", "16"], env={"DATABASE_URL": postgres_url})
        assert (said.exit_code, made.read(partitions.number)) == (0, 16), said.output
    made.write(open_workspace)
    made.write(ledger.apply, OURS, a_batch(a_piece()), NOW)
    said = CliRunner().invoke(app, ["migrate", "--partitions", "8"], env={"DATABASE_URL": postgres_url})
    assert said.exit_code != 0
    assert "Only an empty PostgreSQL can be partitioned" in said.output
    made.close()
