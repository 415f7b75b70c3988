"""Whose turn it is, and what was already handled: a job's next moment, and the ids that Slack has sent before."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, case, delete, literal, or_, select, update

from storage.database import database_time, rows_changed, upsert
from storage.schema.tables import Moment, leases, seen

#: Slack's last retry comes after about six minutes; a re-sent socket envelope within the hour.
REMEMBERED = timedelta(hours=1)


def win(connection: Connection, name: str, owner: str, every: timedelta) -> int | None:
    """The token under which this process may do `name` now; None when it is not its turn.

    Of all processes that ask, one gets it per `every`, by the database's clock. Each token is higher than all before
    it: who was paused, and works on under an older one, is found out by `holds`, `extend` and `release`.
    """
    now = database_time(connection)
    adding = upsert(connection, leases).values(name=name, next_at=now + every, owner=owner, token=1)
    # A clock set back must not silence a job: a turn further away than two intervals is taken, too.
    due = or_(leases.c.next_at <= now, leases.c.next_at > now + 2 * every)
    taking = {"next_at": now + every, "owner": owner, "token": leases.c.token + 1}
    adding = adding.on_conflict_do_update(index_elements=["name"], set_=taking, where=due)
    token: int | None = connection.scalar(adding.returning(leases.c.token))
    return token


def holds(connection: Connection, name: str, token: int) -> bool:
    """Whether nobody took `name` since it was won under this token. Locks it until the transaction ends."""
    return connection.scalar(select(leases.c.name).where(*_under(name, token)).with_for_update()) is not None


def extend(connection: Connection, name: str, token: int, lease: timedelta) -> bool:
    """Nobody else gets `name` for at least `lease` from now: its work is under way. False when another has it."""
    until = database_time(connection) + lease
    further = case((leases.c.next_at < until, literal(until, Moment)), else_=leases.c.next_at)
    return rows_changed(connection, update(leases).where(*_under(name, token)).values(next_at=further)) == 1


def release(connection: Connection, name: str, token: int) -> bool:
    """The work is done: whoever asks next may have `name` at once. False when another took it meanwhile."""
    turn = update(leases).where(*_under(name, token)).values(next_at=database_time(connection))
    return rows_changed(connection, turn) == 1


def _under(name: str, token: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return leases.c.name == name, leases.c.token == token


def first_click(connection: Connection, key: str, within: timedelta) -> bool:
    """Whether this button was not pressed within this time, by the database's clock. Remembers that it is now."""
    return first_time(connection, key, database_time(connection), within)


def first_time(connection: Connection, key: str, now: datetime, within: timedelta = REMEMBERED) -> bool:
    """Whether this key was not handled within this time (an hour at most). Remembers that it is now."""
    adding = upsert(connection, seen).values(key=key, seen_at=now)
    # What was seen "later" was seen by a clock that has been set back since.
    again = or_(seen.c.seen_at < now - within, seen.c.seen_at > now + within)
    adding = adding.on_conflict_do_update(index_elements=["key"], set_={"seen_at": now}, where=again)
    return rows_changed(connection, adding) == 1


def forget(connection: Connection, now: datetime) -> int:
    """Drops keys older than an hour; gives how many."""
    old = or_(seen.c.seen_at < now - REMEMBERED, seen.c.seen_at > now + REMEMBERED)
    return rows_changed(connection, delete(seen).where(old))
