"""Brings a database to the schema that this version needs, and says whether this version may run on it.

Schemas expand first and contract later, so that two versions may share a database while one replaces the other. Two
rows say who may: `schema_version` holds the revision that the database is at, and `alembic_version` the oldest revision
whose program still runs on it. The second is what the first versions knew, and compare with their own: so a database
that was migrated by a newer version goes on serving them.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from storage.database import Database
from storage.dialects import is_postgresql
from storage.failures import state_of
from storage.schema import partitions

MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"
#: The revision that this version needs: the last of the migrations.
HEAD: Final = "0015"
#: The oldest revision whose program may still run beside this one. A migration that drops or renames anything, or that
#: writes what an older program does not understand, raises it to the first revision that does without what was dropped.
OLDEST: Final = "0010"
#: Where Alembic keeps the revision of the database.
VERSIONS: Final = "schema_version"
#: The table of the oldest revision that is served. Its name and shape are those that the first versions look for.
MINIMUM: Final = "alembic_version"
#: Two migrations at once would be in each other's way; on PostgreSQL the second one waits for this number.
TURN: Final = 0x5049_4543
#: Seconds. While a migration waits for a table, all who come after it wait, too: so it waits briefly, and tries again.
LOCK_PATIENCE: Final = 2.0
LOCK_PAUSE: Final = 1.0
LOCK_TRIES: Final = 60
LOCKED: Final = "55P03"


class SchemaError(RuntimeError):
    """This version cannot run on this database's schema."""


class SchemaOldError(SchemaError):
    """The schema lacks what this version needs."""


class SchemaNewError(SchemaError):
    """The schema no longer has what this version needs."""


class SchemaBusyError(SchemaError):
    """A backup or an import holds the tables. Nothing was changed: run it again when that is over"""


@dataclass(frozen=True)
class State:
    """The revision that a database is at, and the oldest one whose program it serves; None for an empty database."""

    revision: str | None
    oldest: str | None

    @property
    def is_behind(self) -> bool:
        """Whether migrations of this version are missing."""
        return self.revision is None or self.revision < HEAD

    @property
    def serves(self) -> bool:
        """Whether this version may run on it."""
        return not self.is_behind and (self.oldest or "") <= HEAD

    def require(self) -> None:
        """Raises SchemaError, naming the remedy, unless this version may run on it."""
        if self.is_behind:
            at = f"at schema {self.revision}" if self.revision else "empty"
            raise SchemaOldError(f"The database is {at}, and this version needs {HEAD}. Run: piecewise migrate")
        if not self.serves:
            raise SchemaNewError(
                f"The database is at schema {self.revision}, which serves versions from {self.oldest} on; this one is "
                f"{HEAD}. Start the newer version again, or restore the backup that was made before it"
            )


def state(connection: Connection) -> State:
    """What the database is at, and whom it serves."""
    oldest = _row(connection, MINIMUM)
    # A database that only the first versions have migrated has but one of the two.
    return State(_row(connection, VERSIONS) or oldest, oldest)


def _row(connection: Connection, table: str) -> str | None:
    if not inspect(connection).has_table(table):
        return None
    revision = connection.scalar(text(f"SELECT version_num FROM {table}"))
    return None if revision is None else str(revision)


def migrate(database: Database, target: str = "head", parts: int = 0) -> None:
    """Runs the migrations that are missing (or, for an older target, takes them back), in one transaction.

    `parts`: into so many partitions an empty PostgreSQL is divided afterwards (0: as it is). Raises NotSpreadableError
    for any other database. A schema that is newer than this version is left alone. Raises SchemaNewError if it does not
    serve this version, and SchemaBusyError when others held its tables for minutes.
    """
    for _ in range(LOCK_TRIES):
        try:
            # Work that crossed the traffic of a running bot is undone by PostgreSQL, and done again.
            return database.patient.write(_migrate, target, parts)
        except DBAPIError as error:
            if state_of(error) != LOCKED:
                raise
        time.sleep(LOCK_PAUSE)
    raise SchemaBusyError(SchemaBusyError.__doc__)


def _migrate(connection: Connection, target: str, parts: int) -> None:
    # Eight megabytes that a running bot never needs.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    if is_postgresql(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": TURN})
        connection.execute(text(f"SET LOCAL lock_timeout = {int(1000 * LOCK_PATIENCE)}"))
    before = state(connection)
    if target == "head" and before.revision is not None and before.revision > HEAD:
        before.require()
        return
    _keep(connection, VERSIONS, before.revision)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes.update(connection=connection, version_table=VERSIONS)
    (command.upgrade if target == "head" else command.downgrade)(config, target)
    after = _row(connection, VERSIONS)
    if target == "head":
        partitions.spread(connection, parts)
    oldest = max(OLDEST, partitions.SINCE) if partitions.number(connection) else OLDEST
    _keep(connection, MINIMUM, after and min(after, oldest))


def _keep(connection: Connection, table: str, revision: str | None) -> None:
    """Makes the table if it is missing, in Alembic's own shape, and lets this be its one row."""
    connection.execute(text(f"CREATE TABLE IF NOT EXISTS {table} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text(f"DELETE FROM {table}"))
    if revision is not None:
        connection.execute(text(f"INSERT INTO {table} (version_num) VALUES (:revision)"), {"revision": revision})


def require(database: Database) -> None:
    """Raises SchemaError, naming the remedy, unless this version may run on this database."""
    database.read(state).require()
