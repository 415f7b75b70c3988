"""What shares a transaction: whose turn it is, what a failure of one does to the others, and who waits for room."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError

from handlers.context import audit, webhook_queue
from handlers.context.asker import require_account, visible_campaigns, zone_of
from handlers.context.grouped_commits import Group, GroupStopped, Queued, settled
from handlers.context.installer import tell
from handlers.context.lookups import campaign_of, piece_of
from handlers.context.webhook_queue import NOTED_EVERY, WAITING, WebhookQueue
from handlers.errors import NotConnected, NotInChannel, Outdated, Overloaded, SlackDown
from handlers.text.messages import Message
from storage import privacy, workspaces
from storage.audit import Act
from storage.records import NO_CAMPAIGN, CampaignId, PieceId, UserId
from storage.statuses import Status
from tests.builders import a_batch, a_campaign, a_change, a_piece
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


def batch(ref: str) -> Any:
    return a_batch(a_campaign(), a_piece(ref), a_change(ref, Status.RECEIVED))


async def test_calls_are_counted_and_a_caller_is_noted_once_a_minute(office: Office) -> None:
    queue = WebhookQueue(office.services.memory, office.clock)
    key = office.workspace.id
    until = asyncio.get_running_loop().time() + 60
    called = office.clock.now()
    await queue.keep(key, batch("1"), until)
    assert (queue.kept, office.again().webhook_at) == (3, called)
    office.clock.pass_time(seconds=NOTED_EVERY)
    await queue.keep(key, batch("2"), until)
    assert office.again().webhook_at == called
    office.clock.pass_time(seconds=1)
    await queue.keep(key, batch("3"), until)
    assert (queue.kept, office.again().webhook_at) == (9, office.clock.now())


def trouble(kind: type[Any], sqlstate: str = "") -> Any:
    cause = Exception("the database")
    cause.sqlstate = sqlstate  # type: ignore[attr-defined]
    return kind("statement", {}, cause)


async def test_of_calls_with_a_bad_one_the_others_are_kept_and_of_it_what_can_be(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, met = webhook_queue._apply_all, []

    def refusing(connection: Connection, calls: Any, silent: Any, now: Any) -> None:
        met.append(len(calls))
        if any(piece.ref == "bad" for _, one in calls for piece in one.pieces):
            raise trouble(IntegrityError)
        real(connection, calls, silent, now)

    monkeypatch.setattr(webhook_queue, "_apply_all", refusing)
    queue = WebhookQueue(office.services.memory, office.clock)
    until = asyncio.get_running_loop().time() + 60
    await asyncio.gather(*(queue.keep(office.workspace.id, batch(ref), until) for ref in ("1", "bad", "2")))
    assert met == [3, 1, 1, 1]
    assert queue.kept == 9
    assert {office.piece(ref).ref for ref in ("1", "2", "bad")} == {"1", "2", "bad"}


async def test_in_an_outage_each_is_told_so_and_none_is_tried_alone(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    met = []

    def away(_connection: Connection, calls: Any, _silent: Any, _now: Any) -> None:
        met.append(len(calls))
        raise trouble(OperationalError, "57P01")

    monkeypatch.setattr(webhook_queue, "_apply_all", away)
    monkeypatch.setattr(webhook_queue, "is_outage", lambda _error: True)
    queue = WebhookQueue(office.services.memory, office.clock)
    until = asyncio.get_running_loop().time() + 60
    ends = await asyncio.gather(
        *(queue.keep(office.workspace.id, batch(ref), until) for ref in "12"), return_exceptions=True
    )
    assert [type(one) for one in ends] == [OperationalError] * 2
    assert (met, queue.kept) == ([2], 0)


async def test_a_workspace_has_so_many_places_and_another_its_own(office: Office) -> None:
    queue = WebhookQueue(office.services.memory, office.clock, patience=0.01)
    key, other = office.workspace.id, type(office.workspace.id)(99)
    held = [queue.place(key) for _ in range(WAITING)]
    for one in held:
        await one.__aenter__()
    with pytest.raises(Overloaded):
        async with queue.place(key):
            pass
    async with queue.place(other) as until:
        assert until > 0
    await held[0].__aexit__(None, None, None)
    async with queue.place(key):
        pass


async def test_what_did_not_come_to_its_transaction_is_overload(office: Office) -> None:
    queue = WebhookQueue(office.services.memory, office.clock)
    begun = queue.group.enqueue((office.workspace.id, batch("1")), 3, office.workspace.id)
    await asyncio.sleep(0)
    assert not queue.group.waiting, "its transaction has begun"
    with pytest.raises(Overloaded):
        await queue.keep(office.workspace.id, batch("2"), asyncio.get_running_loop().time() - 1)
    await begun.done
    assert queue.kept == 3


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
