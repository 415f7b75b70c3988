"""Bounds each unit of work in time: what hangs is cut off, and while nobody answers nothing queues behind that.

A database that vanishes in a failover says no farewell: its sockets stay open and silent. So each unit of work has a
time of its own, after which its connection is hung up; the thread that did it is free again, and its error is one of a
broken connection. Seconds are of the machine's steady clock.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from storage.failures import is_outage

#: How often is looked for units that hang.
LOOK_EVERY: Final = 0.25
#: A unit that writes and takes longer than this makes the process unready, long before it is cut off.
STUCK: Final = 5.0
#: After a connection could not be made, or hung, units fail at once for so long: a queue would wait for each in turn.
REST: Final = 1.0


@dataclass(eq=False)
class Unit:
    """A unit of work that is being done: since when, for how long at most, and on which connection."""

    limit: float
    writes: bool
    #: Not one of those that may take long.
    is_short: bool
    #: Whether that it goes well tells that something can be written.
    proves: bool = True
    began: float = field(default_factory=time.monotonic)
    #: What it has, until when it may have it, and whether it was hung up.
    connection: Any = None
    until: float = 0.0
    cut: bool = False


class Watchdog:
    """Knows every unit that is under way. `hang_up` ends a connection from another thread."""

    def __init__(self, hang_up: Callable[[Any], None]) -> None:
        self.hang_up = hang_up
        #: Whether the last unit that wrote ended because the database is in trouble.
        self.failing = False
        self._units: set[Unit] = set()
        self._lock = threading.Lock()
        self._mine = threading.local()
        self._silent_until = 0.0
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def unit(self, limit: float, *, writes: bool, is_short: bool) -> Iterator[Unit]:
        """Watches what is done within. Raises OperationalError at once while the database is known not to answer."""
        if time.monotonic() < self._silent_until:
            raise OperationalError("a unit of work", None, ConnectionError("the database did not answer a moment ago"))
        unit, outer = Unit(limit, writes, is_short), getattr(self._mine, "unit", None)
        self._mine.unit = unit
        with self._lock:
            self._units.add(unit)
        self._watch()
        try:
            yield unit
        except SQLAlchemyError as error:
            self.failing = self.failing or (writes and is_outage(error))
            if unit.cut:
                self.fell_silent()
            raise
        else:
            self.failing = self.failing and not (writes and unit.proves)
        finally:
            self._mine.unit = outer
            with self._lock:
                self._units.discard(unit)

    def is_well(self) -> bool:
        """Whether the last unit that wrote went well, and none hangs now."""
        now = time.monotonic()
        with self._lock:
            return not self.failing and not any(
                one.writes and one.is_short and now - one.began > STUCK for one in self._units
            )

    def hold(self, connection: Any, seconds: float | None = None) -> None:
        """The unit of this thread goes on with this connection, for its own time or for so many seconds."""
        unit: Unit | None = getattr(self._mine, "unit", None)
        if unit is not None:
            with self._lock:
                unit.connection, unit.cut = connection, False
                unit.until = time.monotonic() + (unit.limit if seconds is None else seconds)

    def release(self, connection: Any) -> None:
        """The connection is about to be closed: its number may be another's in a moment."""
        with self._lock:
            for unit in self._units:
                if unit.connection is connection:
                    unit.connection = None

    def fell_silent(self) -> None:
        """The database could not be reached."""
        self._silent_until = time.monotonic() + REST

    def close(self) -> None:
        self._closed.set()

    def _watch(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
            self._thread.start()

    def _look(self) -> None:
        while not self._closed.wait(LOOK_EVERY):
            now = time.monotonic()
            with self._lock:
                for unit in self._units:
                    if unit.connection is not None and now > unit.until and not unit.cut:
                        unit.cut = True
                        self.hang_up(unit.connection)
