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
from tests.simulation.loop import LANE, Lane
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
        event.listen(self.engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        event.listen(self.engine, "rollback", _forget_tables)
        revision.migrate(Database(self.engine, self.engine, Unwatched()))
        self.empty = self.raw.serialize()

    def begin(self, clock: Callable[[], datetime]) -> None:
        """An empty database, whose time this is."""
        self.raw.deserialize(self.empty)
        self.clock = clock


class Line(Database):
    """A process's way to the database: it may be cut, and what was asked may have been done all the same."""

    def __init__(self, store: Store, weather: Weather, lane: Lane, limits: Limits = SHORT) -> None:
        super().__init__(store.engine, store.engine, Unwatched(), limits)
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
            return work(connection, *args, **kwargs)

    def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        assert LANE.get() is self.lane or LANE.get() is None
        fate = self.weather.fate(f"database of {self.lane.name}")
        if fate is Fate.BEFORE:
            raise _cut()
        with self.writer.begin() as connection:
            result = work(connection, *args, **kwargs)
        if fate is not Fate.WELL:
            raise _cut()
        return result


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
