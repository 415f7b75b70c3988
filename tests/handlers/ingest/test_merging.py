"""Webhook calls that were taken are merged, each workspace's as one batch; what nobody can take holds up no other."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, OperationalError

from handlers.context.ports import Delivery
from handlers.errors import PayloadRefused
from handlers.ingest.merging import REST, Merger, end
from storage import aside, imports, workspaces
from storage.imports import ImportProgress
from storage.inbox import MOST, Call
from storage.ledger import apply as ledger
from storage.records import NO_CAMPAIGN, Batch, NotifyOn, WorkspaceId
from storage.statuses import Status
from tests.builders import a_batch, a_change, a_piece
from tests.handlers.conftest import BEN, OPS, Office


@pytest.fixture
def merger(office: Office) -> Merger:
    return Merger(office.services.memory, office.services.inflow)


def take(office: Office, *refs: str, whose: WorkspaceId | None = None) -> None:
    """A call about each of these pieces waits in the inbox."""
    at, calls = office.clock.now(), []
    for ref in refs:
        body = ref.encode()
        told = a_batch(a_piece(ref, ""), a_change(ref, Status.RETURNED, exact=False, occurred_at=at))
        office.mail.deliveries[body] = Delivery(told, "mailpiece_status")
        calls.append(Call(whose or office.workspace.id, at, "stannp", body))
    office.services.inflow.inbox.append(calls)


def known(office: Office) -> list[str]:
    return list(office.read(lambda c: c.exec_driver_sql("SELECT ref FROM pieces ORDER BY ref").scalars().all()))


def waiting(office: Office) -> int:
    return sum(one.calls for one in office.services.inflow.inbox.waiting().values())


def told(office: Office) -> int:
    return int(office.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM outbox").scalar_one()))


async def test_what_waits_is_merged_and_gone(office: Office, merger: Merger) -> None:
    lags = list[float]()
    merger.inflow.lag = lags.append
    take(office, "1", "2", "3")
    heard_at = office.clock.now()
    office.clock.pass_time(seconds=2)
    assert [await merger.merge_some(), await merger.merge_some()] == [3, 0]
    assert (known(office), waiting(office)) == (["1", "2", "3"], 0)
    assert office.piece("1").status_at == heard_at
    assert office.again().webhook_at == heard_at
    assert (office.services.memory.learned, lags) == (6, [2.0] * 3)


async def test_that_the_platform_called_is_noted_once_a_minute(office: Office, merger: Merger) -> None:
    noted = list[Any]()
    for seconds in (0, 60, 1):
        office.clock.pass_time(seconds=seconds)
        take(office, f"{len(noted) + 1}")
        await merger.drain()
        noted.append(office.again().webhook_at)
    now = office.clock.now()
    assert noted == [now - timedelta(seconds=61), now - timedelta(seconds=61), now]


async def test_that_the_platform_called_is_noted_by_the_clock_of_the_silence(
    office: Office, merger: Merger, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A clock that jumps, as the sandbox's does: no time has passed by the one that nobody sets.
    monkeypatch.setattr(office.clock, "elapsed", lambda: 1.0)
    take(office, "1")
    await merger.drain()
    now = office.clock.pass_time(hours=12)
    take(office, "2")
    await merger.drain()
    assert office.again().webhook_at == now


async def test_who_subscribed_while_it_waited_is_not_told_of_it(office: Office, merger: Merger) -> None:
    await office.campaign(Status.IN_TRANSIT)
    take(office, "1001")
    at = office.clock.pass_time(seconds=1)
    wants = frozenset({NotifyOn.RETURNED})
    office.write(workspaces.subscribe, office.workspace.id, OPS, NO_CAMPAIGN, wants, BEN, at)
    office.clock.pass_time(seconds=1)
    await merger.drain()
    assert (office.piece("1001").status, told(office)) == (Status.RETURNED, 0)


@pytest.mark.parametrize("fault", [PayloadRefused(), ValueError("no"), RecursionError(), AttributeError("x")])
async def test_a_call_that_nobody_can_read_is_set_aside_once_and_holds_up_no_other(
    office: Office, merger: Merger, fault: Exception
) -> None:
    for _ in range(2):
        office.mail.fail("read_delivery", fault)
        take(office, "bad")
        take(office, "1")
        assert await merger.merge_some() == 2
    found = office.read(aside.look)
    assert found is not None
    assert (found.number, found.newest.ref[:5]) == (1, "call ")
    assert found.newest.reason == f"unreadable: {type(fault).__name__}"
    assert (known(office), waiting(office)) == (["1"], 0)


async def test_words_of_a_platform_that_is_not_known_here_are_set_aside(office: Office, merger: Merger) -> None:
    merger.inflow.readings = {}
    take(office, "1")
    await merger.drain()
    found = office.read(aside.look)
    assert found is not None
    assert found.newest.reason == "unreadable: KeyError"


AWAY = OperationalError("", {}, Exception("database is locked"))


def trouble(monkeypatch: pytest.MonkeyPatch, error: Exception, *bad: str) -> None:
    """The database raises this for these pieces."""
    real = ledger.apply_heard

    def apply(connection: Connection, workspace_id: Any, heard: Any, now: Any) -> Any:
        if not bad or any(one.ref in bad for _, batch in heard for one in (*batch.pieces, *_changed(batch))):
            raise error
        return real(connection, workspace_id, heard, now)

    monkeypatch.setattr(ledger, "apply_heard", apply)


def _changed(batch: Batch) -> list[Any]:
    return [replace(a_piece(), ref=change.piece_ref) for change in batch.changes]


async def test_a_poisoned_call_is_taken_apart_and_the_others_are_merged(
    office: Office, merger: Merger, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(office, "1", "2", "3")
    trouble(monkeypatch, IntegrityError("", {}, Exception("no")), "2")
    assert await merger.merge_some() == 3
    assert (known(office), waiting(office)) == (["1", "3"], 0)
    found = office.read(aside.look)
    assert found is not None
    assert (found.number, found.newest.ref) == (1, "2")


async def test_that_the_platform_called_is_noted_also_where_a_call_was_poisoned(
    office: Office, merger: Merger, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(office, "1", "2")
    trouble(monkeypatch, IntegrityError("", {}, Exception("no")), "2")
    heard_at = office.clock.now()
    office.clock.pass_time(seconds=2)
    assert await merger.merge_some() == 2
    assert office.again().webhook_at == heard_at


FAULTS = [AttributeError("no such thing"), RuntimeError("no"), AssertionError(), RecursionError()]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_of_ours_over_one_call_stops_nobody_and_is_reported(
    office: Office, merger: Merger, monkeypatch: pytest.MonkeyPatch, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    other = office.write(workspaces.ensure, "T0OTHER", "Other", "USD").id
    take(office, "1", "2")
    take(office, "3", "4", whose=other)
    trouble(monkeypatch, fault, "3")
    await merger.drain()
    assert (known(office), waiting(office)) == (["1", "2", "4"], 0)
    found = office.read(aside.look)
    assert found is not None
    assert (found.number, found.newest) == (1, aside.Refused("3", type(fault).__name__))
    assert caplog.text.count("ledger.broke") == 1
    assert f"{type(fault).__name__} at handlers/" in caplog.text or f"{type(fault).__name__} at tests/" in caplog.text
    assert "memory.py" in caplog.text, "and how it came there"


async def test_whom_a_fault_names_stays_out_of_the_log(
    office: Office, merger: Merger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    take(office, "1", "2")
    fault = AttributeError("no place for Wilhelmina Quackenbush")
    fault.__cause__ = KeyError("77 Xylophone Alley")
    trouble(monkeypatch, fault, "2")
    await merger.drain()
    assert (known(office), caplog.text.count("ledger.broke")) == (["1"], 1)
    assert "from KeyError" in caplog.text
    for word in ("Wilhelmina", "Quackenbush", "Xylophone"):
        assert word not in caplog.text


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_of_ours_over_one_piece_of_a_report_or_a_file_costs_that_piece_alone(
    office: Office, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    memory, key, now = office.services.memory, office.workspace.id, office.clock.now()
    trouble(monkeypatch, fault, "2")
    await memory.learn(key, a_batch(*(a_piece(ref, "") for ref in "123")), now)
    assert known(office) == ["1", "3"]
    file = a_batch(*(a_piece(ref, "") for ref in "245"))
    refused = imports.keep(memory.database, key, "file", file, ImportProgress(3, 3, 0), now)
    assert (known(office), refused) == (["1", "3", "4", "5"], [aside.Refused("2", type(fault).__name__)])


async def test_in_an_outage_all_waits_and_goes_on_afterwards(
    office: Office, merger: Merger, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(office, "1", "2", "3")
    with monkeypatch.context() as away:
        trouble(away, AWAY)
        for _ in range(4):
            with pytest.raises(OperationalError):
                await merger.merge_some()
        await end(merger, 5)
    assert (known(office), waiting(office)) == ([], 3)
    office.clock.pass_time(seconds=REST + 1)
    await merger.drain()
    assert (known(office), waiting(office), merger.turn.most) == (["1", "2", "3"], 0, MOST)


async def test_what_always_fails_like_an_outage_is_left_lying_and_the_others_go_on(
    office: Office, merger: Merger, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(office, *(str(n) for n in range(100, 140)))
    trouble(monkeypatch, OperationalError("", {}, Exception("cannot tell its type")), "100")
    failures = 0
    while waiting(office) > 1:
        try:
            await merger.merge_some()
        except OperationalError:
            failures += 1
            assert failures < 10
    assert known(office) == [str(n) for n in range(101, 140)]
    assert await merger.merge_some() == 0
    monkeypatch.undo()
    office.clock.pass_time(seconds=REST + 1)
    assert await merger.merge_some() == 1


async def test_calls_of_a_workspace_that_was_forgotten_are_let_go(office: Office, merger: Merger) -> None:
    take(office, "1", whose=WorkspaceId(77))
    take(office, "2")
    await merger.drain()
    assert (known(office), waiting(office)) == (["2"], 0)


async def test_workspaces_take_turns_however_much_one_of_them_sends(office: Office, merger: Merger) -> None:
    other = office.write(workspaces.ensure, "T0OTHER", "Other", "USD").id
    take(office, *(f"a{n}" for n in range(600)))
    take(office, "b", whose=other)
    assert await merger.merge_some() == MOST // 2 + 1
    assert "b" in known(office)
