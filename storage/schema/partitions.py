"""How PostgreSQL spreads the tables: by a hash of the workspace, into so many partitions as were asked for once.

Every key begins with the workspace then. A database is spread while it is empty: `piecewise migrate --partitions 16`.
What only has to be found by its own key (workspaces, leases, what was seen) stays whole. The program is the same for
both: every statement names the workspace, and so touches one partition.
"""

from typing import Final

from sqlalchemy import Connection, Table, UniqueConstraint, text
from sqlalchemy.schema import CreateIndex

import storage.schema.account_tables  # noqa: F401 - its tables belong to the schema
from storage.dialects import is_postgresql
from storage.schema.tables import metadata

#: The first revision whose program can do with a key that begins with the workspace.
SINCE: Final = "0014"
#: More than this helps nobody: each connection that merges keeps something of every partition.
MOST: Final = 256


class NotSpreadableError(RuntimeError):
    """Only an empty PostgreSQL can be partitioned. Make a new one, and move the rows into it: see docs/deploy.md"""


def of_a_workspace() -> list[Table]:
    """The tables whose rows belong to one workspace."""
    return [table for table in metadata.sorted_tables if "workspace_id" in table.c]


def number(connection: Connection) -> int:
    """Into how many partitions the tables are divided; 0 where they are whole."""
    if not is_postgresql(connection):
        return 0
    return int(connection.scalar(PARTS, {"table": "pieces"}) or 0)


def spread(connection: Connection, parts: int = 0) -> None:
    """Divides every table of a workspace that is still whole into so many partitions, in the caller's transaction.

    0: into as many as there are, so that a table of a later migration follows the others; none where none are. Raises
    NotSpreadableError unless it is PostgreSQL, and every table that is still whole is empty.
    """
    there = number(connection)
    if not parts and not there:
        return
    if not is_postgresql(connection) or not 0 <= parts <= MOST or there not in (0, parts or there):
        raise NotSpreadableError(NotSpreadableError.__doc__)
    whole = [table for table in of_a_workspace() if not connection.scalar(PARTS, {"table": table.name})]
    if any(connection.scalar(text(f"SELECT EXISTS (SELECT 1 FROM {table.name})")) for table in whole):
        raise NotSpreadableError(NotSpreadableError.__doc__)
    for table in whole:
        _divide(connection, table, parts or there)


def _divide(connection: Connection, table: Table, parts: int) -> None:
    name = table.name
    counted = [
        (column.name, sequence)
        for column in table.primary_key.columns
        if (sequence := connection.scalar(SEQUENCE, {"table": name, "column": column.name}))
    ]
    options = connection.scalar(OPTIONS, {"table": name})
    steps = [f"CREATE TABLE divided (LIKE {name} INCLUDING DEFAULTS) PARTITION BY HASH (workspace_id)"]
    steps += [f"ALTER SEQUENCE {sequence} OWNED BY NONE" for _, sequence in counted]
    steps += [f"DROP TABLE {name}", f"ALTER TABLE divided RENAME TO {name}"]
    steps += [f"ALTER SEQUENCE {sequence} OWNED BY {name}.{column}" for column, sequence in counted]
    steps += [f"ALTER TABLE {name} ADD CONSTRAINT pk_{name} PRIMARY KEY ({', '.join(key_of(table))})"]
    steps += [
        f"ALTER TABLE {name} ADD CONSTRAINT {unique.name} UNIQUE ({', '.join(unique.columns.keys())})"
        for unique in table.constraints
        if isinstance(unique, UniqueConstraint)
    ]
    within = f" WITH ({options})" if options else ""
    steps += [
        f"CREATE TABLE {name}_{part} PARTITION OF {name} FOR VALUES WITH (MODULUS {parts}, REMAINDER {part}){within}"
        for part in range(parts)
    ]
    for step in steps:
        connection.exec_driver_sql(step)
    for index in table.indexes:
        connection.execute(CreateIndex(index))


def key_of(table: Table) -> list[str]:
    """The key where it is spread: the workspace first."""
    return list(dict.fromkeys(["workspace_id", *table.primary_key.columns.keys()]))


PARTS: Final = text("SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass(:table)")
SEQUENCE: Final = text("SELECT pg_get_serial_sequence(:table, :column)")
OPTIONS: Final = text("SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = to_regclass(:table)")
