"""Decides whether a SQLite file is still the one that was opened, and that one process alone uses it.

A process goes on writing to a file that was deleted or replaced, and what it keeps there is lost with it. So the file's
device and inode are compared before each connection and each transaction (two microseconds).
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy.exc import OperationalError

log = structlog.get_logger()

GONE: Final = "the database file was deleted or replaced while it was in use"
MENDED: Final = "Stop the bot, put the file back (or a backup of it) with its -wal beside it, and start the bot again."
LOG_MENDED: Final = "Stop the bot in the ordinary way, which keeps what was in its log, and start it again."


class DatabaseBusyError(RuntimeError):
    """Another Piecewise already uses this SQLite file. Stop it first, or use PostgreSQL to run several."""


class SameFile:
    """Remembers which file was opened first under this path."""

    def __init__(self, path: str) -> None:
        # Relative paths mean another file once the process changes its folder.
        self.path = Path(path).absolute()
        self.first: tuple[int, int] | None = None
        #: Its log, in which stands what was committed last; looked at once it was remembered.
        self.log = Path(f"{self.path}-wal")
        self.first_log: tuple[int, int] | None = None
        #: Connections that are open of those whose makers say so.
        self.connections = 0
        self.gone = False
        self.changing = threading.Lock()

    def remember(self) -> None:
        """The file is open now."""
        self.first = self.first or _identity(self.path)

    def opened(self) -> None:
        """One more connection is open, until `closed`. The log is there as long as any is."""
        with self.changing:
            self.connections += 1

    def closed(self) -> None:
        """One fewer. Who closes the last one deletes the log."""
        with self.changing:
            self.connections -= 1
            if self.connections <= 0:
                self.forget_log()

    def remember_log(self) -> None:
        """Its log is there now, and stays: for whoever keeps a connection open until `forget_log`."""
        self.first_log = self.first_log or _identity(self.log)

    def forget_log(self) -> None:
        """Who closes the last connection deletes it."""
        self.first_log = None

    def require(self, *_event: Any) -> None:
        """Raises OperationalError, as an outage, while another file or none stands at this path."""
        if self.first is None:
            return
        if self.connections > 0 and self.first_log is None:
            self.remember_log()
        if (self._missing() is not None) != self.gone:
            self._notice()
        if self.gone:
            moved = sqlite3.OperationalError(GONE)
            moved.sqlite_errorcode, moved.sqlite_errorname = sqlite3.SQLITE_READONLY_DBMOVED, "SQLITE_READONLY_DBMOVED"
            raise OperationalError("BEGIN", None, moved)

    def _missing(self) -> Path | None:
        """Which of the two is not the one that was opened."""
        if self.first_log is not None and _identity(self.log) != self.first_log:
            return self.log
        return None if _identity(self.path) == self.first else self.path

    def _notice(self) -> None:
        # Readers and the writer see it at the same moment, and one of them says it. Who waited here looks again: what
        # was seen before may be over.
        with self.changing:
            missing = self._missing()
            if (missing is not None) == self.gone:
                return
            self.gone = missing is not None
            if missing is not None:
                do = LOG_MENDED if missing == self.log else MENDED
                log.error("database.file_gone", file=str(missing), reason=GONE, do=do)
            else:
                log.warning("database.file_back", file=str(self.path))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - before each transaction, and three times as quick
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def held(path: str) -> Iterator[None]:
    """Holds this file for this process alone, under whatever names it is known. Raises DatabaseBusyError, OSError.

    The locks end with the process, however it ends. One is on the file itself, for a hard link is another name of it;
    SQLite's own locks are of another kind (fcntl) and do not meet it. The other lies beside the file's true path.
    """
    real = os.path.realpath(path)
    with ExitStack() as stack:
        for name, mode in ((real + ".lock", "w"), (real, "ab")):
            handle = stack.enter_context(Path(name).open(mode))
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DatabaseBusyError(DatabaseBusyError.__doc__) from None
        yield
