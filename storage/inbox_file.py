"""SQLite's inbox: a file of its own beside the ledger's, so that to take a call never waits for the ledger's lock.

What is in it is merged and committed there first, and deleted here afterwards: who is killed in between merges it a
second time, which changes nothing. A call is there for good when `append` returns; that a deletion is lost with the
power does no harm, so deletions do not wait for the disk.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from storage.failures import reason_of
from storage.files import SameFile
from storage.statements import load

log = structlog.get_logger()

#: The workspace, when it was heard (microseconds since 1970), the platform's key, and the body.
Row = tuple[int, int, str, bytes]
#: The same with its number, which stands first.
Numbered = tuple[int, int, int, str, bytes]
#: What waits of a workspace: the workspace, calls, bytes of their bodies, and when the oldest was heard.
Sum = tuple[int, int, int, int]

#: No number is given twice: who merged a call deletes it by its number, whatever was deleted and taken in meanwhile.
SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS inbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT, workspace_id INTEGER NOT NULL, heard_at INTEGER NOT NULL,
        platform TEXT NOT NULL, body BLOB NOT NULL);
    CREATE INDEX IF NOT EXISTS ix_inbox_workspace ON inbox (workspace_id)"""
#: The lock of the file is held for one commit at a time.
BUSY_SECONDS: Final = 5
#: Pages of its log after which a writer clears it itself; normally `checkpoint` has done so before.
LOG_PAGES: Final = 16_384
#: Stands in the header of either file, and nowhere else is it used.
MARK: Final = "PRAGMA user_version"
DELETED: Final = "What waited here was another database's, and is deleted. What it told is in the next polls' reports."
#: That the file itself is damaged, or is none of SQLite's.
DAMAGED: Final = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})
MENDED: Final = (
    "Stop the bot, move this file with its -wal and -shm elsewhere, and start the bot again: it makes a new one. What "
    "waited here is in the next polls' reports."
)
#: A call of nobody's, which is gone again before anybody sees it.
PROOF: Final = "INSERT INTO inbox (workspace_id, heard_at, platform, body) VALUES (0, 0, '', x'')"
AHEAD: Final = str(load("inbox_ahead").sqlite)
SIZES: Final = """
    SELECT id, length(body) FROM inbox
    WHERE workspace_id = :workspace AND id NOT IN (SELECT value FROM json_each(:without)) ORDER BY id LIMIT :share"""
SUMS: Final = "SELECT workspace_id, count(*), sum(length(body)), min(heard_at) FROM inbox GROUP BY workspace_id"


class Single:
    """One connection for one purpose: whoever uses it has it alone, and a lock on its rows is none on the others'."""

    def __init__(self, opening: Callable[[], sqlite3.Connection]) -> None:
        self.opening = opening
        self.using = threading.Lock()
        self.connection: sqlite3.Connection | None = None

    @contextmanager
    def alone(self) -> Iterator[sqlite3.Connection]:
        """The connection, opened when it is first needed."""
        with self.using:
            self.connection = self.connection or self.opening()
            yield self.connection

    def close(self) -> None:
        with self.using:
            if self.connection is not None:
                self.connection.close()
            self.connection = None


class FileInbox:
    """The file beside a ledger's, made when it is first needed. Errors are those of the ledger's own file."""

    def __init__(self, ledger: str) -> None:
        self.ledger, self.path = ledger, path_beside(ledger)
        self._is_ours = False
        self._is_damaged = False
        #: Whether the last call that was to be kept was not: what the ledger takes meanwhile says nothing of that.
        self.failing = False
        self.file = SameFile(str(self.path))
        #: One commit at a time, without SQLite's own way of waiting, which is to sleep and try again.
        self._turn = threading.Lock()
        self._opening = threading.Lock()
        # Each has its own: a count between two of its rows would hold what else its connection commits at its moment.
        self._appending = Single(lambda: self._opened("FULL"))
        self._merging = Single(lambda: self._opened("NORMAL"))
        self._counting = Single(lambda: self._opened("NORMAL"))
        self._clearing = Single(lambda: self._opened("NORMAL"))

    def append(self, rows: Sequence[Row]) -> None:
        """Keeps these calls: on the disk when it returns."""
        with self._proving(), self._using(self._appending, "INSERT INTO inbox") as connection, self._turn, connection:
            # Committed at its end, or undone whatever is raised.
            connection.execute("BEGIN IMMEDIATE")
            statement = "INSERT INTO inbox (workspace_id, heard_at, platform, body) VALUES (?, ?, ?, ?)"
            connection.executemany(statement, rows)

    def waiting(self, after: int, most: int) -> list[int]:
        """The next so many workspaces above this number of which something waits."""
        with self._using(self._merging, "SELECT FROM inbox") as connection:
            rows = connection.execute(AHEAD, {"after": after, "most": most}).fetchall()
        return [row[0] for row in rows]

    def sizes(self, workspace_id: int, share: int, without: Sequence[int]) -> list[tuple[int, int]]:
        """The oldest calls of a workspace: their numbers and bytes."""
        known = {"workspace": workspace_id, "share": share, "without": json.dumps(list(without))}
        with self._using(self._merging, "SELECT FROM inbox") as connection:
            return connection.execute(SIZES, known).fetchall()

    def read(self, numbers: Sequence[int]) -> list[Numbered]:
        """These calls."""
        columns = "id, workspace_id, heard_at, platform, body"
        statement = f"SELECT {columns} FROM inbox WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
        with self._using(self._merging, "SELECT FROM inbox") as connection:
            return connection.execute(statement, (json.dumps(list(numbers)),)).fetchall()

    def drop(self, numbers: Sequence[int]) -> None:
        """Deletes what was merged."""
        statement = "DELETE FROM inbox WHERE id IN (SELECT value FROM json_each(?))"
        with self._using(self._merging, "DELETE FROM inbox") as connection, self._turn:
            connection.execute(statement, (json.dumps(list(numbers)),))

    def forget(self, workspace_id: int) -> int:
        """Deletes what waits of a workspace; gives how many calls."""
        with self._using(self._merging, "DELETE FROM inbox") as connection, self._turn:
            return connection.execute("DELETE FROM inbox WHERE workspace_id = ?", (workspace_id,)).rowcount

    def sums(self) -> list[Sum]:
        """What waits of each workspace."""
        with self._using(self._counting, "SELECT FROM inbox") as connection:
            return connection.execute(SUMS).fetchall()

    def prove(self) -> None:
        """Leaves nothing behind, and raises where nothing can be kept: what it commits goes to the disk."""
        with self._proving(), self._using(self._appending, "INSERT INTO inbox") as connection, self._turn, connection:
            # A lock alone can be had while the disk is full. The number that this one takes is written down for good.
            connection.execute("BEGIN IMMEDIATE")
            number = connection.execute(PROOF).lastrowid
            connection.execute("DELETE FROM inbox WHERE id = ?", (number,))

    def checkpoint(self) -> None:
        """Moves what was committed from the log into the file, without waiting for anybody."""
        if self.file.first is not None:
            with self._using(self._clearing, "PRAGMA wal_checkpoint") as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def clear_log(self) -> bool:
        """Cuts its log, in which deleted pages still stand as they were. Gives whether it could be done now."""
        if self.file.first is None and not self.path.exists():
            return True
        with self._using(self._clearing, "PRAGMA wal_checkpoint") as connection, self._turn:
            connection.execute("PRAGMA busy_timeout=0")
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            connection.execute(f"PRAGMA busy_timeout={1000 * BUSY_SECONDS}")
        return not busy

    def close(self) -> None:
        self.file.forget_log()
        for single in (self._appending, self._merging, self._counting, self._clearing):
            single.close()

    @contextmanager
    def _proving(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError:
            self.failing = True
            raise
        self.failing = False

    @contextmanager
    def _using(self, single: Single, statement: str) -> Iterator[sqlite3.Connection]:
        with self._named(statement), single.alone() as connection:
            self.file.require()
            yield connection

    @contextmanager
    def _named(self, statement: str) -> Iterator[None]:
        """What SQLite raises, as SQLAlchemy tells what the ledger's file raises, and without a value."""
        try:
            yield
        except sqlite3.Error as error:
            self._say_damage(error)
            raise DBAPIError.instance(statement, None, error, sqlite3.Error, hide_parameters=True) from None

    def _say_damage(self, error: sqlite3.Error) -> None:
        """Once: whoever keeps or merges a call meets it again and again."""
        if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in DAMAGED and not self._is_damaged:
            self._is_damaged = True
            log.error("inbox.damaged", file=str(self.path), reason=reason_of(error), do=MENDED)

    def _opened(self, synchronous: str) -> sqlite3.Connection:
        self.file.require()
        with self._opening:
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None)
            for pragma in (
                "journal_mode=WAL", f"synchronous={synchronous}", "temp_store=MEMORY", "secure_delete=ON",
                f"wal_autocheckpoint={LOG_PAGES}",
            ):  # fmt: skip
                connection.execute(f"PRAGMA {pragma}")
            connection.executescript(SCHEMA)
            if not self._is_ours:
                self._claim(connection)
                self._is_ours = True
            self.file.remember()
            # Each of our connections stays open until all are closed, and so does the log.
            self.file.remember_log()
        return connection

    def _claim(self, connection: sqlite3.Connection) -> None:
        """Marks it as this ledger's. What waited for another one, which was deleted or replaced, is deleted."""
        mark = _mark_of(self.ledger)
        found = connection.execute(MARK).fetchone()[0]
        if found == mark:
            return
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            # One without a mark is new, or whoever made it was killed before they could mark it.
            calls = connection.execute("DELETE FROM inbox").rowcount if found else 0
            connection.execute(f"PRAGMA user_version = {mark}")
        if found:
            log.warning("inbox.of_another_database", calls=calls, file=str(self.path), do=DELETED)


def path_beside(ledger: str) -> Path:
    """Where the inbox of this ledger lies: beside its true file, whatever links lead to that."""
    true = Path(ledger).resolve()
    return true.with_name(true.name + "-inbox")


def _mark_of(ledger: str) -> int:
    """The number by which a ledger and its inbox know each other, drawn once: copies and backups that were made
    since have it, and no other ledger at the same place."""
    with closing(sqlite3.connect(f"{Path(ledger).resolve().as_uri()}?mode=rw", timeout=BUSY_SECONDS, uri=True)) as file:
        file.isolation_level = None
        if not file.execute(MARK).fetchone()[0]:
            with file:
                # Another process may be drawing one, too: the first holds.
                file.execute("BEGIN IMMEDIATE")
                drawn = file.execute("SELECT abs(random() % 2147483647) + 1").fetchone()[0]
                mark = file.execute(MARK).fetchone()[0] or drawn
                file.execute(f"PRAGMA user_version = {mark}")
        return int(file.execute(MARK).fetchone()[0])


def damage(ledger: str) -> str:
    """What is wrong with the inbox beside this ledger; "" for nothing, or where there is none yet. Changes nothing."""
    path = path_beside(ledger)
    if not path.exists():
        return ""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", timeout=BUSY_SECONDS, uri=True)) as file:
            found = str(file.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        return reason_of(error)
    return "" if found == "ok" else "it is damaged"
