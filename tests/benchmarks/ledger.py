"""The ledger and its answers at ten thousand, a million and ten million pieces."""

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zlib import crc32

from sqlalchemy import Connection, func, select, text

from bot.cli.importing import ROWS as IMPORTED
from handlers.context.memory import PORTION
from storage import workspaces
from storage.database import Database, open_database
from storage.ledger import apply as ledger
from storage.ledger import tallies as tally
from storage.ledger.apply import Applied
from storage.queries import mail as queries
from storage.records import CampaignId, Change
from storage.schema import revision
from storage.schema.tables import pieces
from storage.statuses import Status
from tests.benchmarks.data import Account, batches, changes_kept, heard, ref_of
from tests.benchmarks.harness import ROOT, Result, compared, judged, turns

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MILLION = 1_000_000
FIRST = CampaignId(1)


def named(number: int) -> str:
    return f"{number // 1_000_000} M" if number >= 1_000_000 else f"{number // 1000} k"


def bench_mix(accounts: list[Account]) -> list[Result]:
    """The status mix through the repository function, beside counting a campaign over the best covering index.

    The first campaign holds a tenth of its account: a million pieces of the largest.
    """
    medians = [
        turns(60, lambda _n, one=one: one.database.read(queries.mix, one.workspace_id, FIRST))[0]  # type: ignore[misc]
        for one in accounts
    ]
    account = accounts[-1]
    database, kind, size = account.database, account.kind, account.pieces // 10
    with database.writer.begin() as connection:
        connection.exec_driver_sql("CREATE INDEX covering ON pieces (workspace_id, campaign_id, status)")
    if not database.is_file:
        with database.reader.connect() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE pieces")
    counted = select(pieces.c.status, func.count()).group_by(pieces.c.status)
    counted = counted.where(pieces.c.workspace_id == account.workspace_id, pieces.c.campaign_id == FIRST)
    one, other = turns(
        9,
        lambda _n: database.read(queries.mix, account.workspace_id, FIRST),
        lambda _n: database.patient.read(lambda c: c.execute(counted).all()),
    )
    scanned: dict[int, int] = dict(row._tuple() for row in database.patient.read(lambda c: c.execute(counted).all()))
    mixed = database.read(queries.mix, account.workspace_id, FIRST).counts
    assert scanned == {int(status): number for status, number in mixed.items() if number}, (scanned, mixed)
    assert sum(scanned.values()) == size, f"measured nothing: {scanned} of {size:,}"
    with database.writer.begin() as connection:
        connection.exec_driver_sql("DROP INDEX covering")
    # Such a ratio grows with the campaign, so what it shall be is known for a million only.
    goal = {"SQLite": 1000, "PostgreSQL": 250}[kind] if size == MILLION else None
    growth = f"status mix at {named(account.pieces)} ÷ at {named(accounts[0].pieces)}, {kind}"
    return [
        compared(
            f"GROUP BY over {named(size)} pieces ÷ mix of their campaign, {kind}", other, one, goal, at_least=True
        ),
        compared(growth, medians[-1], medians[0], 1.2),
    ]


def bench_find(accounts: list[Account]) -> list[Result]:
    """Finding a piece, beside the look-up of a row by its primary key through the same driver."""
    results = []
    first: dict[str, float] = {}
    for account in accounts:
        database, key = account.database, account.workspace_id
        by_number = select(pieces)

        def floor(turn: int, number: int = account.pieces, database: Database = database) -> object:
            wanted = by_number.where(pieces.c.id == turn * 7919 % number + 1)
            return database.read(lambda c: c.execute(wanted).one())

        rows_of: dict[int, list[int]] = {}

        def same_rows(turn: int, database: Database = database, rows_of: dict[int, list[int]] = rows_of) -> object:
            wanted = by_number.where(pieces.c.id.in_(rows_of[turn]))
            return database.read(lambda c: c.execute(wanted).all())

        asked: dict[str, tuple[Callable[[int], str], float]] = {
            "id": (lambda n: ref_of(n * 7919 % account.pieces), 1.5),
            "name": (lambda n: f"jane smith{n * 7919 % account.pieces // 100 % 100000}", 5),
            "ZIP": (lambda n: str(10000 + n * 7919 % account.pieces % 89999), 2),
        }
        for what, (request, goal) in asked.items():

            def finding(n: int, request: Callable[[int], str] = request) -> object:
                return database.read(queries.find_pieces, key, request(n), 25)

            # Several pieces have a ZIP code in common: read by their keys they are its floor.
            found = [
                [int(one.id) for one in database.read(queries.find_pieces, key, request(n), 25)] for n in range(150)
            ]
            assert min(map(len, found)) > 0, f"measured nothing: find by {what} found no piece"
            rows_of |= dict(enumerate(found))
            mine, theirs = turns(150, finding, same_rows if what == "ZIP" else floor)
            many = "the same rows by key" if what == "ZIP" else "by primary key"
            one = compared(f"find by {what} at {named(account.pieces)} ÷ {many}, {account.kind}", mine, theirs, goal)
            if account is accounts[0]:
                first[what] = one.ours
            if account is accounts[-1]:
                results.append(one)
                results.append(
                    judged(
                        f"find by {what}: growth from {named(accounts[0].pieces)} to {named(account.pieces)}, {account.kind}",
                        one.ours,
                        first[what],
                        one.ours / first[what],
                        None,
                    )
                )
    return results


def bench_ingest(account: Account, number: int) -> list[Result]:
    """Changes into the ledger with all that it keeps, beside their resolved rows into a copy of the history's table: in
    portions as an import's, and then as a poll's."""
    results = ingest_in(account, heard(account, number), IMPORTED)
    if account.kind == "PostgreSQL":
        results += bench_two(account, number, results[0].floor or 1) + bench_advance(account)
    return results + ingest_in(account, heard(account, number // 3, seed=3), PORTION)


def ingest_in(account: Account, told: list[Change], size: int) -> list[Result]:
    """In portions of this size."""
    number, parts = len(told), batches(told, size)
    before, merged = changes_kept(account), Applied()
    gc.collect()
    gc.freeze()
    began = time.perf_counter()
    for batch in parts:
        merged += account.database.write(ledger.apply, account.workspace_id, batch, NOW)
    one = number / (time.perf_counter() - began)
    assert account.database.patient.read(tally.drift, account.workspace_id) == []
    different = len({(change.piece_ref, change.status, change.occurred_at) for change in told})
    assert merged.recorded > different * 0.9, f"measured nothing: {merged} of {different:,} changes"
    assert changes_kept(account) == before + merged.recorded
    floor = bare_ingest(account, merged.recorded, size)
    imported = size == IMPORTED
    name = f"bulk ingest at {named(account.pieces)} in portions of {size:,}"
    if account.kind == "SQLite":
        name, goal = f"{name}, time ÷ bare executemany, SQLite", 4.5 if imported else None
        return [judged(name, 1e6 / one, 1e6 / floor, floor / one, goal, unit="µs/row")]
    name, goal = f"{name}, rate ÷ bare COPY, PostgreSQL", 0.32 if imported else None
    return [judged(name, one, floor, one / floor, goal, at_least=True, unit="rows/s")]


def bench_two(account: Account, number: int, floor: float) -> list[Result]:
    """By two processes at once."""
    before, told = changes_kept(account), heard(account, number, seed=2)
    different = len({(change.piece_ref, change.status, change.occurred_at) for change in told})
    two = ingest_by_two(account, told)
    assert changes_kept(account) > before + different * 0.8, "measured nothing: the two wrote little"
    assert account.database.patient.read(tally.drift, account.workspace_id) == []
    name = f"the same in portions of {IMPORTED:,} by two connections, at {named(account.pieces)}"
    return [judged(name, two, floor, two / floor, 0.70, at_least=True, unit="rows/s")]


def ingest_by_two(account: Account, told: list[Any]) -> float:
    """Two processes, each with the pieces of half the ids: so they never wait for each other's rows."""
    children = []
    for half in (0, 1):
        ready, done = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                database = open_database(account.url)
                mine = batches([c for c in told if crc32(c.piece_ref.encode()) % 2 == half], IMPORTED)
                gc.freeze()
                os.write(done, b"r")
                for batch in mine:
                    database.write(ledger.apply, account.workspace_id, batch, NOW)
                os.write(done, b"e")
            finally:
                # Never back into the parent's work, whatever happened: that nothing more was written tells it.
                os._exit(0)
        os.close(done)
        children.append((pid, ready))
    for _pid, ready in children:
        os.read(ready, 1)
    began = time.perf_counter()
    for pid, ready in children:
        ended, (_, status) = os.read(ready, 1), os.waitpid(pid, 0)
        assert ended == b"e", f"one of two importers broke: {status}"
    return len(told) / (time.perf_counter() - began)


def bare_ingest(account: Account, number: int, size: int) -> float:
    """The rows that the ledger has just written, in the same order and portions, into a table of the same form."""
    database = account.database
    with database.reader.connect() as connection:
        rows = [tuple(row) for row in connection.execute(text("SELECT * FROM changes LIMIT :n"), {"n": number}).all()]
    rows.sort(key=lambda row: crc32(repr(row).encode()))
    with database.writer.begin() as connection:
        if account.kind == "SQLite":
            ddl = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = 'changes'")).scalar_one()
            connection.exec_driver_sql(ddl.replace("changes", "bare", 1))
        else:
            connection.exec_driver_sql("CREATE TABLE bare (LIKE changes INCLUDING ALL)")
    began = time.perf_counter()
    for first in range(0, len(rows), size):
        part = sorted(rows[first : first + size])
        with database.writer.begin() as connection:
            if account.kind == "SQLite":
                marks = ", ".join("?" * len(part[0]))
                connection.exec_driver_sql(f"INSERT INTO bare VALUES ({marks})", part)
            else:
                cursor: Any = connection.connection.cursor()
                lines = "\n".join("\t".join(map(str, row)) for row in part)
                with cursor.copy("COPY bare FROM STDIN") as copy:
                    copy.write(lines)
    rate = len(rows) / (time.perf_counter() - began)
    kept = database.patient.read(lambda c: c.execute(text("SELECT count(*) FROM bare")).scalar_one())
    assert kept == len(rows) == number, f"measured nothing: {kept:,} of {number:,} rows are in the floor's table"
    with database.writer.begin() as connection:
        connection.exec_driver_sql("DROP TABLE bare")
    return rate


def bench_advance(account: Account) -> list[Result]:
    """How PostgreSQL takes the advance of a piece: in its own page, touching no index, with few bytes of log."""

    def advance(connection: Connection, status: int) -> tuple[int, int]:
        wanted = "SELECT id FROM pieces WHERE id % :step = 1 ORDER BY id LIMIT :most"
        before = connection.execute(text("SELECT pg_current_wal_insert_lsn()")).scalar_one()
        changed = connection.execute(
            text(f"UPDATE pieces SET status = {status}, status_at = now(), changed_at = now() WHERE id IN ({wanted})"),
            {"step": max(account.pieces // 50_000, 100), "most": 50_000},
        ).rowcount
        written = connection.execute(
            text("SELECT pg_current_wal_insert_lsn() - :b ::pg_lsn"), {"b": before}
        ).scalar_one()
        return changed, int(written)

    # The first pass writes whole pages, as every page's first change after a checkpoint does.
    account.database.patient.write(advance, int(Status.RETURNED))
    stats = text("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'pieces'")
    time.sleep(1.5)
    before = account.database.read(lambda c: c.execute(stats).one())
    rows, written = account.database.patient.write(advance, int(Status.RETURNED))
    time.sleep(1.5)
    after = account.database.read(lambda c: c.execute(stats).one())
    assert rows == min(50_000, account.pieces // 100), f"measured nothing: {rows:,} advanced"
    hot = (after[1] - before[1]) / max(after[0] - before[0], 1)
    account.database.patient.write(tally.repair, account.workspace_id)
    return [
        judged("status advance on PostgreSQL, share that is HOT", hot * 100, 100, hot, 0.98, at_least=True, unit="%"),
        judged(
            "status advance on PostgreSQL, log ÷ 130 bytes a row",
            written / rows,
            130,
            written / rows / 130,
            1,
            unit="B/row",
        ),
    ]


def bench_import_memory(quick: bool, folder: Path) -> list[Result]:
    """The most memory that an import ever holds, for a small file and a large one."""
    small, large = (20_000, 100_000) if quick else (100_000, 1_000_000)
    peaks, seconds = [], 0.0
    for number in (small, large):
        url, path = f"sqlite:///{folder}/import{number}.db", folder / f"{number}.csv"
        database = open_database(url)
        revision.migrate(database)
        database.write(workspaces.ensure, "T1", "Bench", "USD")
        database.close()
        with path.open("w") as file:
            file.write("id,campaign_id,timestamp,status,status_date,name,address,city,state,zip,cost\n")
            for n in range(number):
                file.write(
                    f"{ref_of(n)},{n % 91},2026-02-01,delivered,2026-02-09,Jane Smith{n},{n} Main St,Austin,TX,78701,0.84\n"
                )
        begin = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "bot", "import", str(path)], cwd=folder, stdout=subprocess.DEVNULL,
                                   env=os.environ | {"DATABASE_URL": url, "PYTHONPATH": str(ROOT)})  # fmt: skip
        peak = [0.0]
        watching = threading.Thread(target=watch, args=(process, peak))
        watching.start()
        assert process.wait() == 0
        watching.join()
        seconds = time.perf_counter() - begin
        peaks.append(peak[0])
        database = open_database(url)
        landed = select(func.count()).where(pieces.c.status == int(Status.DELIVERED))
        kept = database.read(lambda c, landed=landed: c.execute(landed).scalar_one())  # type: ignore[misc]
        database.close()
        assert kept == number, f"measured nothing: {kept:,} of {number:,} pieces were imported"
    return [
        judged(
            f"memory of importing {named(large)} rows ÷ {named(small)} rows, SQLite",
            peaks[1],
            peaks[0],
            peaks[1] / peaks[0],
            1.2,
            unit="MiB",
        ),
        judged(f"`piecewise import` of {named(large)} rows, SQLite", large / seconds, None, 1, None, unit="rows/s"),
    ]


def watch(process: subprocess.Popen[bytes], peak: list[float]) -> None:
    while process.poll() is None:
        try:
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM"):
                    peak[0] = int(line.split()[1]) / 1024
        except OSError:
            return
        time.sleep(0.05)
