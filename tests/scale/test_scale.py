"""The account of size: its arithmetic, and a short form of `make scale` with real processes."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.database import open_database
from storage.ledger import tallies as tally
from storage.records import WorkspaceId
from tests.scale.account import ACCOUNT, Size, Units, largest, resources, table
from tests.scale.fleet import fleet_of, measured
from tests.scale.platform import STATUSES, piece

UNITS = Units(
    taken=1e-4, merged=2e-4, stored=3e-4, log=1000, disk=500, read=1e-5, looked_up=1e-5, besides=10, connections=5
)


def test_what_is_needed_grows_with_the_workspaces_and_the_first_to_end_stands_first() -> None:
    small, large = resources(UNITS, Size(workspaces=1)), resources(UNITS, Size(workspaces=1000))
    assert [line.used for line in large] == sorted((line.used for line in large), reverse=True)
    needed = {line.resource: line.needed for line in small}
    for line in large:
        times = 1 if line.resource in ("connections", ACCOUNT) else 1000
        assert abs(line.needed / needed[line.resource] - times) < 1e-6, line.resource


def test_so_many_fit_as_use_the_first_resource_up() -> None:
    fit = round(largest(UNITS, Size()))
    shared = [line for line in resources(UNITS, Size(workspaces=fit)) if line.resource not in ("connections", ACCOUNT)]
    assert 0.9 < shared[0].used < 1.1
    assert largest(replace(UNITS, disk=1e6), Size()) < largest(UNITS, Size())
    assert shared[0].resource in table(UNITS, Size(workspaces=fit))


def test_a_piece_only_ever_rises_and_needs_no_memory() -> None:
    seen = [[STATUSES.index(str(piece(1, n, age, 10, "")["status"])) for age in range(60)] for n in range(20)]
    assert all(stages == sorted(stages) and stages[-1] == len(STATUSES) - 1 for stages in seen)
    moved = [sum(a[10] != a[11] for a in seen), sum(a[0] != a[-1] for a in seen)]
    assert 0 < moved[0] < moved[1]


@pytest.mark.turns("four services")
async def test_each_cost_is_measured_with_two_that_serve_and_two_that_work(postgres_url: str, tmp_path: Path) -> None:
    reader = open_database(postgres_url)
    with reader.reader.connect() as connection:
        server = int(
            Path(connection.execute(text("SHOW data_directory")).scalar_one(), "postmaster.pid").read_text().split()[0]
        )
    async with fleet_of(postgres_url, server, tmp_path, (6, 3, 40), 20.0) as fleet:
        units, done = await measured(fleet, 6)
    assert all(getattr(units, name) > 0 for name in Units.__dataclass_fields__ if name != "disk"), units
    assert done["polls"] >= 1
    for number in range(1, 7):
        assert reader.read(tally.drift, WorkspaceId(number)) == []
    reader.close()
