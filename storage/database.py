"""Opens the database: one engine that reads, one that writes, and what differs between SQLite and PostgreSQL."""

import contextlib
import os
import re
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import (
    URL,
    Connection,
    Dialect,
    Engine,
    Executable,
    Table,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from storage.dialects import is_postgresql, vacuum_inbox
from storage.failures import READ_ONLY, state_of
from storage.files import SameFile, held
from storage.inbox_file import FileInbox, path_beside
from storage.pooling import require_sessions, tell_options
from storage.statements import Sql
from storage.watchdog import Unit, Watchdog

P = ParamSpec("P")
T = TypeVar("T")

READERS = 4
#: PostgreSQL undid the transaction for the sake of another, and says that it may be tried again.
CROSSED: Final = frozenset({"40001", "40P01"})
TRIES: Final = 5
#: SQLite's log is cut so often, in seconds: who was forgotten stands in it until then.
CLEAR_EVERY: Final = 600.0
#: What libpq is told unless DATABASE_URL says otherwise (postgresql.org/docs: libpq-connect; the last is milliseconds).
#: Of several hosts the one that takes writes is wanted, and a standby is none.
CONNECTING: Final = {
    "connect_timeout": "5", "keepalives_idle": "10", "keepalives_interval": "3", "keepalives_count": "3",
    "tcp_user_timeout": "10000", "target_session_attrs": "read-write", "application_name": "piecewise",
}  # fmt: skip
#: A connection that was idle for so many seconds is asked whether it lives, and has so many to say so.
PING_AFTER, PING_SECONDS = 5.0, 2.0
#: Pages of SQLite's log after which a writer clears it itself (256 MB): normally `checkpoint` has done so before.
LOG_PAGES: Final = 65_536


class DatabaseDownError(RuntimeError):
    """The database does not answer. Is it running, and are host, user and password in DATABASE_URL right?"""


class DatabaseUrlError(ValueError):
    """DATABASE_URL must begin with sqlite:/// or postgresql://."""


#: Several hosts between the user and the database's name.
HOSTS: Final = re.compile(r"^(postgres\w*(?:\+\w+)?://(?:[^@/?]*@)?)([^@/?]+,[^@/?]+)(/[^?]*)?(?:\?(.*))?$")


def _as_query(found: re.Match[str]) -> str:
    """The hosts as SQLAlchemy wants them: `?host=a:5432&host=b:5432`."""
    hosts = "&".join(f"host={host}" for host in found[2].split(","))
    return f"{found[1]}{found[3] or '/'}?{hosts}" + (f"&{found[4]}" if found[4] else "")


def parse_url(text: str) -> URL:
    """The URL with the driver we use; raises DatabaseUrlError for a database that we do not know.

    Several hosts may be written as libpq does: `postgresql://name@a:5432,b:5432/piecewise`.
    """
    try:
        url = make_url(HOSTS.sub(_as_query, text))
    except (ArgumentError, ValueError):
        # The cause is left out: its text may hold the password.
        raise DatabaseUrlError(DatabaseUrlError.__doc__) from None
    kind = url.get_backend_name()
    if kind == "sqlite":
        return url.set(drivername="sqlite")
    if kind in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise DatabaseUrlError(DatabaseUrlError.__doc__)


@dataclass(frozen=True)
class Limits:
    """How many seconds a statement, a wait for a lock, and a unit of work may take."""

    statement: int
    lock: int
    unit: int

    def statements(self, local: str = "") -> str:
        """As PostgreSQL is told, in milliseconds."""
        times = {"statement_timeout": self.statement, "lock_timeout": self.lock}
        return "; ".join(f"SET {local} {name} = {1000 * seconds}" for name, seconds in times.items())


#: What somebody waits for; and imports, migrations, recounts.
SHORT: Final = Limits(statement=8, lock=5, unit=10)
LONG: Final = Limits(statement=1800, lock=300, unit=1860)
#: A transaction in which nothing happens for so many seconds is ended by PostgreSQL: its process was paused or is gone.
IDLE: Final = 15


class Database:
    """Runs a unit of work in one transaction. `read` and `write` are plain calls: bring your own thread.

    A unit that takes longer than `limits` is cut off, with the error of a broken connection.
    """

    def __init__(
        self,
        reader: Engine,
        writer: Engine,
        watchdog: Watchdog,
        limits: Limits = SHORT,
        file: SameFile | None = None,
        beside: FileInbox | None = None,
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.watchdog = watchdog
        self.limits = limits
        self.file = file
        #: SQLite's inbox, which is a file of its own (see `storage.inbox`).
        self.beside = beside
        self.cleared = time.monotonic()

    @property
    def patient(self) -> "Database":
        """The same database for work that may take long: bulk imports, migrations, recounts."""
        return Database(self.reader, self.writer, self.watchdog, LONG, self.file, self.beside)

    def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work(connection, …)` on a reading connection."""
        if self.limits is LONG and not self.is_file:
            # Only in a transaction its longer limits end with it.
            return self.write(work, *args, **kwargs)
        with self._unit(writes=False), self.reader.connect() as connection:
            return work(connection, *args, **kwargs)

    def is_well(self) -> bool:
        """Whether the last unit that wrote went well, and none hangs now."""
        return self.watchdog.is_well() and not (self.beside and self.beside.failing)

    def _unit(self, *, writes: bool) -> contextlib.AbstractContextManager[Unit]:
        return self.watchdog.unit(self.limits.unit, writes=writes, is_short=self.limits is SHORT)

    def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work(connection, …)` in one transaction: committed on return, undone on any raise.

        Work that PostgreSQL undid because it crossed another's is done again.
        """
        for _ in range(TRIES - 1):
            try:
                return self._write_once(work, *args, **kwargs)
            except DBAPIError as error:
                if state_of(error) not in CROSSED:
                    raise
        return self._write_once(work, *args, **kwargs)

    def _write_once(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with self._unit(writes=True) as unit, self.writer.begin() as connection:
            if self.limits is LONG and not self.is_file:
                connection.exec_driver_sql(LONG.statements("LOCAL"))
            before = self._changes(connection)
            result = work(connection, *args, **kwargs)
            # On a full disk it goes well to change nothing.
            unit.proves = not self.is_file or self._changes(connection) != before
            return result

    def _changes(self, connection: Connection) -> int:
        """How many rows SQLite's connection has changed since it was opened."""
        driver: Any = connection.connection.driver_connection
        return int(driver.total_changes) if self.is_file else 0

    @contextmanager
    def appending(self) -> Iterator[Connection | None]:
        """A unit of work that writes to the inbox alone: one statement, which is its own transaction, on PostgreSQL; on
        SQLite into another file, as long as the ledger's own is where it was."""
        with self._unit(writes=True):
            if self.beside is None:
                with self.reader.connect() as connection:
                    yield connection
            else:
                if self.file is not None:
                    self.file.require()
                yield None

    def require_sessions(self) -> None:
        """Raises PooledByTransactionError where a pooler gives each transaction another connection."""
        require_sessions(self.reader, self.writer)

    @property
    def is_file(self) -> bool:
        """Whether this is SQLite."""
        return not is_postgresql(self.reader.dialect)

    def checkpoint(self) -> None:
        """SQLite: moves what was committed from the log into the file, beside the writer and without waiting for it.

        Else a commit would do it, and every webhook behind that commit would wait. Nothing to do on PostgreSQL.
        """
        if self.is_file:
            # Outside of any transaction, and so past SQLAlchemy, which would begin one.
            with contextlib.closing(self.reader.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
            if self.beside is not None:
                self.beside.checkpoint()
            if time.monotonic() - self.cleared > CLEAR_EVERY:
                self.clear_log()

    def clear_log(self) -> bool | None:
        """SQLite: cuts its log and the inbox's, in which the pages still stand as they were. PostgreSQL: gives back the
        inbox's pages, in which what was merged still stands. Gives whether it could be done now; None: it takes longer
        than a reader may, and is left to the server's own vacuum, which does it bit by bit.

        It waits for nobody: while another reads or writes it is not done; on PostgreSQL while another vacuums it.
        """
        if not self.is_file:
            # Pages at the table's end that hold nothing are cut off (postgresql.org/docs: sql-vacuum, TRUNCATE).
            try:
                with self.reader.connect() as connection:
                    return vacuum_inbox(connection)
            except OperationalError:
                return None
        with contextlib.closing(self.reader.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute("PRAGMA busy_timeout=0")
            busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            cursor.execute(f"PRAGMA busy_timeout={1000 * SHORT.lock}")
        well = not busy and (self.beside is None or self.beside.clear_log())
        if well:
            self.cleared = time.monotonic()
        return well

    def close(self) -> None:
        self.watchdog.close()
        if self.beside is not None:
            self.beside.close()
        self.reader.dispose()
        self.writer.dispose()


def open_database(text: str, now: Callable[[], datetime] | None = None) -> Database:
    """Engines for this URL. Nothing is connected yet.

    `now` takes the place of the clock of a SQLite file (see `database_time`): in a story whose days pass in seconds.
    """
    url = parse_url(text)
    if url.get_backend_name() == "sqlite":
        return _open_sqlite(url, now)
    url, watchdog = _with_limits(url), Watchdog(_hang_up)
    # Reads run in autocommit: that saves two of three round trips, and each read is one statement.
    reader = create_engine(url, pool_size=READERS, isolation_level="AUTOCOMMIT", hide_parameters=True)
    writer = create_engine(url, pool_size=2, hide_parameters=True)
    for engine in (reader, writer):
        _look_after(engine, watchdog)
    event.listen(writer, "rollback", _forget_tables)
    return Database(reader, writer, watchdog)


def _with_limits(url: URL) -> URL:
    """PostgreSQL's URL with the times after which a connection, a statement or a lock is given up."""
    options = f"-c statement_timeout={SHORT.statement}s -c lock_timeout={SHORT.lock}s"
    options += f" -c idle_in_transaction_session_timeout={IDLE}s"
    # What the URL itself asks for comes last, and so holds.
    given = url.query.get("options", "")
    query = CONNECTING | dict(url.query) | {"options": f"{options} {given}".strip()}
    return url.set(query=query)


def _look_after(engine: Engine, watchdog: Watchdog) -> None:
    """The watchdog hears of each connection of this engine: when it is made, handed out, and closed."""

    def connect(dialect: Dialect, _entry: ConnectionPoolEntry, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        driver: Any = dialect.loaded_dbapi
        try:
            connection = dialect.connect(*args, **params)
            tell_options(connection, params["options"])
        except driver.Error:
            watchdog.fell_silent()
            raise
        watchdog.hold(connection)
        return connection

    def hand_out(connection: Any, entry: ConnectionPoolEntry, _proxy: Any) -> None:
        idle = time.monotonic() - entry.info.get("used", time.monotonic())
        if idle > PING_AFTER:
            # Only where it costs nothing: who asks all the time would notice the way there and back.
            watchdog.hold(connection, PING_SECONDS)
            _ping(engine, connection)
        watchdog.hold(connection)

    def take_back(_connection: Any, entry: ConnectionPoolEntry) -> None:
        entry.info["used"] = time.monotonic()

    def release(connection: Any, _entry: ConnectionPoolEntry) -> None:
        watchdog.release(connection)

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "checkout", hand_out)
    event.listen(engine, "checkin", take_back)
    event.listen(engine, "close", release)
    event.listen(engine, "handle_error", _leave_standby)


def _ping(engine: Engine, connection: Any) -> None:
    driver: Any = engine.dialect.loaded_dbapi
    try:
        engine.dialect.do_ping(connection)
    except driver.Error as error:
        raise DisconnectionError("the connection was gone") from error


def _leave_standby(context: ExceptionContext) -> None:
    """A server that takes no writes any more is left: the next connection looks for the one that does."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def _hang_up(connection: Any) -> None:
    """Ends a connection to PostgreSQL under the thread that waits for it; its own descriptor stays as it is."""
    if connection.closed:
        return
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection.pgconn.socket)) as line:
        line.shutdown(socket.SHUT_RDWR)


def _open_sqlite(url: URL, now: Callable[[], datetime] | None) -> Database:
    told = {} if now is None else {TOLD: now}
    # Errors must not carry the values: they are names and addresses.
    reader = create_engine(url, pool_size=READERS, hide_parameters=True, execution_options=told)
    writer = create_engine(url, pool_size=1, max_overflow=0, hide_parameters=True, execution_options=told)
    watchdog = Watchdog(sqlite3.Connection.interrupt)
    file = SameFile(url.database) if url.database and url.database != ":memory:" else None
    for engine, begin in ((reader, "BEGIN"), (writer, "BEGIN IMMEDIATE")):
        if file is not None:
            event.listen(engine, "do_connect", file.require)
            event.listen(engine, "connect", lambda _connection, _entry: file.remember())
            event.listen(engine, "begin", file.require)
        event.listen(engine, "checkout", lambda connection, _entry, _proxy: watchdog.hold(connection))
        event.listen(engine, "close", lambda connection, _entry: watchdog.release(connection))
        event.listen(engine, "connect", _prepare_sqlite)
        if file is not None:
            event.listen(engine, "connect", lambda _connection, _entry: file.opened())
            event.listen(engine, "close", lambda _connection, _entry: file.closed())
        event.listen(engine, "begin", _begin_with(begin))
    event.listen(writer, "rollback", _forget_tables)
    beside = FileInbox(url.database or "")
    return Database(reader, writer, watchdog, file=file, beside=beside)


def _forget_tables(connection: Connection) -> None:
    """Temporary tables made in a transaction that was undone are gone; so are the notes that they are there."""
    # With a connection that broke everything of it is gone anyway.
    if not connection.invalidated:
        connection.info.clear()


def _prepare_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:
    # Transactions are begun by us (see _begin_with): the driver's own way would begin them late and deferred.
    connection.isolation_level = None
    pragmas = (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={1000 * SHORT.lock}",
        "temp_store=MEMORY",
        # What is deleted is overwritten, whatever this build of SQLite does by itself.
        "secure_delete=ON",
        "cache_size=-32768",
    )
    for pragma in (*pragmas, f"wal_autocheckpoint={LOG_PAGES}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_with(statement: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin


def upsert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, in the dialect of this connection."""
    if is_postgresql(connection):
        return postgresql.insert(table)
    return sqlite.insert(table)


def run(connection: Connection, statement: Sql, **values: Any) -> int:
    """Runs it, and gives how many rows it inserted or changed."""
    return rows_changed(connection, statement.on(connection), values)


def rows_changed(connection: Connection, statement: Executable, values: Mapping[str, Any] | None = None) -> int:
    """Runs it, and gives how many rows it inserted or changed.

    SQLAlchemy keeps this number for an INSERT only when told to; else it is -1 on PostgreSQL.
    """
    return connection.execute(statement.execution_options(preserve_rowcount=True), values or {}).rowcount


#: The option under which a connection carries the clock that it was told to use instead.
TOLD: Final = "piecewise_now"
#: Not `now()`, which stands still in a transaction.
TIME: Final = Sql(text("SELECT strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')"), text("SELECT clock_timestamp()"))


def database_time(connection: Connection) -> datetime:
    """This moment by the database's own clock, aware and UTC.

    Leases are compared by it alone: of several machines one may have a wrong clock, or may have been paused.
    """
    told: Callable[[], datetime] | None = connection.get_execution_options().get(TOLD)
    if told is not None:
        return told()
    moment = connection.scalar(TIME.on(connection))
    return (datetime.fromisoformat(moment) if isinstance(moment, str) else moment).astimezone(UTC)


#: A turn of nobody's, which is gone again before anybody sees it.
PROOF: Final = text("INSERT INTO leases (name, next_at, owner) VALUES ('proof', CURRENT_TIMESTAMP, '')")
PROOF_GONE: Final = text("DELETE FROM leases WHERE name = 'proof'")


def prove_writable(connection: Connection) -> None:
    """Leaves nothing behind, and raises where nothing can be kept: what it writes goes to the disk.

    What changes no row asks for no space, and succeeds while the disk is full.
    """
    connection.execute(PROOF)
    connection.execute(PROOF_GONE)


@contextmanager
def sole_user(text: str) -> Iterator[None]:
    """Holds a SQLite file and its inbox for this process alone; does nothing for PostgreSQL.

    Raises DatabaseBusyError when another process holds it, by whatever name.
    """
    url = parse_url(text)
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        yield
        return
    with held(url.database), held(str(path_beside(url.database))):
        yield
