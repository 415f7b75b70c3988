"""What waits to be done, as a look from outside tells: so that little of a story's work is a look that finds nothing."""

from typing import TYPE_CHECKING, Final

from tests.simulation.script import HOUR
from tests.simulation.store import ask

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

#: Seconds from one reading of an account to the next, about.
REREAD: Final = 280.0
#: What waits in the database, by the job that would do it.
WAITING: Final = " UNION ALL ".join(
    f"SELECT '{job}' WHERE EXISTS (SELECT 1 FROM {where})"
    for job, where in (
        ("deliver", "outbox WHERE sent_at IS NULL"),
        ("merge", "inbox"),
        ("intents", "intents WHERE ended_at IS NULL"),
        ("leaving", "workspaces WHERE leaving_at IS NOT NULL AND removed_at IS NULL"),
    )
)


def wanted(world: "World", process: "Process") -> set[str]:
    """The jobs that have something to do. Others are begun as well, only less often: see `Process.tick`."""
    now = world.loop.time()
    found = {str(row[0]) for row in ask(world.store, lambda c: c.exec_driver_sql(WAITING).all())}
    if any(one.id and one.books.unread and now - one.books.read_at > REREAD for one in world.tenants.values()):
        found.add("poll")
    # Channels are looked at by the hour.
    if any(one.until is None for one in world.told) and process.looked_at() // HOUR < now // HOUR:
        found.add("watch")
    return found
