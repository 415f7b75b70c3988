"""SQLite's inbox: a file of its own beside the ledger's, so that to take a call never waits for the ledger's lock.

What is in it is merged and committed there first, and deleted here afterwards: who is killed in between merges it a
second time, which changes nothing. A call is there for good when `append` returns; that a deletion is lost with the
power does no harm, so deletions do not wait for the disk.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError

from storage.files import SameFile
from storage.statements import load

#: The workspace, when it was heard (microseconds since 1970), the platform's key, and the body.
Row = tuple[int, int, str, bytes]
#: The same with its number, which stands first.
Numbered = tuple[int, int, int, str, bytes]
#: What waits of a workspace: the workspace, calls, bytes of their bodies, and when the oldest was heard.
Sum = tuple[int, int, int, int]

SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS inbox (
        id INTEGER PRIMARY KEY, workspace_id INTEGER NOT NULL, heard_at INTEGER NOT NULL, platform TEXT NOT NULL,
        body BLOB NOT NULL);
    CREATE INDEX IF NOT EXISTS ix_inbox_workspace ON inbox (workspace_id)"""
#: The lock of the file is held for one commit at a time.
BUSY_SECONDS: Final = 5
#: Pages of its log after which a writer clears it itself; normally `checkpoint` has done so before.
LOG_PAGES: Final = 16_384
AHEAD: Final = str(load("inbox_ahead").sqlite)
SIZES: Final = """
    SELECT id, length(body) FROM inbox
    WHERE workspace_id = :workspace AND id NOT IN (SELECT value FROM json_each(:without)) ORDER BY id LIMIT :share"""
SUMS: Final = "SELECT workspace_id, count(*), sum(length(body)), min(heard_at) FROM inbox GROUP BY workspace_id"


class FileInbox:
    """The file beside a ledger's, made when it is first needed. Errors are those of the ledger's own file."""

    def __init__(self, ledger: str) -> None:
        self.path = path_beside(ledger)
        self.file = SameFile(str(self.path))
        #: One commit at a time, without SQLite's own way of waiting, which is to sleep and try again.
        self._turn = threading.Lock()
        self._appending: sqlite3.Connection | None = None
        self._merging: sqlite3.Connection | None = None

    def append(self, rows: Sequence[Row]) -> None:
        """Keeps these calls: on the disk when it returns."""
        with self._turn, _named("INSERT INTO inbox"):
            connection = self._open_for_appending()
            # Committed at its end, or undone whatever is raised.
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                statement = "INSERT INTO inbox (workspace_id, heard_at, platform, body) VALUES (?, ?, ?, ?)"
                connection.executemany(statement, rows)

    def waiting(self, after: int, most: int) -> list[int]:
        """The next so many workspaces above this number of which something waits."""
        with _named("SELECT FROM inbox"):
            rows = self._open_for_merging().execute(AHEAD, {"after": after, "most": most}).fetchall()
        return [row[0] for row in rows]

    def sizes(self, workspace_id: int, share: int, without: Sequence[int]) -> list[tuple[int, int]]:
        """The oldest calls of a workspace: their numbers and bytes."""
        known = {"workspace": workspace_id, "share": share, "without": json.dumps(list(without))}
        with _named("SELECT FROM inbox"):
            return self._open_for_merging().execute(SIZES, known).fetchall()

    def read(self, numbers: Sequence[int]) -> list[Numbered]:
        """These calls."""
        columns = "id, workspace_id, heard_at, platform, body"
        with _named("SELECT FROM inbox"):
            statement = f"SELECT {columns} FROM inbox WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
            return self._open_for_merging().execute(statement, (json.dumps(list(numbers)),)).fetchall()

    def drop(self, numbers: Sequence[int]) -> None:
        """Deletes what was merged."""
        with self._turn, _named("DELETE FROM inbox"):
            statement = "DELETE FROM inbox WHERE id IN (SELECT value FROM json_each(?))"
            self._open_for_merging().execute(statement, (json.dumps(list(numbers)),))

    def forget(self, workspace_id: int) -> int:
        """Deletes what waits of a workspace; gives how many calls."""
        with self._turn, _named("DELETE FROM inbox"):
            statement = "DELETE FROM inbox WHERE workspace_id = ?"
            return self._open_for_merging().execute(statement, (workspace_id,)).rowcount

    def sums(self) -> list[Sum]:
        """What waits of each workspace."""
        with _named("SELECT FROM inbox"):
            return self._open_for_merging().execute(SUMS).fetchall()

    def prove(self) -> None:
        """Changes nothing, and raises where nothing can be changed."""
        with self._turn, _named("BEGIN"):
            connection = self._open_for_appending()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")

    def checkpoint(self) -> None:
        """Moves what was committed from the log into the file, without waiting for anybody."""
        if self._merging is not None:
            with _named("PRAGMA wal_checkpoint"):
                self._merging.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def clear_log(self) -> bool:
        """Cuts its log, in which deleted pages still stand as they were. Gives whether it could be done now."""
        if self._merging is None and not self.path.exists():
            return True
        with self._turn, _named("PRAGMA wal_checkpoint"):
            connection = self._open_for_merging()
            connection.execute("PRAGMA busy_timeout=0")
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            connection.execute(f"PRAGMA busy_timeout={1000 * BUSY_SECONDS}")
        return not busy

    def close(self) -> None:
        for connection in (self._appending, self._merging):
            if connection is not None:
                connection.close()
        self._appending = self._merging = None

    def _open_for_appending(self) -> sqlite3.Connection:
        if self._appending is None:
            self._appending = self._opened("FULL")
        self.file.require()
        return self._appending

    def _open_for_merging(self) -> sqlite3.Connection:
        if self._merging is None:
            self._merging = self._opened("NORMAL")
        self.file.require()
        return self._merging

    def _opened(self, synchronous: str) -> sqlite3.Connection:
        self.file.require()
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None)
        for pragma in (
            "journal_mode=WAL", f"synchronous={synchronous}", "temp_store=MEMORY", "secure_delete=ON",
            f"wal_autocheckpoint={LOG_PAGES}",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")
        connection.executescript(SCHEMA)
        self.file.remember()
        return connection


def path_beside(ledger: str) -> Path:
    """Where the inbox of this ledger lies: beside its true file, whatever links lead to that."""
    true = Path(ledger).resolve()
    return true.with_name(true.name + "-inbox")


@contextmanager
def _named(statement: str) -> Iterator[None]:
    """What SQLite raises, as SQLAlchemy tells what the ledger's file raises, and without a value."""
    try:
        yield
    except sqlite3.Error as error:
        raise DBAPIError.instance(statement, None, error, sqlite3.Error, hide_parameters=True) from None
