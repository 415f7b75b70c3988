"""Importing a file: what is kept, what is refused and why, and that a kill at any moment loses and repeats nothing."""

import csv
import os
import signal
import time
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from typer.testing import CliRunner

from bot.__main__ import app as command_line
from bot.cli.importing import ROWS, import_file, key_of, read_rows, sync
from bot.sandbox.stannp import StannpDouble
from bot.sandbox.world import World
from handlers.errors import ImportRefusedError
from storage import imports, workspaces
from storage.database import Database, open_database
from storage.ledger import tallies as tally
from storage.queries import mail as queries
from storage.records import NO_CAMPAIGN, ChannelId, NotifyOn, UserId, Workspace, WorkspaceId
from storage.schema.tables import changes, orphans, outbox, pieces
from storage.statuses import Status
from tests.processes import hear, ran

ROOT = Path(__file__).parent.parent.parent
HEAD = "id,campaign_id,campaign_name,timestamp,status,status_date,location,name,address,city,state,zip,cost"


@pytest.fixture
def workspace(database: Database) -> Workspace:
    made = database.write(workspaces.ensure, "T1", "Acme", "USD")
    database.write(workspaces.note, made.id, baseline_at=datetime(2026, 1, 1, tzinfo=UTC))
    since = datetime(2026, 1, 2, tzinfo=UTC)
    wants = [NotifyOn.RETURNED, NotifyOn.DELIVERED]
    database.write(workspaces.subscribe, made.id, ChannelId("C1"), NO_CAMPAIGN, wants, UserId("U1"), since)
    return made


def row(number: int, **cells: str) -> str:
    told = {
        "id": str(number), "campaign_id": "7", "campaign_name": "Old spring", "timestamp": "2025-03-01 09:00",
        "status": "delivered", "status_date": "2025-03-09", "location": "Austin TX", "name": f"Jane Doe {number}",
        "address": '"12 Main St, Apt 4"', "city": "Austin", "state": "TX", "zip": "78701", "cost": "0.84",
    }  # fmt: skip
    return ",".join((told | cells).values())


def bring(database: Database, workspace: Workspace, path: Path) -> Any:
    return import_file(database, workspace.id, path, lambda *_: None)


def refused(path: Path) -> list[list[str]]:
    with path.with_name(f"{path.name}.refused.csv").open(newline="", encoding="utf-8") as side:
        return list(csv.reader(side))[1:]


def test_refused_rows_are_mended_in_their_file_and_imported_from_there(
    database: Database, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "old.csv"
    bad = [row(1, status="teleported"), row(2, timestamp="1026-03-01"), row(3) + ",more"]
    path.write_text("\n".join([HEAD, *bad, row(4)]) + "\n")
    assert bring(database, workspace, path).refused == 3
    side = path.with_name("old.csv.refused.csv")
    side.write_text(side.read_text().replace("teleported", "delivered").replace("1026-", "2026-"))
    again = bring(database, workspace, side)
    # The third fits no columns: its text stands in a column of its own.
    assert (again.kept, again.refused) == (2, 1)
    who = database.read(queries.find_pieces, workspace.id, "1", 2)[0].recipient
    assert (who.name, who.address) == ("Jane Doe 1", "12 Main St, Apt 4")
    with side.with_name("old.csv.refused.csv.refused.csv").open(newline="") as left:
        head, only = list(csv.reader(left))
    assert head == ["line", "reason", *HEAD.split(","), "row"], "no columns are added by each turn"
    assert only[1] == "a piece without an id"


def test_files_whose_names_differ_by_their_endings_have_refused_rows_of_their_own(
    database: Database, workspace: Workspace, tmp_path: Path
) -> None:
    for number, name in enumerate(("spring.csv", "spring.txt", "spring"), 1):
        (tmp_path / name).write_text("\n".join([HEAD, row(number, status="teleported")]) + "\n")
        bring(database, workspace, tmp_path / name)
    kept = sorted(one.name for one in tmp_path.iterdir() if "refused" in one.name)
    assert kept == ["spring.csv.refused.csv", "spring.refused.csv", "spring.txt.refused.csv"]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_back_fill_of_another_century_is_refused_in_words(day: str) -> None:
    done = CliRunner().invoke(command_line, ["sync", "--since", day])
    assert (done.exit_code, "must be a day from 2000-01-01 to today" in done.output) == (1, True), done.output


def counted(database: Database, table: Any) -> int:
    return int(database.read(lambda c: c.scalar(select(func.count()).select_from(table))) or 0)


def test_a_file_becomes_pieces_with_their_scans_and_no_channel_is_told(
    database: Database, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "old.csv"
    path.write_text("\n".join([HEAD, *(row(n) for n in range(1, 31)), row(31, status="returned")]) + "\n")
    assert bring(database, workspace, path).kept == 31
    campaign = database.read(queries.campaigns_of, workspace.id)[0]
    assert campaign.facts.name == "Old spring"
    mix = database.read(queries.mix, workspace.id, campaign.id)
    assert mix.counts == {Status.DELIVERED: 30, Status.RETURNED: 1}
    piece = database.read(queries.find_pieces, workspace.id, "17", 2)[0]
    assert (piece.recipient.name, piece.recipient.address) == ("Jane Doe 17", "12 Main St, Apt 4")
    assert [scan.status for scan in database.read(queries.timeline, workspace.id, piece.id)] == [
        Status.RECEIVED,
        Status.DELIVERED,
    ]
    assert counted(database, outbox) == 0
    # The same file again is known to be done; forgotten, it changes nothing.
    before = counted(database, changes)
    assert bring(database, workspace, path).kept == 31
    assert counted(database, changes) == before


BAD = {
    row(901, status="teleported"): "unknown status 'teleported'",
    row(902, timestamp="yesterday"): "its date is not of this century, or not written like",
    row(903, status_date="31/12/2025"): "the date of its status",
    row(0): "a piece without an id",
    row(905) + ",more,and more": "it has 15 cells, and the header 13",
    row(906, name='"open'): "a quote is opened and not closed",
    row(907, name="nu\0l"): "NUL",
    row(910, cost='"1,50"'): "its cost is no amount like 0.84",
    row(911, cost="-500"): "its cost is no amount like 0.84",
    row(908, name="x" * 100_000): "the row is longer than 64,000 bytes",
    "9," * 1_000_000: "the row is longer than 64,000 bytes",
}


def test_each_bad_row_is_refused_with_its_line_and_reason_and_all_others_are_kept(
    database: Database, workspace: Workspace, tmp_path: Path
) -> None:
    lines = [HEAD]
    for number, bad in enumerate(BAD, 1):
        lines += [row(number), bad]
    path = tmp_path / "mixed.csv"
    raw = "\r\n".join([*lines, row(50, name="Zoë")]).encode()
    path.write_bytes(b"\xef\xbb\xbf" + raw + b"\r\n" + row(51, name="Jos\x00e").replace("\0", "").encode() + b"\r\n"
                     + row(52, name="Zo@").encode().replace(b"@", b"\xeb") + b"\r\n" + b"53,7,\x81\x8d\xff,,,,,,,,,,\n")  # fmt: skip
    done = bring(database, workspace, path)
    assert done.kept == len(BAD) + 3
    found = refused(path)
    assert [int(line) for line, *_ in found] == [*range(3, 2 * len(BAD) + 2, 2), 2 * len(BAD) + 5]
    for (_, reason, *_), expected in zip(found, [*BAD.values(), "neither UTF-8 nor Windows-1252"], strict=True):
        assert expected in reason
    names = {p.recipient.name for ref in ("50", "52") for p in database.read(queries.find_pieces, workspace.id, ref, 1)}
    assert names == {"Zoë"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"name,city\nJane,Austin\n", "must name a column `id`"),
        (b"id,status,Status\n1,delivered,delivered\n", "twice: status"),
        ("id\n1\n".encode("utf-16"), "UTF-16"),
        (b"x" * 200_000, "not a header"),
        (b"PK\x03\x04\x00\x00", "not a header"),
    ],
)
def test_a_file_that_is_no_import_is_refused_by_name_and_nothing_is_kept(
    database: Database, workspace: Workspace, tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "wrong.csv"
    path.write_bytes(content)
    with pytest.raises(ImportRefusedError, match=said):
        bring(database, workspace, path)
    assert counted(database, pieces) == 0


def test_a_line_without_an_end_takes_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    with path.open("wb") as file:
        file.write(b"id\n1\n")
        for _ in range(64):
            file.write(b"y" * 1_000_000)
        file.write(b"\n2\n")
    tracemalloc.start()
    with path.open("rb") as file:
        found = [(one.cells, bool(one.refusal)) for one in read_rows(file, 0, 1)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [(["id"], False), (["1"], False), ([], True), (["2"], False)]
    assert peak < 2_000_000


@given(st.binary(max_size=400), st.integers(0, 5))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_to_their_end_and_nothing_raises(tmp_path: Path, noise: bytes, repeats: int) -> None:
    path = tmp_path / "noise.csv"
    path.write_bytes(noise * repeats)
    with path.open("rb") as file:
        ends = [one.end for one in read_rows(file, 0, 1)]
    assert ends == sorted(set(ends))
    assert all(end <= path.stat().st_size for end in ends)


def await_portion(database: Database, workspace_id: WorkspaceId, key: str, before: int) -> None:
    """Waits until an import in another process has kept more than before."""
    for _ in range(3000):
        if database.read(imports.progress, workspace_id, key).position > before:
            return
        time.sleep(0.01)
    pytest.fail("the import kept nothing in 30 seconds")


@pytest.mark.turns
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_import_that_is_stopped_goes_on_where_it_was(database_url: str, tmp_path: Path, how: signal.Signals) -> None:
    number = ROWS * 6
    path = tmp_path / "big.csv"
    bad = {n for n in range(1, number + 1) if n % 1000 == 500}
    path.write_text("\n".join([HEAD, *(row(n, status="??") if n in bad else row(n) for n in range(1, number + 1))]))
    opened = open_database(database_url)
    made = opened.write(workspaces.ensure, "T1", "Acme", "USD")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url,
        "HOME": str(tmp_path),
    }
    command = ["import", str(path)]
    for _ in range(2):
        before = opened.read(imports.progress, made.id, key_of(path)).position
        process = hear(command, environment, tmp_path)
        # Stopped once it has kept a portion, so that it is at work and not at its end.
        await_portion(opened, made.id, key_of(path), before)
        process.send_signal(how)
        said = process.communicate()
        if how is signal.SIGINT:
            assert process.returncode == 130, said
            assert "to go on: piecewise import" in said
    code, said = ran(command, environment, tmp_path)
    assert code == 0, said
    assert "Goes on behind row" in said
    assert f"{number - len(bad):,} rows are imported, {len(bad)} were refused" in said
    assert counted(opened, pieces) == number - len(bad)
    assert opened.read(tally.drift, made.id) == []
    campaign = opened.read(queries.campaigns_of, made.id)[0].id
    assert opened.read(queries.mix, made.id, campaign).counts == {Status.DELIVERED: number - len(bad)}
    opened.close()
    assert [int(line) for line, *_ in refused(path)] == sorted(n + 1 for n in bad)


async def test_a_back_fill_reads_every_week_once_and_goes_on_after_a_stop(
    database: Database, workspace: Workspace
) -> None:
    import aiohttp

    from bot.app import SystemClock
    from bot.platforms.stannp.client import Stannp

    double = StannpDouble(per_minute=100_000)
    await double.start()
    today = datetime.now(UTC)
    world = World(double, seed=5, now=today - timedelta(days=60))
    for number in range(6):
        start = today - timedelta(days=60 - 9 * number)
        world.add_campaign(300 + number, f"Drop {number}", start, 20, leaves=timedelta(days=2))
    world.advance(today)
    since: date = (today - timedelta(days=62)).date()
    async with aiohttp.ClientSession() as session:
        platform = Stannp(session, SystemClock(), double.url, double.api_key)
        async for _until, _ in sync(database, workspace.id, platform, since, today.date()):
            if _until > since + timedelta(days=20):
                break
        asked = len(double.requests)
        rest = [one async for one in sync(database, workspace.id, platform, since, today.date())]
        # A week is asked for until it brings nothing new.
        again = len({one for one in double.requests[asked:] if "list" in one})
    await double.stop()
    assert counted(database, pieces) == 120
    assert rest[-1][1].kept >= 120
    assert again < 9
    assert database.read(tally.drift, workspace.id) == []
    truth = {str(p.id): p.status for p in double.pieces.values()}
    stand = database.read(lambda c: dict(c.execute(select(pieces.c.ref, pieces.c.status)).all()))
    assert {ref for ref, status in truth.items() if status == "delivered"} == {
        r for r, s in stand.items() if s == Status.DELIVERED
    }


@pytest.mark.turns
def test_recount_names_what_differs_and_corrects_it(database_url: str, tmp_path: Path) -> None:
    opened = open_database(database_url)
    opened.write(workspaces.ensure, "T1", "Acme", "USD")
    opened.close()
    path = tmp_path / "few.csv"
    path.write_text("\n".join([HEAD, row(1), row(2)]))
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url,
        "HOME": str(tmp_path),
    }

    def piecewise(*words: str) -> tuple[int, str]:
        return ran(words, environment, tmp_path)

    code, said = piecewise("import", str(path))
    assert (code, "before" in said, "Goes on" in said) == (0, False, False), said
    assert "This file was imported before" in piecewise("import", str(path))[1]
    assert piecewise("recount") == (0, "Every count agrees with its pieces.\n")
    opened = open_database(database_url)
    with opened.writer.begin() as connection:
        connection.exec_driver_sql(f"UPDATE pieces SET status = {Status.RETURNED} WHERE ref = '2'")
    opened.close()
    code, said = piecewise("recount")
    assert code == 1
    assert "Old spring, ordered 2025-03-01, Delivered: 1 counted too many." in said
    assert "Old spring, ordered 2025-03-01, Returned: 1 counted too few." in said
    assert "2 counts were corrected" in piecewise("recount", "--repair")[1]
    assert piecewise("recount")[0] == 0


ODD_BREAKS = {1: "Jane\x0bDoe", 2: "Jane\x85Doe", 3: "Jane\u2028Doe", 4: '"Jane\nDoe"', 5: "Jane\x1cDoe"}


def test_a_cell_may_hold_any_kind_of_line_break_and_its_row_is_kept(
    database: Database, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "breaks.csv"
    path.write_text("\n".join([HEAD, *(row(n, name=name) for n, name in ODD_BREAKS.items()), row(9)]) + "\n")
    assert bring(database, workspace, path).kept == len(ODD_BREAKS) + 1
    found = [database.read(queries.find_pieces, workspace.id, str(n), 1)[0] for n in ODD_BREAKS]
    # Behind the name stands the rest of its row.
    assert {(piece.recipient.name, piece.recipient.city) for piece in found} == {("Jane Doe", "Austin")}


def test_a_cell_that_is_too_long_and_one_that_is_never_closed_are_refused_and_what_follows_is_kept(
    database: Database, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "wide.csv"
    wide = '"' + "\n".join("y" * 20_000 for _ in range(8)) + '"'
    lines = [
        HEAD,
        row(1),
        row(2, name=wide),
        row(3, name='5" card'),
        row(4),
        row(5, name='6" card'),
        row(6, name="a\rb"),
    ]
    path.write_text("\n".join([*lines, row(7)]), newline="")
    assert bring(database, workspace, path).kept == 5
    # Line 3 holds eight lines of a cell.
    assert [(int(line), reason) for line, reason, *_ in refused(path)] == [
        (3, "the row is longer than 64,000 bytes"),
        (14, "a line break stands in a cell without quotes around it"),
    ]
    assert set(database.read(lambda c: c.scalars(select(pieces.c.ref)).all())) == set("13457")


@pytest.mark.parametrize("ending", ["\r", "\r\n", "\n", "\r\r\n"])
def test_lines_may_end_in_any_way(database: Database, workspace: Workspace, tmp_path: Path, ending: str) -> None:
    path = tmp_path / "mac.csv"
    path.write_text(ending.join([HEAD, row(1), row(2, status="??"), "", row(3, status="??"), row(4)]), newline="")
    done = bring(database, workspace, path)
    assert (done.kept, done.refused, done.position) == (2, 2, path.stat().st_size)
    assert [int(line) for line, *_ in refused(path)] == [3, 5]


def test_a_row_of_a_piece_that_nobody_knows_is_refused_unless_it_says_when_that_was_ordered(
    database: Database, workspace: Workspace, tmp_path: Path
) -> None:
    first = tmp_path / "first.csv"
    first.write_text("\n".join([HEAD, row(1, status="producing")]))
    bring(database, workspace, first)
    path = tmp_path / "statuses.csv"
    path.write_text("id,status,timestamp\n1,delivered,\n2,delivered,\n3,delivered,2025-03-01\n3,returned,\n")
    done = bring(database, workspace, path)
    assert (done.kept, done.refused) == (3, 1)
    assert [(line, reason.partition(":")[0]) for line, reason, *_ in refused(path)] == [
        ("3", "piece 2 is not known, and the row does not say when it was ordered")
    ]
    stand = database.read(lambda c: dict(c.execute(select(pieces.c.ref, pieces.c.status)).all()))
    assert stand == {"1": Status.DELIVERED, "3": Status.RETURNED}
    assert counted(database, orphans) == 0


def test_a_corrected_file_of_equal_size_is_another_file(
    database: Database, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "same.csv"
    lines = [HEAD, *(row(n) for n in range(1, 1001))]
    path.write_text("\n".join([*lines, row(2000, status="delivared")]))
    assert bring(database, workspace, path).refused == 1
    path.write_text("\n".join([*lines, row(2000, status="delivered")]))
    assert bring(database, workspace, path).refused == 0
    assert database.read(queries.find_pieces, workspace.id, "2000", 1)


def test_what_is_refused_after_a_stop_has_its_own_line_also_behind_cells_of_several_lines(
    database: Database, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "stopped.csv"
    many = [row(n, name='"Jane\nDoe"') for n in range(1, ROWS + 1)]
    path.write_text("\n".join([HEAD, row(0), *many, "", row(0), row(9_999_999)]))

    class StoppedError(Exception):
        pass

    def stop(reached: imports.ImportProgress, _size: int) -> None:
        if reached.position:
            raise StoppedError

    with pytest.raises(StoppedError):
        import_file(database, workspace.id, path, stop)
    assert bring(database, workspace, path).refused == 2
    assert [int(line) for line, *_ in refused(path)] == [2, 2 * ROWS + 4]
    assert counted(database, pieces) == ROWS + 1
