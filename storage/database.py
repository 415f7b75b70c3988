"""Opens the database: one engine that reads, one that writes, and what differs between SQLite and PostgreSQL."""

import contextlib
import fcntl
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Executable,
    Table,
    TextClause,
    bindparam,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

P = ParamSpec("P")
T = TypeVar("T")

READERS = 4
#: PostgreSQL undid the transaction for the sake of another, and says that it may be tried again.
CROSSED: Final = frozenset({"40001", "40P01"})
TRIES: Final = 5
#: Pages of SQLite's log after which a writer clears it itself (256 MB): normally `checkpoint` has done so before.
LOG_PAGES: Final = 65_536


class DatabaseBusyError(RuntimeError):
    """Another Piecewise already uses this SQLite file. Stop it first, or use PostgreSQL to run several."""


class DatabaseUrlError(ValueError):
    """DATABASE_URL must begin with sqlite:/// or postgresql://."""


def parse_url(text: str) -> URL:
    """The URL with the driver we use; raises DatabaseUrlError for a database that we do not know."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # The cause is left out: its text may hold the password.
        raise DatabaseUrlError(DatabaseUrlError.__doc__) from None
    kind = url.get_backend_name()
    if kind == "sqlite":
        return url.set(drivername="sqlite")
    if kind in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise DatabaseUrlError(DatabaseUrlError.__doc__)


class Database:
    """Runs a unit of work in one transaction. `read` and `write` are plain calls: bring your own thread."""

    def __init__(self, reader: Engine, writer: Engine) -> None:
        self.reader = reader
        self.writer = writer

    def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work(connection, …)` on a reading connection."""
        with self.reader.connect() as connection:
            return work(connection, *args, **kwargs)

    def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work(connection, …)` in one transaction: committed on return, undone on any raise.

        Work that PostgreSQL undid because it crossed another's is done again.
        """
        for _ in range(TRIES - 1):
            try:
                return self._write_once(work, *args, **kwargs)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in CROSSED:
                    raise
        return self._write_once(work, *args, **kwargs)

    def _write_once(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with self.writer.begin() as connection:
            return work(connection, *args, **kwargs)

    @property
    def is_file(self) -> bool:
        """Whether this is SQLite."""
        return self.reader.dialect.name == "sqlite"

    def checkpoint(self) -> None:
        """SQLite: moves what was committed from the log into the file, beside the writer and without waiting for it.

        Else a commit would do it, and every webhook behind that commit would wait. Nothing to do on PostgreSQL.
        """
        if self.is_file:
            # Outside of any transaction, and so past SQLAlchemy, which would begin one.
            with contextlib.closing(self.reader.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        self.reader.dispose()
        self.writer.dispose()


def open_database(text: str) -> Database:
    """Engines for this URL. Nothing is connected yet."""
    url = parse_url(text)
    if url.get_backend_name() == "sqlite":
        return _open_sqlite(url)
    # Reads run in autocommit: that saves two of three round trips, and each read is one statement.
    reader = create_engine(
        url, pool_size=READERS, pool_pre_ping=True, isolation_level="AUTOCOMMIT", hide_parameters=True
    )
    writer = create_engine(url, pool_size=2, pool_pre_ping=True, hide_parameters=True)
    event.listen(writer, "rollback", _forget_tables)
    return Database(reader, writer)


def _open_sqlite(url: URL) -> Database:
    # Errors must not carry the values: they are names and addresses.
    reader = create_engine(url, pool_size=READERS, hide_parameters=True)
    writer = create_engine(url, pool_size=1, max_overflow=0, hide_parameters=True)
    for engine, begin in ((reader, "BEGIN"), (writer, "BEGIN IMMEDIATE")):
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_with(begin))
    event.listen(writer, "rollback", _forget_tables)
    return Database(reader, writer)


def _forget_tables(connection: Connection) -> None:
    """Temporary tables made in a transaction that was undone are gone; so are the notes that they are there."""
    connection.info.clear()


def _prepare_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:
    # Transactions are begun by us (see _begin_with): the driver's own way would begin them late and deferred.
    connection.isolation_level = None
    pragmas = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "temp_store=MEMORY", "cache_size=-32768")
    for pragma in (*pragmas, f"wal_autocheckpoint={LOG_PAGES}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_with(statement: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin


def upsert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, in the dialect of this connection."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


LATERAL: Final = re.compile(
    r"JOIN LATERAL \(SELECT \* FROM (\w+ \w+) WHERE (.+?) (?:OFFSET 0|FOR UPDATE)\) \w+ ON true", re.DOTALL
)


@dataclass(frozen=True)
class Sql:
    """One statement in both dialects. Where only PostgreSQL has several writers, only there it locks rows."""

    sqlite: TextClause
    postgresql: TextClause

    def on(self, connection: Connection) -> TextClause:
        """The statement for this connection."""
        return self.postgresql if connection.dialect.name == "postgresql" else self.sqlite


def sql(statement: str, postgresql: str = "", **types: Any) -> Sql:
    """A statement for both databases, or with another form for PostgreSQL.

    `types` are of parameters like `:now`; None stands for a list, as in `IN :refs`. A look-up is written as
    `JOIN LATERAL (SELECT * FROM pieces p WHERE p.id = m.piece_id OFFSET 0) p ON true`: PostgreSQL then does it for
    each row on the left, whatever it believes to know about the tables, and SQLite gets the plain join.
    """
    bound = [bindparam(name, type_=kind, expanding=kind is None) for name, kind in types.items()]
    plain = LATERAL.sub(r"JOIN \1 ON \2", statement)
    plain = re.sub(r"FOR UPDATE OF \w+( SKIP LOCKED)?", "", plain).replace("IS DISTINCT FROM", "IS NOT")
    if "stage_" in plain:
        # SQLite takes a temporary table for a large one, and would read all pieces to find a few. A CROSS JOIN is
        # one whose order it leaves alone: ours begin with the few.
        plain = re.sub(r"(?<!LEFT )\bJOIN\b", "CROSS JOIN", plain)
    return Sql(text(plain).bindparams(*bound), text(postgresql or statement).bindparams(*bound))


def run(connection: Connection, statement: Sql, **values: Any) -> int:
    """Runs it, and gives how many rows it inserted or changed."""
    return rows_changed(connection, statement.on(connection), values)


def rows_changed(connection: Connection, statement: Executable, values: Mapping[str, Any] | None = None) -> int:
    """Runs it, and gives how many rows it inserted or changed.

    SQLAlchemy keeps this number for an INSERT only when told to; else it is -1 on PostgreSQL.
    """
    return connection.execute(statement.execution_options(preserve_rowcount=True), values or {}).rowcount


#: Not `now()`, which stands still in a transaction.
TIME: Final = Sql(text("SELECT strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')"), text("SELECT clock_timestamp()"))


def database_time(connection: Connection) -> datetime:
    """This moment by the database's own clock, aware and UTC.

    Leases are compared by it alone: of several machines one may have a wrong clock, or may have been paused.
    """
    moment = connection.scalar(TIME.on(connection))
    return (datetime.fromisoformat(moment) if isinstance(moment, str) else moment).astimezone(UTC)


@contextmanager
def sole_user(text: str) -> Iterator[None]:
    """Holds a SQLite file for this process alone; does nothing for PostgreSQL.

    Raises DatabaseBusyError when another process holds it. The lock ends with the process, however it ends.
    """
    url = parse_url(text)
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        yield
        return
    with Path(url.database + ".lock").open("w") as handle:
        _lock(handle)
        yield


def _lock(handle: IO[str]) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DatabaseBusyError(DatabaseBusyError.__doc__) from None
