"""Brings a database to the schema that this version needs, and says whether it is there."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from storage.database import Database

MIGRATIONS: Final = Path(__file__).parent / "migrations"
#: The revision that this version needs: the last of the migrations.
HEAD: Final = "0004"


class SchemaOldError(RuntimeError):
    """The database's schema is not the one this version needs. Run: piecewise migrate"""


def current(connection: Connection) -> str | None:
    """The revision that the database is at; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if revision is None else str(revision)


def migrate(database: Database, target: str = "head") -> None:
    """Runs the migrations that are missing (or, for an older target, takes them back), in one transaction."""
    # Eight megabytes that a running bot never needs.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.writer.begin() as connection:
        config.attributes["connection"] = connection
        older = target != "head"
        (command.downgrade if older else command.upgrade)(config, target)


def require_head(database: Database) -> None:
    """Raises SchemaOldError, naming the remedy, unless the schema is at head."""
    if database.read(current) != HEAD:
        raise SchemaOldError(SchemaOldError.__doc__)
