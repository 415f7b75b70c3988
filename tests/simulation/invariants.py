"""What must hold at the end of every story, whatever went wrong in it."""

import re
from collections import Counter, defaultdict
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, Final

from storage.audit import Act
from storage.ledger import tallies
from storage.records import NotifyOn, WorkspaceId
from storage.schema.tables import UNITS
from storage.statuses import Status
from tests.simulation.script import BEGAN
from tests.simulation.store import ask, rows

if TYPE_CHECKING:
    from tests.simulation.slack import Post, Room
    from tests.simulation.world import Tenant, World

VERBS: Final = {"came back": Status.RETURNED, "delivered": Status.DELIVERED, "cancelled": Status.CANCELLED}
WANTED: Final = {
    Status.RETURNED: NotifyOn.RETURNED, Status.CANCELLED: NotifyOn.CANCELLED, Status.DELIVERED: NotifyOn.DELIVERED,
}  # fmt: skip
#: What happened less than this (in seconds) before or after a subscription may be news or not.
MARGIN: Final = 120.0
#: And what happened less than this before.
GRACE: Final = timedelta(days=2)


def check(world: "World") -> None:
    """Notes every invariant that does not hold at the end, when all is well again and all is done."""
    hold(world)
    for tenant in world.tenants.values():
        if tenant.id:
            pieces_are_true(world, tenant)
            news_is_told(world, tenant)
            who_left_is_gone(world, tenant)
            erased_is_erased(world, tenant)
    commands_are_answered(world)
    nothing_waits(world)


def hold(world: "World") -> None:
    """Notes what does not hold of that which must hold at every moment, whatever is still to be done.

    Looked at only where something happened since the last look: what was said, and what was written of pieces.
    """
    written = rows(
        world.store, "SELECT (SELECT count(*) FROM changes) AS heard, (SELECT max(facts_at) FROM pieces) AS told, "
        "(SELECT count(*) FROM inbox) AS waiting",
    )[0]  # fmt: skip
    said, known = len(world.trace), tuple(written.values())
    if (said, known) == world.held:
        return
    world.held = (said, known)
    for tenant in world.tenants.values():
        if tenant.id:
            news_is_told_once(world, tenant)
            old_mail_is_no_news(world, tenant)
            one_card_each(world, tenant)
            one_digest_a_day(world, tenant)
            nobody_pays_for_neighbors(world, tenant)
            only_what_was_permitted(world, tenant)
            counts_agree(world, tenant)
    if not written["waiting"]:
        acknowledged_is_kept(world)


def is_connected(world: "World", tenant: "Tenant") -> bool:
    """Whether its account can be read at the end."""
    found = rows(world.store, f"SELECT connected_at, removed_at FROM workspaces WHERE id = {tenant.id}")
    return bool(found) and found[0]["connected_at"] is not None and found[0]["removed_at"] is None and is_in(tenant)


def is_in(tenant: "Tenant") -> bool:
    """Whether the app is installed at Slack."""
    return bool(tenant.team.tokens)


def old_mail_is_no_news(world: "World", tenant: "Tenant") -> None:
    """What happened long before the account was read, and before the channel asked, is not told as news."""
    margin = timedelta(seconds=MARGIN + 2 * world.skewed)
    for name, room in tenant.team.rooms.items():
        since = min((one.since for one in world.told if (one.tenant, one.room) == (tenant.number, name)), default=None)
        if since is None or tenant.baseline is None:
            continue
        before = BEGAN + timedelta(seconds=max(since, tenant.baseline)) - GRACE - margin
        for post in room.posts:
            status, refs = news_of(post) or (None, set())
            for ref in sorted(refs):
                for at, reached in tenant.books.letters[ref].way:
                    if reached is status and at < before:
                        world.fault(f"{name} of {tenant.team.name} was told of old mail: {ref} {reached.word} at {at}")


def one_card_each(world: "World", tenant: "Tenant") -> None:
    """A channel has one live card of a campaign."""
    for name, room in tenant.team.rooms.items():
        for campaign in tenant.books.campaigns.values():
            cards = [post for post in room.posts if post.thread is None and is_card(post, str(campaign.name))]
            sure = [post for post in cards if post.sure]
            if len(sure) > 1:
                world.fault(f"{name} of {tenant.team.name} has {len(sure)} cards of {campaign.name}")


def is_card(post: "Post", name: str) -> bool:
    """Whether it is the live card of this campaign."""
    blocks = list(post.message.blocks)
    return len(blocks) == 3 and str(blocks[0].get("text", {}).get("text", "")).startswith(f"*{name}*")


def one_digest_a_day(world: "World", tenant: "Tenant") -> None:
    """Nobody reads the same digest twice: what one tells, the next leaves out."""
    for name, room in tenant.team.rooms.items():
        sure = [post for post in room.posts if post.message.text.startswith("Since the last digest") and post.sure]
        for first, second in pairwise(sure):
            # Its hour may have been set anew, and so may a clock: what may never be is the same at once.
            if second.message.text == first.message.text and second.at - first.at < 6 * 3600:
                world.fault(f"{name} of {tenant.team.name} read the same digest twice: {first.message.text}")


def nobody_pays_for_neighbors(world: "World", tenant: "Tenant") -> None:
    """Who was not removed until then never reads that they were."""
    until = min(tenant.left, default=inf)
    for at, whom, message in tenant.team.answers:
        if at < until and "was removed from this workspace" in message.text:
            world.fault(f"{whom} of {tenant.team.name} reads what is true of another: {message.text}")


def only_what_was_permitted(world: "World", tenant: "Tenant") -> None:
    """Each piece that the mail house was asked to stop was pressed by somebody who might, and seconded where need be."""
    mine = [one for one in world.pressed if one.tenant == tenant.number]
    seconded = {one.user for one in mine if one.action == "approve_cancel" and one.is_admin}
    for ref, _ in tenant.books.asked_to_cancel:
        asked = [one for one in mine if one.action == "cancel_piece" and one.about == ref and one.is_admin]
        good = [one for one in asked if not one.needs_second or seconded - {one.user}]
        if not good:
            world.fault(f"{ref} of {tenant.team.name} was to be stopped, and nobody who might had asked for that")


def who_left_is_gone(world: "World", tenant: "Tenant") -> None:
    """Of who took the app out no secret is left, and who installed it again has theirs."""
    if not tenant.left:
        return
    kept = {row["place"] for row in rows(world.store, f"SELECT place FROM secrets WHERE workspace_id = {tenant.id}")}
    removed = rows(world.store, f"SELECT removed_at FROM workspaces WHERE id = {tenant.id}")[0]["removed_at"]
    if is_in(tenant) and (removed is not None or "slack" not in kept):
        world.fault(f"the newer installation of {tenant.team.name} is gone")
    if not is_in(tenant) and world.heard_left[tenant.number] and (removed is None or kept):
        world.fault(f"{tenant.team.name} took the app out, and {sorted(kept)} is kept")


def erased_is_erased(world: "World", tenant: "Tenant") -> None:
    """Who a piece was sent to is nowhere in the database after its erasure, and in no log at any time."""
    acts = f"SELECT subject, detail FROM audit WHERE workspace_id = {tenant.id} AND act = '{Act.ERASED}'"
    # One piece is the subject; several are a number, with their ids behind it.
    done = {
        ref for row in rows(world.store, acts) for ref in f"{row['subject']} {row['detail']}".replace(",", "").split()
    }
    for letter in tenant.books.letters.values():
        if letter.ref in done:
            found = rows(
                world.store,
                f"SELECT name, address, name_key FROM pieces WHERE workspace_id = {tenant.id} AND ref = '{letter.ref}'",
            )
            if any(value for row in found for value in row.values()):
                world.fault(f"the recipient of {letter.ref} of {tenant.team.name} is still known after the erasure")
    for said in world.logs:
        if any(
            letter.recipient.name in str(value) for value in said.values() for letter in tenant.books.letters.values()
        ):
            world.fault(f"a log names a recipient: {said['event']}")


def commands_are_answered(world: "World") -> None:
    """What a process took is answered, where neither it nor anything outside was in trouble."""
    if world.weather.rates or world.weather.storms:
        return
    for one in world.typed:
        tenant = world.tenants[one.tenant]
        if tenant.left or one.process.lane.dead or one.process.name in world.stopped:
            continue
        if not any(whom == one.place for _, whom, _ in tenant.team.answers):
            world.fault(f"{one.place} of {tenant.team.name} was never answered")


def pieces_are_true(world: "World", tenant: "Tenant") -> None:
    """Each piece stands where it truly is, in its campaign, at its price, and sent to whom it is."""
    if tenant.baseline is None or not is_connected(world, tenant):
        return
    known = {
        row["ref"]: row
        for row in rows(
            world.store,
            "SELECT p.ref, p.status, p.cost, c.ref AS campaign, p.name, p.address, p.erased FROM pieces p "
            f"LEFT JOIN campaigns c ON c.id = p.campaign_id WHERE p.workspace_id = {tenant.id}",
        )
    }
    for letter in tenant.books.letters.values():
        row, whose = known.get(letter.ref), f"piece {letter.ref} of {tenant.team.name}"
        if row is None or row["status"] != letter.status:
            world.fault(f"{whose} is {letter.status.word}, known as {row and row['status']}")
            continue
        who = ("", "") if row["erased"] else (letter.recipient.name, letter.recipient.address)
        true = (letter.cost, letter.campaign, *who)
        said = (Decimal(row["cost"] or 0) / UNITS, row["campaign"], row["name"], row["address"])
        if said != true:
            world.fault(f"{whose} is {true}, known as {said}")


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
    """No notable change is told twice to a channel."""
    for name, room in tenant.team.rooms.items():
        for (ref, status), times in told_in(room, sure=True).items():
            if times > 1:
                world.fault(f"{name} of {tenant.team.name} was told {times} times that {ref} is {status.word}")


def news_is_told(world: "World", tenant: "Tenant") -> None:
    """Every notable change was told to each channel that asked."""
    for name, room in tenant.team.rooms.items():
        said = told_in(room, sure=False)
        for ref, status in sorted(must_be_told(world, tenant, name)):
            if not said[ref, status] and (ref, status) not in room.untold:
                world.fault(f"{name} of {tenant.team.name} was never told that {ref} is {status.word}")


def told_in(room: "Room", *, sure: bool) -> Counter[tuple[str, Status]]:
    """How often each piece's change was told there. `sure`: without what may have come again."""
    told: Counter[tuple[str, Status]] = Counter()
    for post in room.posts:
        found = news_of(post)
        if found is not None and (post.sure or not sure):
            told.update((ref, found[0]) for ref in found[1])
    return told


def must_be_told(world: "World", tenant: "Tenant", room: str) -> set[tuple[str, Status]]:
    """What this channel must have been told of: it asked well before, and still does."""
    must = set()
    margin = timedelta(seconds=MARGIN + 2 * world.skewed)
    subscribed = [one for one in world.told if one.tenant == tenant.number and one.room == room and one.until is None]
    if tenant.baseline is None or not is_connected(world, tenant):
        return set()
    for one in subscribed:
        since = BEGAN + timedelta(seconds=max(one.since, tenant.baseline)) + margin
        for letter in tenant.books.letters.values():
            at, status = letter.way[-1]
            if status is Status.CANCELLED and letter.ref in {asked for asked, _ in tenant.books.asked_to_cancel}:
                # Whoever asked for it is told, and the channel by that.
                continue
            if _was_closed(tenant.team.room(room), (at - BEGAN).total_seconds()):
                # What is heard while it is closed ends there, and people see why.
                continue
            if status in WANTED and WANTED[status].value in one.wants and at > since and one.campaign == 0:
                must.add((letter.ref, status))
    return must


def _was_closed(room: "Room", at: float) -> bool:
    return any(began <= at <= ended for began, ended in room.closed)


def nothing_waits(world: "World") -> None:
    """Hours after all went well again nothing waits that is not held back by name."""
    there = {tenant.id for tenant in world.tenants.values() if is_in(tenant)}
    for row in rows(
        world.store,
        "SELECT o.workspace_id, o.channel, count(*) AS n FROM outbox o JOIN channels c USING (workspace_id, channel) "
        "WHERE o.sent_at IS NULL AND c.blocked = '' AND c.muted_until IS NULL AND c.hush_until IS NULL GROUP BY 1, 2",
    ):
        if row["workspace_id"] in there:
            world.fault(f"{row['n']} pieces of news wait in {row['channel']} of workspace {row['workspace_id']}")
    for row in rows(
        world.store, "SELECT workspace_id, kind FROM intents WHERE ended_at IS NULL AND next_at IS NOT NULL"
    ):
        if row["workspace_id"] in there:
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
