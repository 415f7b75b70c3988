"""The inbox below the handlers: who appends, counts, merges and clears it at once hinder nobody, on both databases."""

import random
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import Connection, text

from storage import workspaces
from storage.database import Database, open_database
from storage.inbox import WIDE, Call, Taken, Turn, inbox_of
from storage.records import WorkspaceId
from storage.schema import revision
from tests.fakes import FakeClock

OURS = WorkspaceId(1)


@pytest.fixture
def file(sqlite_url: str) -> Iterator[Database]:
    database = open_database(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def table(postgres_url: str) -> Iterator[Database]:
    database = open_database(postgres_url)
    yield database
    database.close()


def some(at: datetime, number: int, whose: WorkspaceId = OURS) -> list[Call]:
    return [Call(whose, at, "stannp", b"x" * 400)] * number


def merged(database: Database) -> list[Taken]:
    """What is merged now, by whoever only looks at it."""
    found: list[Taken] = []
    inbox_of(database).merge(Turn(), lambda _connection, taken: found.extend(taken))
    return found


class Paused(sqlite3.Cursor):
    """Stands between the first row of a count and the second, until it may go on."""

    standing, may_go_on = threading.Event(), threading.Event()

    def execute(self, sql: str, *parameters: Any) -> "Paused":
        self.is_count = "GROUP BY" in sql
        super().execute(sql, *parameters)
        return self

    def fetchall(self) -> list[Any]:
        first = self.fetchmany(1) if self.is_count else []
        if first:
            self.standing.set()
            self.may_go_on.wait(30)
        return first + super().fetchall()


class Pausing(sqlite3.Connection):
    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        return self.cursor(Paused).execute(sql, *parameters)


def test_a_count_under_way_holds_up_neither_merges_nor_checkpoints(
    file: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **more: real(*given, **more, factory=Pausing))
    inbox = inbox_of(file)
    for whose in range(1, 60):
        inbox.append(some(clock.now(), 20, WorkspaceId(whose)))
    with ThreadPoolExecutor(1) as one:
        counted = one.submit(inbox.waiting)
        try:
            assert Paused.standing.wait(10)
            inbox.append(some(clock.now(), 1))
            assert merged(file)
            file.checkpoint()
            # The log is still being read, and so it is not cut now.
            assert not file.clear_log()
        finally:
            Paused.may_go_on.set()
        assert sum(found.calls for found in counted.result().values()) == 59 * 20
    assert file.clear_log()


def test_whoever_appends_counts_merges_and_clears_at_once_is_not_hindered(file: Database, clock: FakeClock) -> None:
    inbox, ends, errors, seen = inbox_of(file), monotonic() + 2, list[BaseException](), list[int]()
    for whose in range(1, 300):
        inbox.append(some(clock.now(), 10, WorkspaceId(whose)))

    def again_and_again(work: Any) -> None:
        while monotonic() < ends:
            try:
                work()
            except Exception as error:
                errors.append(error)

    works = (
        lambda: seen.extend(one.number for one in merged(file)), lambda: inbox.append(some(clock.now(), 1)),
        inbox.waiting, inbox.waiting, file.checkpoint, file.clear_log,
    )  # fmt: skip
    with ThreadPoolExecutor(len(works)) as pool:
        list(pool.map(again_and_again, works))
    assert [repr(error) for error in errors] == []
    assert len(seen) == len(set(seen))


def test_no_number_is_given_twice(database: Database, clock: FakeClock) -> None:
    inbox = inbox_of(database)
    inbox.append(some(clock.now(), 1))
    first: list[Taken] = []

    def look(_connection: object, taken: Any) -> None:
        first.extend(taken)
        raise LookupError

    with pytest.raises(LookupError):
        inbox.merge(Turn(), look)
    # Meanwhile the workspace is forgotten, and a newer call arrives.
    inbox.forget(OURS)
    inbox.append(some(clock.now(), 1))
    inbox.drop(first)
    assert {whose: one.calls for whose, one in inbox.waiting().items()} == {OURS: 1}


def left_behind(folder: Path, at: datetime) -> None:
    """A ledger of which a call waits beside it."""
    database = opened(folder)
    inbox_of(database).append(some(at, 2))
    database.close()


def opened(folder: Path) -> Database:
    """The ledger in this folder, made where there is none."""
    database = open_database(f"sqlite:///{folder}/piecewise.db")
    revision.migrate(database)
    return database


def delete_ledger(folder: Path) -> None:
    for name in ("piecewise.db", "piecewise.db-wal", "piecewise.db-shm"):
        (folder / name).unlink(missing_ok=True)


def test_what_waited_for_a_ledger_that_was_deleted_is_deleted_and_not_merged_into_the_next(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    left_behind(tmp_path, clock.now())
    delete_ledger(tmp_path)
    for waited in (0, 3):
        # What the new one takes in is its own, however often it is opened.
        database = opened(tmp_path)
        assert len(merged(database)) == waited
        inbox_of(database).append(some(clock.now(), 3))
        assert database.clear_log()
        database.close()
    assert caplog.text.count("inbox.of_another_database") == 1


def test_nothing_of_what_waited_for_a_deleted_ledger_is_readable_any_more(tmp_path: Path, clock: FakeClock) -> None:
    left_behind(tmp_path, clock.now())
    delete_ledger(tmp_path)
    database = opened(tmp_path)
    inbox_of(database).waiting()
    assert database.clear_log()
    database.close()
    assert [file.name for file in tmp_path.iterdir() if b"xxxx" in file.read_bytes()] == []


def test_a_restored_backup_takes_what_waits_beside_it(tmp_path: Path, clock: FakeClock) -> None:
    left_behind(tmp_path, clock.now())
    with sqlite3.connect(tmp_path / "piecewise.db") as live, sqlite3.connect(tmp_path / "copy.db") as copy:
        live.backup(copy)
    delete_ledger(tmp_path)
    shutil.copy(tmp_path / "copy.db", tmp_path / "piecewise.db")
    database = opened(tmp_path)
    assert len(merged(database)) == 2
    database.close()


def test_an_inbox_that_is_not_marked_yet_is_the_ledgers(tmp_path: Path, clock: FakeClock) -> None:
    left_behind(tmp_path, clock.now())
    with sqlite3.connect(tmp_path / "piecewise.db-inbox") as beside:
        # As who was killed between the two marks left it.
        beside.execute("PRAGMA user_version = 0")
    database = opened(tmp_path)
    assert len(merged(database)) == 2
    database.close()


def test_what_was_merged_is_readable_in_no_file_of_the_database_once_the_inbox_is_cleared(
    table: Database, clock: FakeClock
) -> None:
    """In the table, and in what lies beside it of long bodies."""
    whose = table.write(workspaces.ensure, "T1", "Acme", "USD").id
    long = bytes(random.Random(4).randbytes(9000)) + b"Quackenbush"
    inbox_of(table).append([Call(whose, clock.now(), "stannp", body) for body in (b"Wilhelmina", long)])
    assert len(merged(table)) == 2
    assert files_of_inbox(table)
    assert table.clear_log()
    assert files_of_inbox(table) == b""


def test_to_clear_the_inbox_waits_for_nobody(table: Database, clock: FakeClock) -> None:
    inbox = inbox_of(table)
    whose = table.write(workspaces.ensure, "T1", "Acme", "USD").id
    inbox.append(some(clock.now(), 3, whose))

    def work(connection: Connection, taken: Sequence[Taken]) -> None:
        connection.execute(text("LOCK TABLE inbox IN SHARE UPDATE EXCLUSIVE MODE"))
        assert not table.clear_log(), "it was not done, and is said so"
        inbox.append(some(clock.now(), 1, whose))
        assert len(taken) == 3

    assert inbox.merge(Turn(), work) == 3
    assert inbox.waiting()[whose].calls == 1
    assert table.clear_log()


def files_of_inbox(table: Database) -> bytes:
    with table.reader.connect() as connection:
        connection.execute(text("CHECKPOINT"))
        path = "pg_read_binary_file(pg_relation_filepath({}))"
        toast = path.format("reltoastrelid::regclass")
        both = f"SELECT {path.format('oid::regclass')} || {toast} FROM pg_class WHERE relname = 'inbox'"
        return bytes(connection.execute(text(both)).scalar_one())


@pytest.mark.parametrize("of_the_first", [20, 300])
def test_where_many_wait_few_are_merged_at_once_and_all_have_their_turn(
    database: Database, clock: FakeClock, of_the_first: int
) -> None:
    """Each workspace of a merge costs a number of statements: many calls of few are far cheaper than one of many."""
    inbox, number = inbox_of(database), 40
    whose = [database.write(workspaces.ensure, f"T{n}", "Acme", "USD").id for n in range(number)]
    for n, one in enumerate(whose):
        inbox.append([Call(one, clock.now(), "stannp", b"x")] * (20 if n else of_the_first))
    turn, served, taken_of = Turn(), set[int](), dict.fromkeys(whose, 0)
    rounds = 0

    def work(_connection: Connection, taken: Sequence[Taken]) -> None:
        those = {one.call.workspace_id for one in taken}
        assert len(those) <= WIDE
        served.update(those)
        for one in taken:
            taken_of[one.call.workspace_id] += 1

    while inbox.merge(turn, work):
        rounds += 1
        if rounds == -(-number // WIDE):
            assert served == {*whose}, "one had no turn yet"
    assert taken_of == {one: 20 if n else of_the_first for n, one in enumerate(whose)}


@pytest.mark.parametrize(("number", "most"), [(1, 1), (40, 256)])
def test_what_is_left_lying_of_some_holds_up_no_other(
    database: Database, clock: FakeClock, number: int, most: int
) -> None:
    inbox = inbox_of(database)
    *others, last = [database.write(workspaces.ensure, f"T{n}", "Acme", "USD").id for n in range(number + 1)]
    inbox.append([Call(one, clock.now(), "stannp", b"x") for one in others])
    resting: set[int] = set()

    def leave_lying(_connection: Connection, taken: Sequence[Taken]) -> None:
        resting.update(one.number for one in taken)
        raise LookupError

    while len(resting) < number:
        with pytest.raises(LookupError):
            inbox.merge(Turn(without=set(resting)), leave_lying)
    inbox.append([Call(last, clock.now(), "stannp", b"x")])
    turn, got = Turn(most=most, without=resting), list[Taken]()
    assert inbox.merge(turn, lambda _connection, taken: got.extend(taken)) == 1
    assert [one.call.workspace_id for one in got] == [last]
    assert inbox.merge(turn, lambda _connection, taken: got.extend(taken)) == 0


def test_what_another_process_is_merging_holds_up_no_other_workspace(table: Database, clock: FakeClock) -> None:
    """The other one stands still in its transaction, and holds every call of those whose turn it is."""
    inbox = inbox_of(table)
    whose = [table.write(workspaces.ensure, f"T{n}", "Acme", "USD").id for n in range(WIDE * 2 + 1)]
    inbox.append([Call(one, clock.now(), "stannp", b"x") for one in whose])
    held, got = list[int](), list[int]()

    def hold(_connection: Connection, taken: Sequence[Taken]) -> None:
        held.extend(one.call.workspace_id for one in taken)
        with ThreadPoolExecutor(1) as other:
            turn = Turn()
            while other.submit(
                inbox.merge, turn, lambda _connection, more: got.extend(one.call.workspace_id for one in more)
            ).result(30):
                pass

    assert inbox.merge(Turn(), hold) == WIDE
    assert held == whose[:WIDE]
    assert got == whose[WIDE:]
    assert inbox.merge(Turn(), hold) == 0
