"""What shares a transaction: whose turn it is, and what a failure of one does to the others."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from handlers.context import audit
from handlers.context.asker import require_account, visible_campaigns, zone_of
from handlers.context.grouped_commits import Group, GroupStopped, Queued, settled
from handlers.context.installer import tell
from handlers.context.lookups import campaign_of, piece_of
from handlers.errors import NotConnected, NotInChannel, Outdated, SlackDown
from handlers.text.messages import Message
from storage import privacy, workspaces
from storage.audit import Act
from storage.records import NO_CAMPAIGN, CampaignId, PieceId, UserId
from storage.statuses import Status
from tests.handlers.conftest import ANA, BEN, OPS, Office

HELLO = Message("Hello", [])


class Desk:
    """Takes groups, and holds each back until it is let go."""

    def __init__(self, limit: int = 10) -> None:
        self.groups: list[list[str]] = []
        self.go = asyncio.Event()
        self.error: BaseException | None = None
        self.ends = True
        self.group: Group[str] = Group(self.commit, limit)

    async def commit(self, taken: list[Queued[str]]) -> None:
        self.groups.append([queued.what for queued in taken])
        await self.go.wait()
        if self.error is not None:
            raise self.error
        if self.ends:
            for queued in taken:
                queued.succeed()


async def test_what_comes_meanwhile_rides_together_in_the_next() -> None:
    desk = Desk()
    first = desk.group.enqueue("a")
    await asyncio.sleep(0)
    others = [desk.group.enqueue(name) for name in "bcd"]
    await asyncio.sleep(0)
    desk.go.set()
    await asyncio.gather(first.done, *(one.done for one in others))
    assert desk.groups == [["a"], ["b", "c", "d"]]
    await asyncio.sleep(0)
    assert desk.group.worker is None
    await desk.group.enqueue("e").done
    assert desk.groups[-1] == ["e"], "it begins anew"


async def test_a_group_is_no_heavier_than_its_limit_unless_one_alone_is() -> None:
    desk = Desk(limit=10)
    desk.go.set()
    for what, weight in (("a", 6), ("b", 4), ("c", 1), ("d", 99), ("e", 1)):
        last = desk.group.enqueue(what, weight)
    await last.done
    assert desk.groups == [["a", "b"], ["c"], ["d"], ["e"]]


async def test_who_sends_much_waits_for_nobody_but_themselves() -> None:
    desk = Desk(limit=2)
    desk.go.set()
    for what in ("a1", "a2", "a3", "b1"):
        queued = desk.group.enqueue(what, whose=what[0])
    await asyncio.gather(queued.done)
    assert desk.groups[0] == ["a1", "b1"]
    await asyncio.sleep(0.01)
    assert desk.groups[1:] == [["a2", "a3"]]


async def test_what_has_not_begun_can_be_taken_out_again() -> None:
    desk = Desk()
    begun = desk.group.enqueue("a")
    await asyncio.sleep(0)
    waiting, other = desk.group.enqueue("b", whose=1), desk.group.enqueue("c", whose=1)
    assert not desk.group.leave(begun)
    assert desk.group.leave(waiting)
    assert not desk.group.leave(waiting)
    assert 1 in desk.group.waiting
    assert desk.group.leave(other)
    assert desk.group.waiting == {}
    desk.go.set()
    await begun.done
    assert desk.groups == [["a"]]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("x"), ValueError),
        (None, GroupStopped),
        (asyncio.CancelledError(), GroupStopped),
        (StopIteration(), RuntimeError),
    ],
)
async def test_whom_a_group_leaves_open_hears_what_ended_it(error: BaseException | None, told: type[Exception]) -> None:
    desk = Desk()
    desk.error, desk.ends = error, False
    desk.go.set()
    with pytest.raises(told):
        await desk.group.enqueue("a").done
    desk.error, desk.ends = None, True
    await desk.group.enqueue("b").done


async def test_what_ended_is_told_apart_from_who_was_cancelled() -> None:
    async def gives() -> int:
        return 7

    async def stops() -> None:
        raise asyncio.CancelledError

    assert await settled(gives()) == (7, None)
    _, error = await settled(stops())
    assert isinstance(error, asyncio.CancelledError)
    queued: Queued[str] = Queued("a", 1, None, asyncio.get_running_loop().create_future())
    queued.succeed()
    queued.fail(ValueError())
    queued.succeed()
    assert queued.done.exception() is None


async def test_one_that_fails_lets_those_beside_it_be_done(office: Office) -> None:
    memory = office.services.memory

    def good(connection: Connection, number: int) -> int:
        return number + int(connection.execute(text("SELECT 1")).scalar_one())

    def bad(connection: Connection) -> None:
        raise ValueError("no")

    first, wrong, second = await asyncio.gather(
        memory.write_grouped(good, 1), memory.write_grouped(bad), memory.write_grouped(good, 2), return_exceptions=True
    )
    assert (first, second) == (2, 3)
    assert isinstance(wrong, ValueError)


# ---- Who asks, and who is told ----------------------------------------------------------------------------------


async def test_what_is_named_is_looked_up_in_the_askers_workspace(office: Office) -> None:
    campaign = await office.campaign(Status.DELIVERED)
    request = office.request()
    assert await campaign_of(office.services, request, campaign.id) == campaign
    assert (await piece_of(office.services, request, office.piece().id)).ref == "1001"
    with pytest.raises(Outdated):
        await campaign_of(office.services, request, CampaignId(99))
    with pytest.raises(Outdated):
        await piece_of(office.services, request, PieceId(99))


async def test_a_guest_knows_of_what_the_channel_was_shown(office: Office) -> None:
    found = [await office.campaign(Status.DELIVERED, ref=str(222 + n), name=f"Drop {n}") for n in range(3)]
    office.write(privacy.show, office.workspace.id, OPS, found[1].id, PieceId(0))

    def names(limit: int, **facts: Any) -> list[str]:
        return [one.facts.name for one in office.read(visible_campaigns, office.request(**facts), limit)]

    assert len(names(2)) == 2
    assert names(5, guest=True) == ["Drop 1"]
    assert names(0, guest=True) == []


async def test_without_an_account_and_without_a_zone(office: Office) -> None:
    require_account(office.request())
    office.note(connected_at=None)
    with pytest.raises(NotConnected):
        require_account(office.request())
    assert str(await zone_of(office.services, office.request())) == "America/Chicago"
    office.slack.fail("person", SlackDown())
    assert await zone_of(office.services, office.request()) == office.services.policy.zone


async def test_who_set_it_up_is_told_else_the_next(office: Office) -> None:
    office.note(installer=ANA)
    office.policy(installer=BEN)
    long_ago = office.clock.now() - timedelta(days=1)
    first = UserId("U0FIRST")
    office.write(workspaces.subscribe, office.workspace.id, OPS, NO_CAMPAIGN, frozenset(), first, long_ago)
    assert await tell(office.services, office.workspace, HELLO)
    assert [one.place for one in office.slack.said] == [ANA]
    office.slack.fail("post", NotInChannel(), NotInChannel())
    assert await tell(office.services, office.workspace, HELLO)
    assert office.slack.last.place == first
    office.slack.fail("post", SlackDown())
    assert not await tell(office.services, office.workspace, HELLO)


async def test_what_changed_nothing_leaves_no_line(office: Office) -> None:
    request = office.request()
    assert not await audit.record_audit(office.services, request, Act.RULES, "x", work=lambda _c: False)
    assert office.log() == []
    assert await audit.record_audit(office.services, request, Act.RULES, "x", "y", work=lambda _c: None)
    assert office.log() == [(Act.RULES, "x", "y")]
