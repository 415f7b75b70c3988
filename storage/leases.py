"""Whose turn it is, and what was already handled: a job's next moment, and the ids that Slack has sent before."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, or_, update

from storage.database import rows_changed, upsert
from storage.tables import leases, seen

#: Slack's last retry comes after about six minutes; a re-sent socket envelope within the hour.
REMEMBERED = timedelta(hours=1)


def win(connection: Connection, name: str, owner: str, now: datetime, every: timedelta) -> bool:
    """Whether this process runs the tick `name` now. Of all processes that ask, one gets True per `every`."""
    first = {"name": name, "next_at": now + every, "owner": owner}
    if rows_changed(connection, upsert(connection, leases).values(**first).on_conflict_do_nothing()):
        return True
    # A clock set back must not silence a job: a turn further away than two intervals is taken, too.
    due = or_(leases.c.next_at <= now, leases.c.next_at > now + 2 * every)
    turn = update(leases).where(leases.c.name == name, due).values(next_at=now + every, owner=owner)
    return rows_changed(connection, turn) == 1


def first_time(connection: Connection, key: str, now: datetime, within: timedelta = REMEMBERED) -> bool:
    """Whether this key was not handled within this time (an hour at most). Remembers that it is now."""
    adding = upsert(connection, seen).values(key=key, seen_at=now)
    adding = adding.on_conflict_do_update(
        index_elements=["key"], set_={"seen_at": now}, where=seen.c.seen_at < now - within
    )
    return rows_changed(connection, adding) == 1


def forget(connection: Connection, now: datetime) -> int:
    """Drops keys older than an hour; gives how many."""
    return rows_changed(connection, delete(seen).where(seen.c.seen_at < now - REMEMBERED))
