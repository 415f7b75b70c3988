"""Several writers at once on PostgreSQL: whatever they do to each other, the counts and the outbox come out right."""

import random
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from storage.database import Database, open_database
from storage.ledger import apply as ledger
from storage.ledger import tallies as tally
from storage.records import Batch, Change
from storage.schema.tables import outbox as outbox_rows
from storage.schema.tables import pieces
from storage.statuses import NOTABLE, Status
from tests.builders import START, a_batch, a_campaign, a_change, a_piece
from tests.conftest import PARTITIONS
from tests.storage.test_mailings import NOW, open_workspace

REFS = [str(n) for n in range(300)]


@pytest.fixture
def crowd(postgres_url: str) -> Any:
    databases = [open_database(postgres_url) for _ in range(4)]
    yield databases
    for database in databases:
        database.close()


def some_changes(dice: random.Random) -> list[Change]:
    statuses = (Status.HANDED_OVER, Status.IN_TRANSIT, Status.DELIVERED, Status.RETURNED)
    return [a_change(dice.choice(REFS), dice.choice(statuses), hours=dice.randrange(9)) for _ in range(60)]


def test_writers_that_cross_each_other_agree_with_the_truth(crowd: list[Database]) -> None:
    workspace = crowd[0].write(open_workspace)
    crowd[0].write(ledger.apply, workspace.id, a_batch(a_campaign()), NOW)
    dice = random.Random(11)
    told = [some_changes(dice) for _ in range(48)]
    # Every piece arrives from two sides, once without its campaign; changes come before, between and after.
    work: list[Any] = [a_batch(*changes) for changes in told]
    work += [a_batch(*(a_piece(ref, campaign_ref=None) for ref in REFS[n::6])) for n in range(6)]
    work += [a_batch(*(a_piece(ref) for ref in REFS[n::5])) for n in range(5)]
    work += ["fold"] * 30
    dice.shuffle(work)

    def carry_out(turn: int) -> None:
        database, job = crowd[turn % len(crowd)], work[turn]
        if job == "fold":
            database.write(tally.fold)
        else:
            database.write(ledger.apply, workspace.id, job, NOW + timedelta(seconds=turn))

    with ThreadPoolExecutor(len(crowd)) as pool:
        list(pool.map(carry_out, range(len(work))))
    truth: dict[str, Status] = {}
    for change in (change for changes in told for change in changes):
        assert change.status
        truth[change.piece_ref] = max(change.status, truth.get(change.piece_ref, Status.RECEIVED))
    with crowd[0].reader.connect() as connection:
        stand = {row.ref: row for row in connection.execute(select(pieces)).all()}
        told_rows = connection.execute(select(outbox_rows.c.piece_id, outbox_rows.c.status)).all()
    assert {ref: stand[ref].status for ref in truth} == truth
    assert crowd[0].read(tally.drift, workspace.id) == []
    notable = {(stand[c.piece_ref].id, c.status) for changes in told for c in changes if c.status in NOTABLE}
    assert Counter((row.piece_id, row.status) for row in told_rows) == Counter(notable)


def test_a_fold_loses_nothing_that_is_written_beside_it(crowd: list[Database]) -> None:
    workspace = crowd[0].write(open_workspace)
    refs = [str(n) for n in range(3000)]

    def write(turn: int) -> None:
        batch = Batch(pieces=tuple(a_piece(ref) for ref in refs[turn * 20 : turn * 20 + 20]))
        crowd[turn % 2].write(ledger.apply, workspace.id, batch, NOW)

    with ThreadPoolExecutor(4) as pool:
        done = pool.map(write, range(150))
        for turn in range(150):
            crowd[2 + turn % 2].write(tally.fold)
        list(done)
    assert crowd[0].read(tally.drift, workspace.id) == []


def test_drift_is_found_named_and_repaired(database: Database) -> None:
    workspace = database.write(open_workspace)
    database.write(ledger.apply, workspace.id, a_batch(a_campaign(), a_piece(), a_piece("2"), a_change()), NOW)
    assert database.read(tally.drift, workspace.id) == []
    with database.writer.begin() as connection:
        connection.exec_driver_sql(f"UPDATE pieces SET status = {Status.RETURNED} WHERE ref = '2'")
    found = database.read(tally.drift, workspace.id)
    assert sorted((one.rank, one.counted) for one in found) == [(0, 1), (Status.RETURNED, -1)]
    assert {one.day for one in found} == {START.date()}
    assert database.write(tally.repair, workspace.id) == 2
    assert database.read(tally.drift, workspace.id) == []
    database.write(tally.fold)
    assert database.read(tally.drift, workspace.id) == []
    campaign = found[0].campaign_id
    # Each night looks at one part, and together they see every campaign.
    assert [database.read(tally.drift, workspace.id, part, 7) for part in range(7)] == [[]] * 7
    with database.writer.begin() as connection:
        connection.exec_driver_sql(f"UPDATE pieces SET status = {Status.DELIVERED} WHERE ref = '2'")
    assert [bool(database.read(tally.drift, workspace.id, part, 7)) for part in range(7)] == [
        part == campaign % 7 for part in range(7)
    ]


#: How an index is called that stands behind a key: as the schema says, or on a part of a table as PostgreSQL names it.
KEY = r"\w+_(pkey|key\d*)\b" if PARTITIONS else "(pk|uq)_"


def test_in_a_young_postgresql_pieces_are_looked_up_by_their_keys(crowd: list[Database]) -> None:
    """Plans are kept: one that was made for a few rows, and reads them all, would grow with a first import."""
    database = crowd[0]
    workspace = database.write(open_workspace)
    plans: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if re.match(r"\s*(INSERT|UPDATE|DELETE|WITH)\b", statement) and "stage_" in statement:
            with connection.connection.dbapi_connection.cursor() as cursor:
                cursor.execute("EXPLAIN " + statement, values)
                plans.extend(line for (line,) in cursor.fetchall())

    event.listen(database.writer, "before_cursor_execute", explain)
    # What comes for the first time is inserted, what is told again is merged.
    for first in (*range(0, 1000, 200), *range(0, 1000, 200)):
        plans.clear()
        told = [(a_piece(str(n)), a_change(str(n), Status.RETURNED)) for n in range(first, first + 200)]
        batch = a_batch(a_campaign(), *(fact for facts in told for fact in facts))
        database.write(ledger.apply, workspace.id, batch, NOW)
    found = [line for line in plans if re.search(r"Scan.* on (pieces|campaigns|changes)(_\w+)?\b", line)]
    assert len(found) >= 10
    assert [line for line in found if not re.search(rf"Index (Only )?Scan using {KEY}", line)] == []
