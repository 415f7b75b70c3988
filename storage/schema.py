"""Brings a database to the schema that this version needs, and says whether it is there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from storage.database import Database

MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaOldError(RuntimeError):
    """The database's schema is not the one this version needs. Run: piecewise migrate"""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def head() -> str:
    """The revision that this version needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None  # noqa: S101 - the first migration is part of the code
    return revision


def current(connection: Connection) -> str | None:
    """The revision that the database is at; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def migrate(database: Database, target: str = "head") -> None:
    """Runs the migrations that are missing (or, for an older target, takes them back), in one transaction."""
    config = _config()
    with database.writer.begin() as connection:
        config.attributes["connection"] = connection
        older = target != "head"
        (command.downgrade if older else command.upgrade)(config, target)


def require_head(database: Database) -> None:
    """Raises SchemaOldError, naming the remedy, unless the schema is at head."""
    if database.read(current) != head():
        raise SchemaOldError(SchemaOldError.__doc__)
