"""Where a batch is laid out before it is merged: temporary tables that only this connection sees."""

from sqlalchemy import BigInteger, Boolean, Column, Connection, Date, MetaData, SmallInteger, Table, Text, delete
from sqlalchemy.schema import CreateTable

from storage.tables import Amount, Moment

metadata = MetaData()


def _staged(name: str, *columns: Column[object]) -> Table:
    return Table(name, metadata, *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DELETE ROWS")


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
)

changes = _staged(
    "stage_changes",
    Column("ref", Text, primary_key=True),
    Column("status", SmallInteger, primary_key=True),
    Column("moment_key", Moment, primary_key=True),
    Column("place", Text, primary_key=True),
    Column("word", Text, primary_key=True),
    Column("occurred_at", Moment),
    Column("recorded_at", Moment),
    Column("source", SmallInteger),
)

#: The pieces that this batch says anything about.
touched = _staged("stage_touched", Column("piece_id", BigInteger, primary_key=True))

#: The pieces that this batch brought for the first time.
arrived = _staged("stage_arrived", Column("piece_id", BigInteger, primary_key=True))

#: How the touched pieces were counted before this batch.
counted = _staged(
    "stage_counted",
    Column("piece_id", BigInteger, primary_key=True),
    Column("campaign_id", BigInteger),
    Column("day", Date),
    Column("status", SmallInteger),
    Column("cost", BigInteger),
)


def clear(connection: Connection) -> None:
    """Makes the tables where they are missing, and empties them."""
    for table in metadata.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        connection.execute(delete(table))
