"""What must hold at the end of every story, whatever went wrong in it."""

import re
from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from storage.ledger import tallies
from storage.records import NotifyOn, WorkspaceId
from storage.statuses import Status
from tests.simulation.store import ask, rows

if TYPE_CHECKING:
    from tests.simulation.slack import Post
    from tests.simulation.world import Tenant, World

VERBS: Final = {"came back": Status.RETURNED, "delivered": Status.DELIVERED, "cancelled": Status.CANCELLED}
WANTED: Final = {
    Status.RETURNED: NotifyOn.RETURNED, Status.CANCELLED: NotifyOn.CANCELLED, Status.DELIVERED: NotifyOn.DELIVERED,
}  # fmt: skip
#: What happened less than this (in seconds) before or after a subscription may be news or not.
MARGIN: Final = 120.0


def check(world: "World") -> None:
    """Notes every invariant that does not hold."""
    for tenant in world.tenants.values():
        if tenant.id:
            pieces_are_true(world, tenant)
            news_is_told_once(world, tenant)
            counts_agree(world, tenant)
    nothing_waits(world)
    acknowledged_is_kept(world)


def pieces_are_true(world: "World", tenant: "Tenant") -> None:
    """Each piece stands where it truly is."""
    known = {
        row["ref"]: row["status"]
        for row in rows(world.store, f"SELECT ref, status FROM pieces WHERE workspace_id = {tenant.id}")
    }
    for letter in tenant.books.letters.values():
        if tenant.baseline is not None and known.get(letter.ref) != letter.status:
            world.fault(
                f"piece {letter.ref} of {tenant.team.name} is {letter.status.word}, known as {known.get(letter.ref)}"
            )


def counts_agree(world: "World", tenant: "Tenant") -> None:
    """What answers count equals the pieces, and so does what was spent."""
    found = ask(world.store, tallies.drift, WorkspaceId(tenant.id))
    for one in found:
        world.fault(f"the counts of {tenant.team.name} differ from its pieces: {one}")


def news_of(post: "Post") -> tuple[Status, set[str]] | None:
    """Which pieces a message names as news, and of what; None for what is no news."""
    if post.thread is None or not post.message.blocks:
        return None
    text = str(post.message.blocks[0].get("text", {}).get("text", ""))
    status = next((status for verb, status in VERBS.items() if verb in post.message.text), None)
    refs = set(re.findall(r"^• .*`(\w+)`$", text, re.MULTILINE))
    return (status, refs) if status and refs else None


def news_is_told_once(world: "World", tenant: "Tenant") -> None:
    """Every notable change is told once to each channel that asked; what is no news is not told."""
    for name, room in tenant.team.rooms.items():
        said: Counter[tuple[str, Status]] = Counter()
        surely: Counter[tuple[str, Status]] = Counter()
        for post in room.posts:
            found = news_of(post)
            if found is not None:
                said.update((ref, found[0]) for ref in found[1])
                surely.update((ref, found[0]) for ref in found[1] if post.sure)
        for (ref, status), times in surely.items():
            if times > 1:
                world.fault(f"{name} of {tenant.team.name} was told {times} times that {ref} is {status.word}")
        for ref, status in _must_be_told(world, tenant, name):
            if not said[ref, status]:
                world.fault(f"{name} of {tenant.team.name} was never told that {ref} is {status.word}")


def _must_be_told(world: "World", tenant: "Tenant", room: str) -> set[tuple[str, Status]]:
    from tests.simulation.world import BEGAN

    must = set()
    margin = timedelta(seconds=MARGIN + 2 * world.skewed)
    subscribed = [one for one in world.told if one.tenant == tenant.number and one.room == room and one.until is None]
    if tenant.baseline is None:
        return set()
    for one in subscribed:
        since = BEGAN + timedelta(seconds=max(one.since, tenant.baseline)) + margin
        for letter in tenant.books.letters.values():
            at, status = letter.way[-1]
            if status in WANTED and WANTED[status].value in one.wants and at > since and one.campaign == 0:
                must.add((letter.ref, status))
    return must


def nothing_waits(world: "World") -> None:
    """Hours after all went well again nothing waits that is not held back by name."""
    for row in rows(
        world.store,
        "SELECT o.workspace_id, o.channel, count(*) AS n FROM outbox o JOIN channels c USING (workspace_id, channel) "
        "WHERE o.sent_at IS NULL AND c.blocked = '' AND c.muted_until IS NULL GROUP BY 1, 2",
    ):
        world.fault(f"{row['n']} pieces of news wait in {row['channel']} of workspace {row['workspace_id']}")
    for row in rows(
        world.store, "SELECT workspace_id, kind FROM intents WHERE ended_at IS NULL AND next_at IS NOT NULL"
    ):
        world.fault(f"an intent of workspace {row['workspace_id']} has not ended: {row['kind']}")


def acknowledged_is_kept(world: "World") -> None:
    """What a webhook call said is in the history once it was answered with 200."""
    known: dict[str, set[int]] = defaultdict(set)
    for row in rows(world.store, "SELECT p.ref, c.status FROM changes c JOIN pieces p ON p.id = c.piece_id"):
        known[row["ref"]].add(row["status"])
    for name in sorted(world.acked):
        for change in world.mail.calls[name].changes:
            if change.status not in known[change.piece_ref]:
                world.fault(f"an acknowledged webhook call is lost: {change.piece_ref} {change.status}")
