"""A pooler between us and PostgreSQL: one that pools by session is served, one that pools by transaction is refused.

Where each transaction may get another of the server's connections, what a connection is told holds for somebody else's:
temporary tables and plans of a merge, statements that the driver has prepared, times after which it gives up.
"""

import re
from contextlib import ExitStack
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import Engine, text

from storage.dialects import is_postgresql

#: As PostgreSQL parts what libpq passes on (postgresql.org/docs: libpq-connect, `options`): by spaces, and a backslash
#: keeps what follows it.
WORDS: Final = re.compile(r"(?:\\.|[^\s\\])+")
#: How often two connections are compared: with work of others going on, they may miss each other.
ROUNDS: Final = 5
SERVED_BY: Final = text("SELECT pg_backend_pid()")


class PooledByTransactionError(ValueError):
    """DATABASE_URL leads to a pooler (like PgBouncer) that gives each transaction another connection. Piecewise keeps
    temporary tables and settings in its connections: set pool_mode = session, or name PostgreSQL itself."""


def is_pooled(driver: Any) -> bool:
    """Whether a pooler stands between: it tells its own number for this connection of psycopg, PostgreSQL another."""
    served_by = driver.execute("SELECT pg_backend_pid()").fetchone()[0]
    return bool(served_by != driver.info.backend_pid)


def settings_in(options: str) -> list[tuple[str, str]]:
    """The settings among options: `-c name=value`, `-cname=value` or `--name=value`, a dash in the name standing for an
    underscore (postgresql.org/docs: app-postgres)."""
    words = [re.sub(r"\\(.)", r"\1", word) for word in WORDS.findall(options)]
    given = [after for word, after in pairwise(words) if word == "-c"]
    given += [word[2:] for word in words if word.startswith(("-c", "--")) and word != "-c"]
    pairs = [one.partition("=") for one in given if "=" in one]
    return [(name.replace("-", "_"), value) for name, _, value in pairs]


def tell_options(driver: Any, options: str) -> None:
    """Sets what libpq would have told PostgreSQL at the start, for a pooler does not pass that on. A connection that
    cannot be told is closed."""
    before = driver.autocommit
    with ExitStack() as failing:
        failing.callback(driver.close)
        driver.autocommit = True
        if is_pooled(driver):
            for name, value in settings_in(options):
                driver.execute("SELECT set_config(%s, %s, false)", (name, value))
        driver.autocommit = before
        failing.pop_all()


def require_sessions(reader: Engine, writer: Engine) -> None:
    """Raises PooledByTransactionError where two connections of ours are served by one of PostgreSQL's, in turn.

    `reader` commits each statement by itself. Two connections, some milliseconds; nothing to look at on SQLite.
    """
    if not is_postgresql(reader.dialect):
        return
    with reader.connect() as idle:
        if not is_pooled(idle.connection.driver_connection):
            return
        for _ in range(ROUNDS):
            ours = idle.scalar(SERVED_BY)
            with writer.begin() as busy:
                # One of the two is kept by a transaction; the other is ours for as long as its session is.
                if busy.scalar(SERVED_BY) == ours or idle.scalar(SERVED_BY) != ours:
                    raise PooledByTransactionError(" ".join(str(PooledByTransactionError.__doc__).split()))
