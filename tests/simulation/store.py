"""One database for all processes of a story, in memory, with the world's time; and each process's own way to it."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, StaticPool, create_engine, delete, event, func, insert, select
from sqlalchemy.exc import OperationalError

from storage.database import SHORT, TOLD, Database, Limits, _forget_tables, open_database, prove_writable
from storage.inbox import Call, Inbox, InTable, Merging, Taken, Turn, Waiting
from storage.records import WorkspaceId
from storage.schema import revision
from storage.schema.account_tables import inbox
from storage.schema.tables import metadata
from storage.watchdog import Watchdog
from tests.simulation.loop import Lane
from tests.simulation.weather import Fate, Weather

P = ParamSpec("P")
T = TypeVar("T")


class Unwatched(Watchdog):
    """Time stands still while a unit of work is done: nothing of it can hang."""

    def __init__(self) -> None:
        super().__init__(lambda _connection: None)

    def _watch(self) -> None:
        return


class Store:
    """The database itself. Made once, and emptied for each story: what SQLAlchemy has compiled stays."""

    def __init__(self) -> None:
        self.clock: Callable[[], datetime] = datetime.now
        self.raw = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.raw.execute("PRAGMA secure_delete=ON")
        # The database's own clock: see `storage.database.TIME`.
        self.raw.create_function("strftime", -1, lambda *_: self.clock().isoformat(timespec="milliseconds"))
        self.engine: Engine = create_engine("sqlite://", creator=lambda: self.raw, poolclass=StaticPool)
        # Reads need no transaction: nothing else happens while one is done.
        self.reader: Engine = create_engine("sqlite://", creator=lambda: self.raw, poolclass=StaticPool)
        event.listen(self.engine, "begin", lambda _connection: self.raw.execute("BEGIN"))
        event.listen(self.engine, "rollback", _forget_tables)
        revision.migrate(Database(self.engine, self.engine, Unwatched()))
        self.empty = sqlite3.connect(":memory:", check_same_thread=False)
        self.raw.backup(self.empty)
        self._connect()

    def _connect(self) -> None:
        # One of each for all stories: no two units of work are ever done at once.
        told: dict[str, Any] = {TOLD: self._now}
        self.reading = self.reader.connect().execution_options(**told)
        self.writing = self.engine.connect().execution_options(**told)

    def inbox(self, line: "Line") -> Inbox:
        """Where webhook calls wait, as a process reaches it."""
        return SharedInbox(line)

    def close(self) -> None:
        """Ends what it holds open."""
        self.reading.close()
        self.writing.close()

    def _now(self) -> datetime:
        return self.clock()

    def begin(self, clock: Callable[[], datetime]) -> None:
        """An empty database, whose time this is."""
        if self.raw.in_transaction:
            self.raw.execute("ROLLBACK")
        self.empty.backup(self.raw)
        self.clock = clock


class OnPostgres(Store):
    """The same on a real PostgreSQL, with its own statements and its own inbox. Each story begins on empty tables."""

    def __init__(self, url: str) -> None:
        self.clock = datetime.now
        database = open_database(url)
        revision.migrate(database)
        self.engine, self.reader = database.writer, database.reader
        with self.reader.connect() as connection:
            # What the migrations put in stays.
            empty = [one.name for one in metadata.sorted_tables if connection.scalar(select(one).limit(1)) is None]
        self.emptying = f"TRUNCATE {', '.join(empty)} RESTART IDENTITY CASCADE"
        self._connect()

    def begin(self, clock: Callable[[], datetime]) -> None:
        if self.writing.in_transaction():
            self.writing.rollback()
        with self.writing.begin():
            self.writing.exec_driver_sql(self.emptying)
        self.clock = clock

    def inbox(self, line: "Line") -> Inbox:
        return InTable(line)


class Line(Database):
    """A process's way to the database: it may be cut, and what was asked may have been done all the same."""

    def __init__(self, store: Store, weather: Weather, lane: Lane, limits: Limits = SHORT) -> None:
        super().__init__(store.reader, store.engine, Unwatched(), limits)
        self.store = store
        self.weather = weather
        self.lane = lane

    @property
    def patient(self) -> "Line":
        return Line(self.store, self.weather, self.lane)

    @property
    def is_file(self) -> bool:
        # Several processes share it.
        return False

    def clear_log(self) -> bool:
        """Memory has neither a log nor pages to give back."""
        return True

    def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self.weather.fate(f"database of {self.lane.name}") is not Fate.WELL:
            raise _cut()
        result = work(self.store.reading, *args, **kwargs)
        self.weather.reach(f"read {name_of(work)}")
        return result

    def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.weather.reach(f"before {name_of(work)}")
        fate = self.weather.fate(f"database of {self.lane.name}")
        if fate is Fate.BEFORE:
            raise _cut()
        with self.store.writing.begin():
            result = work(self.store.writing, *args, **kwargs)
        self.weather.reach(f"written {name_of(work)}")
        if fate is not Fate.WELL:
            raise _cut()
        return result


def name_of(work: Any) -> str:
    """What a unit of work is called in the program."""
    return str(getattr(work, "__name__", type(work).__name__))


@dataclass
class SharedInbox:
    """The inbox as on PostgreSQL: a table that all processes share, and what is merged leaves it in one transaction."""

    line: Line

    def append(self, calls: Sequence[Call]) -> None:
        def work(connection: Connection) -> None:
            top = connection.scalar(select(func.max(inbox.c.id))) or 0
            rows = [call._asdict() | {"id": top + n} for n, call in enumerate(calls, 1)]
            connection.execute(insert(inbox), rows)

        self.line.write(work)

    def merge(self, turn: Turn, work: Merging) -> int:
        def merge(connection: Connection) -> int:
            rows = select(inbox).where(inbox.c.id.not_in(sorted(turn.without))).order_by(inbox.c.id).limit(turn.most)
            taken = [
                Taken(row.id, Call(WorkspaceId(row.workspace_id), row.heard_at, row.platform, row.body))
                for row in connection.execute(rows).all()
            ]
            if taken:
                work(connection, taken)
                _drop(connection, taken)
            return len(taken)

        return self.line.write(merge)

    def drop(self, taken: Sequence[Taken]) -> None:
        self.line.write(_drop, taken)

    def waiting(self) -> dict[WorkspaceId, Waiting]:
        sums = select(
            inbox.c.workspace_id, func.count(), func.sum(func.length(inbox.c.body)), func.min(inbox.c.heard_at)
        )
        found = self.line.read(lambda c: c.execute(sums.group_by(inbox.c.workspace_id)).all())
        return {WorkspaceId(one): Waiting(calls, size, at) for one, calls, size, at in found}

    def forget(self, workspace_id: WorkspaceId) -> int:
        mine = delete(inbox).where(inbox.c.workspace_id == workspace_id)
        return int(self.line.write(lambda c: c.execute(mine).rowcount))

    def prove(self) -> None:
        self.line.write(prove_writable)


def _drop(connection: Connection, taken: Sequence[Taken]) -> None:
    connection.execute(delete(inbox).where(inbox.c.id.in_([one.number for one in taken])))


def _cut() -> OperationalError:
    """As the driver says that a connection broke."""
    error = OperationalError("a unit of work", None, ConnectionError("the connection broke"))
    error.connection_invalidated = True
    return error


def ask(store: Store, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the world reads or writes there itself, past all processes."""
    with store.writing.begin():
        return work(store.writing, *args, **kwargs)


Rows = list[dict[str, Any]]


def rows(store: Store, statement: str) -> Rows:
    """The rows of a plain statement."""
    return ask(store, lambda connection: [dict(row) for row in connection.exec_driver_sql(statement).mappings()])
