"""Decides what a database's error means: an outage, after which the same may go well, or poison, which never will.

It is decided by the code of the error and never by its class: PostgreSQL's driver calls a value that is too long for an
index "operational", as it does a broken connection, and a read-only standby "internal".
"""

import sqlite3
import traceback
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

#: Classes of SQLSTATE that say nothing about the values (postgresql.org/docs: Appendix A): connection, access to the
#: database, transaction state, rollback, the statement itself (a schema that is not ours), resources, an operator
#: (also time-outs), the system, corruption.
OUTAGE_CLASSES: Final = frozenset({"08", "28", "3D", "25", "40", "42", "53", "57", "58", "XX"})
#: Of other classes: a lock that was not to be had.
LOCKED: Final = "55P03"
OUTAGE_STATES: Final = frozenset({LOCKED, "55006"})
#: The same in SQLite's words (sqlite.org/rescode.html): what is not here is about the values.
SQLITE_OUTAGES: Final = frozenset({
    sqlite3.SQLITE_ERROR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_ABORT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_SCHEMA, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_NOTADB,
})  # fmt: skip
#: Places that are named of an error.
FRAMES: Final = 12
#: PostgreSQL's word for a server that takes no writes: a standby, or a primary that was demoted.
READ_ONLY: Final = "25006"


def is_outage(error: BaseException | None) -> bool:
    """Whether the database is in trouble, whatever it was asked. Not so for wrong values, nor for faults of our own."""
    if isinstance(error, PoolTimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    state, code = state_of(error), getattr(error.orig, "sqlite_errorcode", None)
    if state:
        return state[:2] in OUTAGE_CLASSES or state in OUTAGE_STATES
    if code is not None:
        # The lowest byte is the error; the others say more of it.
        return code & 0xFF in SQLITE_OUTAGES
    # Without a code the driver itself gave up: its connection broke, or was never made.
    return error.connection_invalidated or isinstance(error, (OperationalError, InterfaceError))


def is_statement(error: BaseException | None) -> bool:
    """Whether the statement itself is refused: the schema is being changed, or it is a fault of ours. What values it
    is given may be to blame, too (42P18: a type cannot be told), so that it fails for some and not for others."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return state_of(error)[:2] == "42" or code == sqlite3.SQLITE_ERROR


def state_of(error: BaseException | None) -> str:
    """PostgreSQL's SQLSTATE of an error; "" where there is none."""
    return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")


def says_why(error: BaseException | None) -> bool:
    """Whether the database itself said what is wrong; else it was not reached."""
    return bool(state_of(error) or getattr(getattr(error, "orig", None), "sqlite_errorcode", None))


def is_locked(error: BaseException | None) -> bool:
    """Whether somebody else held what was asked for: with the same database it may go well in a moment."""
    return state_of(error) == LOCKED


def reason_of(error: BaseException | None) -> str:
    """Why, without a value: the code and the name of the error. Its text may quote who a piece was sent to."""
    orig = getattr(error, "orig", None) or error
    code = state_of(error) or getattr(orig, "sqlite_errorname", "")
    return f"{code} {type(orig).__name__}".strip()


def place_of(error: BaseException | None) -> str:
    """Where it broke, the innermost place first, and the same of what it came from. Without their texts, which may
    quote who a piece was sent to."""
    said: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        frames = [
            f"{'/'.join(Path(one.filename).parts[-3:])}:{one.lineno} in {one.name}"
            for one in reversed(traceback.extract_tb(error.__traceback__)[-FRAMES:])
        ]
        said.append(f"{type(error).__name__} at {', '.join(frames)}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "; from ".join(said)
