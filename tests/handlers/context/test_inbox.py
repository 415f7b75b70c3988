"""Webhook calls on their way to their answer: kept together, each for good, and refused when there is no room."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from handlers.context import inbox
from handlers.errors import Overloaded
from storage.inbox import Call, Taken, Turn, Waiting
from storage.records import WorkspaceId
from tests.handlers.conftest import Office


def bodies(office: Office) -> list[bytes]:
    """What waits in the inbox."""
    found: list[bytes] = []

    def look(_connection: object, taken: Sequence[Taken]) -> None:
        found.extend(one.call.body for one in taken)
        raise LookupError

    with pytest.raises(LookupError):
        office.services.inflow.inbox.merge(Turn(), look)
    return sorted(found)


async def test_calls_that_come_together_are_kept_by_few_commits_each_with_its_moment(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    inflow, key, commits = office.services.inflow, office.workspace.id, list[int]()
    append = type(inflow.inbox).append

    def counted(self: object, calls: Sequence[Call]) -> None:
        commits.append(len(calls))
        assert {one.heard_at for one in calls} == {office.clock.now()}
        append(self, calls)  # type: ignore[arg-type]

    monkeypatch.setattr(type(inflow.inbox), "append", counted)
    await asyncio.gather(*(inflow.keep(key, "stannp", b"%d" % n) for n in range(50)))
    assert (sum(commits), len(commits) <= 3) == (50, True)
    assert bodies(office) == sorted(b"%d" % n for n in range(50))
    assert inflow.arrived.is_set()


async def test_what_cannot_be_kept_is_told_to_each_that_waits(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("disk is full"))

    inflow = office.services.inflow
    monkeypatch.setattr(type(inflow.inbox), "append", full)
    calls = (inflow.keep(office.workspace.id, "stannp", b"{}") for _ in range(3))
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(one) for one in ends] == [OperationalError] * 3
    assert not inflow.arrived.is_set()


async def test_whose_turn_does_not_come_in_time_is_refused(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    inflow, gate = office.services.inflow, asyncio.Event()
    inflow.patience = 0.01

    async def never(_taken: object) -> None:
        await gate.wait()

    monkeypatch.setattr(inflow.group, "commit", never)
    calls = (inflow.keep(office.workspace.id, "stannp", b"{}") for _ in range(2))
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(one) for one in ends] == [Overloaded, Overloaded]
    assert inflow.group.waiting == {}
    gate.set()


@pytest.mark.parametrize(
    ("mine", "others", "refused"),
    [(0, 0, False), (inbox.SHARE - 300, 0, False), (inbox.SHARE - 299, 0, True), (0, inbox.ROOM - 300, False),
     (0, inbox.ROOM - 299, True)],
)  # fmt: skip
async def test_there_is_so_much_room_for_one_workspace_and_for_all(
    office: Office, mine: int, others: int, refused: bool
) -> None:
    inflow, now = office.services.inflow, office.clock.now()
    there = {office.workspace.id: mine, WorkspaceId(77): others}
    inflow.count({key: Waiting(0, size, now) for key, size in there.items()})
    body = b"x" * (300 - inbox.EACH)
    if refused:
        with pytest.raises(Overloaded):
            await inflow.keep(office.workspace.id, "stannp", body)
        inflow.count({})
    await inflow.keep(office.workspace.id, "stannp", body)
    assert len(bodies(office)) == 1


async def test_what_was_kept_since_the_last_count_takes_room_as_well(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "SHARE", 3 * (inbox.EACH + 10))
    inflow = office.services.inflow
    calls = (inflow.keep(office.workspace.id, "stannp", b"0123456789") for _ in range(5))
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(one) for one in ends if one] == [Overloaded] * 2
    inflow.count(inflow.inbox.waiting())
    with pytest.raises(Overloaded):
        await inflow.keep(office.workspace.id, "stannp", b"0123456789")
    await inflow.keep(WorkspaceId(77), "stannp", b"0123456789")


def hung(monkeypatch: pytest.MonkeyPatch, office: Office) -> asyncio.Event:
    """Until this is set nothing is kept: the disk hangs. A hundredth of what there is room for in truth."""
    for name in ("QUEUE", "QUEUE_SHARE"):
        monkeypatch.setattr(inbox, name, getattr(inbox, name) // 100)
    inflow, gate = office.services.inflow, asyncio.Event()
    commit, inflow.group.limit = inflow.group.commit, inbox.GROUP // 100

    async def late(taken: Any) -> None:
        await gate.wait()
        await commit(taken)

    monkeypatch.setattr(inflow.group, "commit", late)
    return gate


def in_memory(office: Office) -> int:
    return sum(one.weight for theirs in office.services.inflow.group.waiting.values() for one in theirs)


async def test_however_long_the_disk_hangs_so_much_stays_in_memory_and_no_more(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    inflow, gate, body = office.services.inflow, hung(monkeypatch, office), bytes(9_000)
    asked = list[asyncio.Task[None]]()
    for _second in range(6):
        for whose in (office.workspace.id, WorkspaceId(77), WorkspaceId(78)):
            asked += [asyncio.create_task(inflow.keep(whose, "stannp", body)) for _ in range(40)]
        await asyncio.sleep(0.01)
        # As is done each second: nothing of it stands in the inbox yet.
        inflow.count({})
    assert in_memory(office) <= 500_000
    assert inflow.size >= in_memory(office)
    gate.set()
    ends = await asyncio.gather(*asked, return_exceptions=True)
    kept = sum(one is None for one in ends)
    assert [type(one) for one in ends if one] == [Overloaded] * (len(asked) - kept)
    assert kept * 9_000 > 400_000
    await inflow.keep(office.workspace.id, "stannp", body)


async def test_one_that_floods_while_the_disk_hangs_leaves_room_in_memory_for_others(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    inflow, gate, body = office.services.inflow, hung(monkeypatch, office), bytes(9_000)
    flood = [asyncio.create_task(inflow.keep(office.workspace.id, "stannp", body)) for _ in range(100)]
    await asyncio.sleep(0.01)
    other = asyncio.create_task(inflow.keep(WorkspaceId(77), "stannp", body))
    await asyncio.sleep(0.01)
    assert not other.done()
    gate.set()
    await asyncio.gather(*flood, return_exceptions=True)
    await other


async def test_a_call_whose_sender_went_away_leaves_memory(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    inflow, gate = office.services.inflow, hung(monkeypatch, office)
    for _ in range(100):
        asked = [asyncio.create_task(inflow.keep(office.workspace.id, "stannp", bytes(9_000))) for _ in range(10)]
        await asyncio.sleep(0)
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    assert in_memory(office) == 0
    gate.set()
    await inflow.keep(office.workspace.id, "stannp", b"{}")
