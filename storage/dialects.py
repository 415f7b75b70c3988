"""Which of the two databases this is, which nothing else asks, and how PostgreSQL clears what SQLite has in a file."""

from typing import Any, Final

from sqlalchemy import Connection, Dialect

#: A lock that was not to be had.
NOT_TO_BE_HAD: Final = "55P03"


def is_postgresql(where: Connection | Dialect) -> bool:
    """Whether it is PostgreSQL; else it is SQLite."""
    dialect = where.dialect if isinstance(where, Connection) else where
    return dialect.name == "postgresql"


def vacuum_inbox(connection: Connection) -> bool:
    """PostgreSQL: whether the inbox's pages were given back now; else another holds them, of which it only warns."""
    driver: Any = connection.connection.driver_connection
    skipped: list[str] = []

    def hear(warning: Any) -> None:
        skipped.extend([warning.sqlstate] if warning.sqlstate == NOT_TO_BE_HAD else [])

    driver.add_notice_handler(hear)
    try:
        connection.exec_driver_sql("VACUUM (SKIP_LOCKED) inbox")
    finally:
        driver.remove_notice_handler(hear)
    return not skipped
