"""One database for all processes of a story, in memory, with the world's time; and each process's own way to it."""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.exc import OperationalError

from storage.database import SHORT, Database, Limits, _forget_tables
from storage.schema import revision
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
        event.listen(self.engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        event.listen(self.engine, "rollback", _forget_tables)
        revision.migrate(Database(self.engine, self.engine, Unwatched()))
        self.empty = sqlite3.connect(":memory:", check_same_thread=False)
        self.raw.backup(self.empty)

    def begin(self, clock: Callable[[], datetime]) -> None:
        """An empty database, whose time this is."""
        if self.raw.in_transaction:
            self.raw.execute("ROLLBACK")
        self.empty.backup(self.raw)
        self.clock = clock


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

    def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self.weather.fate(f"database of {self.lane.name}") is not Fate.WELL:
            raise _cut()
        with self.reader.connect() as connection:
            result = work(connection, *args, **kwargs)
        self.weather.reach(f"read {name_of(work)}")
        return result

    def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.weather.reach(f"before {name_of(work)}")
        fate = self.weather.fate(f"database of {self.lane.name}")
        if fate is Fate.BEFORE:
            raise _cut()
        with self.writer.begin() as connection:
            result = work(connection, *args, **kwargs)
        self.weather.reach(f"written {name_of(work)}")
        if fate is not Fate.WELL:
            raise _cut()
        return result


def name_of(work: Any) -> str:
    """What a unit of work is called in the program."""
    return str(getattr(work, "__name__", type(work).__name__))


def _cut() -> OperationalError:
    """As the driver says that a connection broke."""
    error = OperationalError("a unit of work", None, ConnectionError("the connection broke"))
    error.connection_invalidated = True
    return error


def ask(store: Store, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the world reads or writes there itself, past all processes."""
    with store.engine.begin() as connection:
        return work(connection, *args, **kwargs)


Rows = list[dict[str, Any]]


def rows(store: Store, statement: str) -> Rows:
    """The rows of a plain statement."""
    return ask(store, lambda connection: [dict(row) for row in connection.exec_driver_sql(statement).mappings()])
