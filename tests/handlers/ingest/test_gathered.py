"""How what is read and what arrives is gathered: until it fills a transaction, for a second at most, or until the end."""

import asyncio
from datetime import timedelta

import pytest

from handlers.ingest import counting, poll
from handlers.ingest.merging import Merger
from handlers.ingest.poll import SOON, Gathered
from storage.inbox import MOST
from storage.ledger.apply import Heard
from storage.records import Batch
from storage.statuses import Status
from tests.builders import a_batch, a_change, a_piece
from tests.handlers.conftest import Office
from tests.handlers.ingest.test_merging import AWAY, known, take, trouble, waiting


def some(*refs: int) -> Batch:
    return a_batch(*(a_piece(str(ref), "") for ref in refs))


@pytest.fixture
def merged(office: Office, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of how many parts each merging was."""
    sizes: list[int] = []
    real = office.services.memory.learn_heard

    async def learn(workspace_id: object, told: list[Heard], now: object) -> object:
        sizes.append(len(told))
        return await real(workspace_id, told, now)  # type: ignore[arg-type]

    monkeypatch.setattr(office.services.memory, "learn_heard", learn)
    return sizes


async def test_what_is_read_waits_until_it_fills_a_transaction(
    office: Office, merged: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "PORTION", 4)
    async with Gathered(office.services, office.workspace.id) as gathered:
        await gathered.add(some(1, 2))
        await gathered.add(some(3))
        assert (merged, known(office)) == ([], [])
        await gathered.add(some(4))
        assert (merged, known(office)) == ([3], ["1", "2", "3", "4"])
        await gathered.add(some(5))
    assert (merged, known(office)) == ([3, 1], ["1", "2", "3", "4", "5"])


async def test_what_moved_counts_as_much_as_the_pieces_themselves(
    office: Office, merged: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "PORTION", 4)
    gathered = Gathered(office.services, office.workspace.id)
    await gathered.add(a_batch(a_piece("1", ""), a_change("1"), a_piece("2", "")))
    assert merged == []
    await gathered.add(a_batch(a_change("2")))
    assert merged == [2]


async def test_all_that_was_mailed_is_counted_by_state_from_the_first_piece_on(office: Office) -> None:
    campaign = await office.campaign(Status.DELIVERED, Status.IN_TRANSIT, Status.RETURNED, Status.RECEIVED)
    found = await counting.mailed_by_state(office.services, office.workspace.id, campaign.id)
    assert dict(found) == {"TX": 3}


async def test_what_is_read_waits_a_second_at_most_for_what_is_read_after_it(office: Office, merged: list[int]) -> None:
    gathered = Gathered(office.services, office.workspace.id)
    for ref in (1, 2):
        await gathered.add(some(ref))
        office.clock.moment += SOON / 2
    assert merged == []
    await gathered.add(some(3))
    assert merged == [3]
    office.clock.moment += SOON * 2
    await gathered.add(some(4))
    assert merged == [3], "the next second begins with what is read next"


async def test_no_merging_is_of_more_than_a_transaction_holds(
    office: Office, merged: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "PORTION", 4)
    gathered = Gathered(office.services, office.workspace.id)
    gathered.told = [(office.clock.now(), some(*refs)) for refs in ((1, 2), (3, 4), (5,), (6, 7, 8, 9, 10), (11,))]
    await gathered.learn()
    assert merged == [2, 1, 1, 1]
    assert len(known(office)) == 11
    assert gathered.told == []


async def test_what_arrives_is_merged_at_once_and_what_others_took_in_after_a_pause(office: Office) -> None:
    merger = Merger(office.services.memory, office.services.inflow)
    working = asyncio.create_task(merger.run(office.services, 3600.0))

    async def until_merged() -> None:
        while waiting(office):
            await asyncio.sleep(0)

    take(office, "1")
    await asyncio.wait_for(until_merged(), 30)
    take(office, "2")
    merger.inflow.arrived.set()
    await asyncio.wait_for(until_merged(), 30)
    office.services.stopping.set()
    merger.inflow.arrived.set()
    await asyncio.wait_for(working, 30)
    office.services.stopping.clear()
    working = asyncio.create_task(merger.run(office.services, 0.01))
    await asyncio.sleep(0)
    take(office, "3")
    await asyncio.wait_for(until_merged(), 30)
    office.services.stopping.set()
    await asyncio.wait_for(working, 30)
    assert known(office) == ["1", "2", "3"]


async def test_in_an_outage_ever_fewer_are_tried_at_once_and_all_again_afterwards(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    merger = Merger(office.services.memory, office.services.inflow)
    take(office, *(str(n) for n in range(100, 120)))
    tried: list[int] = []
    with monkeypatch.context() as away:
        trouble(away, AWAY)
        while merger.turn.most > 1:
            with pytest.raises(type(AWAY)):
                await merger.merge_some()
            tried.append(merger.turn.most)
    assert tried == [MOST // 8, MOST // 64, *([MOST // 512] if MOST >= 1024 else []), 1][: len(tried)]
    assert tried[-1] == 1
    await merger.drain()
    assert (merger.turn.most, len(known(office))) == (MOST, 20)


async def test_the_platforms_call_is_noted_as_late_as_the_last_of_those_that_arrived_together(office: Office) -> None:
    merger = Merger(office.services.memory, office.services.inflow)
    take(office, "1")
    last = office.clock.pass_time(seconds=5)
    take(office, "2")
    office.clock.pass_time(seconds=5)
    await merger.drain()
    assert office.again().webhook_at == last
    assert merger.noted == {office.workspace.id: last + timedelta(seconds=5)}
