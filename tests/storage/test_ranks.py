"""Every stored rank was multiplied by ten once, so that there is room between two: nothing else of what is known changes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, SmallInteger, select
from sqlalchemy.exc import IntegrityError

import storage.schema.account_tables  # noqa: F401
from storage import intents
from storage.database import Database, sole_user
from storage.dialects import is_postgresql
from storage.intents import Kind, PieceRow
from storage.ledger import tallies as tally
from storage.queries import mail as queries
from storage.queries import transits
from storage.records import PieceId, Workspace
from storage.schema import revision
from storage.schema.tables import changes, metadata
from storage.statuses import Status
from tests.builders import START, a_campaign, a_change, a_piece
from tests.storage.test_mailings import apply, workspace  # noqa: F401

ROOT = Path(__file__).parents[2]
#: Every small number that a column of this name holds is a rank.
UNKNOWN_BEFORE = (changes, "workspace_id")
COLUMNS = [
    (table.name, column.name)
    for table in metadata.sorted_tables
    for column in table.columns
    if column.name in ("status", "ended") and isinstance(column.type, SmallInteger)
]


def ranks(connection: Connection) -> dict[tuple[str, str], set[int]]:
    """What stands in each column of ranks."""
    return {
        (table, column): set(connection.exec_driver_sql(f"SELECT {column} FROM {table}").scalars())
        for table, column in COLUMNS
    }


def everything(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    return {
        # Whose a change is stands in its piece, too, and the schema of before does not repeat it.
        table.name: sorted(
            map(tuple, connection.execute(select(*(c for c in table.c if (table, c.name) != UNKNOWN_BEFORE))).all()),
            key=repr,
        )
        for table in metadata.sorted_tables
    }


@pytest.fixture
def filled(database: Database, workspace: Workspace) -> Database:  # noqa: F811
    """A database with a rank in every column that holds any, and with pieces of every status of then."""
    # What came since stands between two of these, and has no rank of before.
    numbers = {status: str(1000 + status) for status in Status if status % 10 == 0}
    pieces = [a_piece(ref) for ref in numbers.values()]
    heard = [a_change(ref, status=status) for status, ref in numbers.items()]
    heard += [a_change(numbers[Status.DELIVERED], status=Status.HANDED_OVER, hours=-90)]
    heard += [a_change(numbers[Status.RETURNED], status=Status.HANDED_OVER, hours=-90)]
    apply(database, workspace, a_campaign(), *pieces, a_piece("1999"), *heard, a_change("7", status=Status.RETURNED))
    database.write(tally.fold)
    # What no fold has counted yet.
    apply(database, workspace, a_change("1999", status=Status.IN_TRANSIT))
    [campaign] = database.read(queries.campaigns_of, workspace.id)
    counted, _ = database.read(transits.count, workspace.id, campaign.id, PieceId(0))
    database.write(transits.keep, workspace.id, campaign.id, counted, START)
    database.write(_keep_intents, workspace)
    return database


def _keep_intents(connection: Connection, workspace: Workspace) -> None:  # noqa: F811
    number = intents.keep(connection, workspace.id, Kind.CANCEL, {}, piece_ids=[PieceId(1)])
    taken = intents.take(connection, workspace.id, number)
    assert taken is not None
    row = PieceRow(PieceId(1), "", Status.RECEIVED, 1)
    assert intents.note_piece(connection, workspace.id, number, taken.token, row)
    for status in (None, Status.RETURNED.word):
        intents.keep(connection, workspace.id, Kind.EXPORT, {"campaign": 1, "status": status, "by": "U1"})


def test_the_ranks_of_before_become_those_of_now_in_every_column_and_back(
    filled: Database,
    workspace: Workspace,  # noqa: F811
) -> None:
    before, found = filled.read(everything), filled.read(ranks)
    assert all(any(seen - {0, None}) for seen in found.values()), found
    revision.migrate(filled, "0009")
    old = filled.read(ranks)
    assert old == {place: {rank // 10 if rank else rank for rank in seen} for place, seen in found.items()}
    exports = "SELECT payload FROM intents WHERE kind = 'export'"
    kept = filled.read(lambda c: [json.loads(one)["status"] for one in c.exec_driver_sql(exports).scalars()])
    assert kept == [None, 8]
    revision.migrate(filled)
    assert filled.read(everything) == before
    assert filled.read(tally.drift, workspace.id) == []


def test_a_process_of_before_that_still_runs_writes_no_rank_of_before(filled: Database) -> None:
    if not filled.read(is_postgresql):
        # A file serves one process: who migrates holds it, and no other gets to write in it.
        url = str(filled.writer.url)
        second = f"from storage.database import sole_user\nwith sole_user({url!r}): pass"
        assert subprocess.run([sys.executable, "-c", second], cwd=ROOT, check=False).returncode == 0
        with sole_user(url):
            done = subprocess.run([sys.executable, "-c", second], cwd=ROOT, check=False, capture_output=True, text=True)
        assert done.returncode != 0
        assert "DatabaseBusyError" in done.stderr
        return
    for table, column in COLUMNS:
        with pytest.raises(IntegrityError), filled.writer.begin() as connection:
            connection.exec_driver_sql(f"UPDATE {table} SET {column} = 8 WHERE {column} > 0")
