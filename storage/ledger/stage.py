"""Where a batch is laid out before it is merged: temporary tables that only this connection sees.

Rows are loaded the fastest way that each database has: COPY on PostgreSQL, executemany of plain tuples on SQLite.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Connection, Date, MetaData, SmallInteger, Table, Text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from storage.dialects import is_postgresql
from storage.schema import partitions
from storage.schema.tables import EPOCH, MICROSECOND, Amount, Moment
from storage.statements import DIVIDED

metadata = MetaData()


def _staged(name: str, *columns: Column[Any]) -> Table:
    return Table(name, metadata, *columns, prefixes=["TEMPORARY"], postgresql_on_commit="PRESERVE ROWS")


#: Pieces as they were described. One row a piece.
pieces = _staged(
    "stage_pieces",
    Column("ref", Text, primary_key=True),
    Column("campaign_ref", Text),
    Column("day", Date),
    Column("cost", Amount),
    Column("kind", Text),
    Column("format", Text),
    Column("created_at", Moment),
    Column("dispatched_at", Moment),
    Column("name", Text),
    Column("name_key", Text),
    Column("surname_key", Text),
    Column("address_key", Text),
    Column("company", Text),
    Column("address", Text),
    Column("city", Text),
    Column("region", Text),
    Column("postcode", Text),
    Column("country", Text),
    Column("facts_at", Moment),
    Column("detailed", Boolean),
    Column("listed_print", BigInteger),
    Column("placed_print", BigInteger),
)

#: The described pieces that we have rows of, and how they were counted before this batch.
met = _staged(
    "stage_met",
    Column("piece_id", BigInteger, primary_key=True, autoincrement=False),
    Column("ref", Text),
    #: Met for the first time in this batch.
    Column("arrived", Boolean),
    Column("placed", Boolean),
    Column("campaign_id", BigInteger),
    Column("day", Date),
    Column("status", SmallInteger),
    Column("cost", BigInteger),
)

#: Changes as they were told. No two rows are the same change. Moments are microseconds since 1970 (`ledger.changes`).
heard = _staged(
    "stage_heard",
    Column("ref", Text),
    Column("status", SmallInteger),
    Column("moment_key", BigInteger),
    Column("place", Text),
    Column("word", Text),
    Column("occurred_at", BigInteger),
    Column("recorded_at", BigInteger),
    Column("source", SmallInteger),
)

#: The same with their pieces, where those are known, and how high these stood when they were looked up (`was`, a
#: height: see `ledger.changes`).
known = _staged(
    "stage_known",
    Column("piece_id", BigInteger),
    Column("campaign_id", BigInteger),
    Column("placed", Boolean),
    Column("was", SmallInteger),
    Column("was_at", Moment),
    Column("ref", Text),
    Column("status", SmallInteger),
    Column("moment_key", Moment),
    Column("place", Text),
    Column("word", Text),
    Column("occurred_at", Moment),
    Column("recorded_at", Moment),
    Column("source", SmallInteger),
)

#: Which pieces move, from where to where. One row a piece.
moves = _staged(
    "stage_moves",
    Column("piece_id", BigInteger),
    Column("campaign_id", BigInteger),
    Column("placed", Boolean),
    Column("day", Date),
    Column("cost", BigInteger),
    Column("was", SmallInteger),
    Column("status", SmallInteger),
    Column("occurred_at", Moment),
    Column("source", SmallInteger),
)

#: Join by the keys at hand: what these tables hold is unknown to the planner, and it would read millions of rows.
#: A plan is kept until statistics are gathered again: one made while a table was nearly empty must not read it whole.
PLANS: Final = (
    "SET plan_cache_mode = force_generic_plan",
    "SET jit = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET enable_seqscan = off",
    "SET enable_bitmapscan = off",
    "SET enable_material = off",
)
EMPTY: Final = tuple(f"DELETE FROM {table.name}" for table in metadata.sorted_tables)
#: Rows that this connection has laid out since its tables were last cut, and after how many they are cut again:
#: PostgreSQL keeps the space of deleted ones. To cut them also makes it forget its plans, so it is done soon while the
#: database is young, and rarely later.
LAID_OUT: Final = "stage"
CUT_AFTER: Final = "stage_cut_after"
FIRST_CUT, LAST_CUT = 50, 2_000


def begin(connection: Connection) -> None:
    """Empties the tables; makes them first where this connection has none."""
    postgresql = is_postgresql(connection)
    if LAID_OUT not in connection.info:
        for table in metadata.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
        if postgresql:
            connection.exec_driver_sql("; ".join(PLANS))
            connection.info[DIVIDED] = bool(partitions.number(connection))
        # Undone with the transaction, and so are these notes: see `storage.database`.
        connection.info[LAID_OUT], connection.info[CUT_AFTER] = 0, FIRST_CUT
    if postgresql and connection.info[LAID_OUT] > connection.info[CUT_AFTER]:
        connection.info[LAID_OUT] = 0
        connection.info[CUT_AFTER] = min(2 * connection.info[CUT_AFTER], LAST_CUT)
        connection.exec_driver_sql("TRUNCATE " + ", ".join(table.name for table in metadata.sorted_tables))
    elif postgresql:
        connection.exec_driver_sql("; ".join(EMPTY))
    else:
        cursor = connection.connection.cursor()
        for statement in EMPTY:
            cursor.execute(statement)


def cut_text(text: str, size: int) -> str:
    """The text, cut so that it takes no more than so many bytes: PostgreSQL's indexes take some 2,700 a row."""
    # No character takes more than four.
    return text if 4 * len(text) <= size else text.encode()[:size].decode(errors="ignore")


def load(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Fills a table. Each row holds the values of all its columns, in order, as Python's own types."""
    if not rows:
        return
    connection.info[LAID_OUT] += len(rows)
    copies = is_postgresql(connection)
    forms = _COPIED if copies else _BOUND
    columns = [
        _formed(values, forms[type(column.type)])
        for column, values in zip(table.columns, zip(*rows, strict=True), strict=True)
    ]
    if copies:
        _copy(connection, table, columns)
        return
    marks = ", ".join("?" * len(columns))
    connection.exec_driver_sql(f"INSERT INTO {table.name} VALUES ({marks})", list(zip(*columns, strict=True)))


def _copy(connection: Connection, table: Table, columns: Sequence[Iterable[str]]) -> None:
    lines = "\n".join(map("\t".join, zip(*columns, strict=True)))
    statement = f"COPY {table.name} FROM STDIN"
    cursor: Any = connection.connection.cursor()
    driver: Any = connection.dialect.loaded_dbapi
    try:
        with cursor, cursor.copy(statement) as copy:
            copy.write(lines)
    except driver.Error as error:
        # As SQLAlchemy tells what its own statements meet, and without the values.
        raise DBAPIError.instance(statement, None, error, driver.Error, hide_parameters=True) from None


def _formed(values: Iterable[Any], form: Callable[[Any], Any] | None) -> Iterable[Any]:
    if form is None:
        return values
    if form in DIRECT:
        return list(map(form, values))
    # A batch has few different moments and amounts, so each is formed once.
    formed: dict[Any, Any] = {}
    return [formed[value] if value in formed else formed.setdefault(value, form(value)) for value in values]


def _as_units(value: Any) -> int | None:
    return Amount().process_bind_param(value, None)  # type: ignore[arg-type]


def microseconds(moment: datetime) -> int:
    """The moment as a whole number since 1970: far cheaper to hash, compare and send than itself."""
    return (moment - EPOCH) // MICROSECOND


def _as_microseconds(value: datetime | None) -> int | None:
    return None if value is None else microseconds(value)


def _as_iso(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _as_text(value: str | None) -> str:
    """A text as COPY wants it. A NUL is left in: PostgreSQL refuses it by name."""
    if value is None:
        return "\\N"
    if value.isalnum():
        return value
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _as_whole(value: int | None) -> str:
    return "\\N" if value is None else int.__repr__(value)


def _or_null(form: Callable[[Any], Any]) -> Callable[[Any], str]:
    def formed(value: Any) -> str:
        return "\\N" if value is None else str(form(value))

    return formed


#: Cheaper than looking up what was formed before.
DIRECT: Final = (_as_text, _as_whole, int.__repr__)
#: How each type of column is bound by SQLite's driver (None: as it is), and written for PostgreSQL's COPY.
_BOUND: Final[dict[type, Callable[[Any], Any] | None]] = {
    Text: None,
    SmallInteger: None,
    BigInteger: None,
    Boolean: None,
    Date: _as_iso,
    Moment: _as_microseconds,
    Amount: _as_units,
}
_COPIED: Final[dict[type, Callable[[Any], Any] | None]] = {
    Text: _as_text,
    SmallInteger: int.__repr__,
    BigInteger: _as_whole,
    Boolean: _or_null(int),
    Date: _or_null(date.isoformat),
    Moment: _or_null(datetime.isoformat),
    Amount: _or_null(_as_units),
}
