"""Which of the two databases this is. Nothing else asks."""

from sqlalchemy import Connection, Dialect


def is_postgresql(where: Connection | Dialect) -> bool:
    """Whether it is PostgreSQL; else it is SQLite."""
    dialect = where.dialect if isinstance(where, Connection) else where
    return dialect.name == "postgresql"
