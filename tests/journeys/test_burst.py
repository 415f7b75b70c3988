"""Many at once: commands, clicks and webhooks that arrive together are all answered, once, and in order."""

import asyncio
import threading
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from bot.front.dispatcher import Dispatcher, InFlight
from bot.front.listeners import COMMANDS, build_bolt
from bot.sandbox.slack import User, encode, sign
from handlers.context import inbox
from handlers.context.intents import vault_of
from handlers.context.services import Request, Services
from handlers.context.table import Command
from storage import aside
from storage.ledger import apply as ledger
from storage.ledger import tallies as tally
from storage.schema.tables import pieces
from storage.statuses import Status
from tests.journeys.conftest import ANA, OPS, Stage, everything


async def test_two_hundred_commands_at_once_are_all_acknowledged_and_answered(stage: Stage) -> None:
    for number in range(20):
        stage.slack.add_user(User(f"U0P{number}", f"Person {number}"))
    before = len(stage.slack.messages)
    acked = await asyncio.gather(
        *(stage.slack.command(f"U0P{n % 20}", OPS, "/mailtrack", f"nothing-{n}") for n in range(200))
    )
    assert all(one.ok for one in acked)
    await stage.until(lambda: len(stage.slack.messages) >= before + 200)
    said: dict[str, list[int]] = {}
    for message in stage.slack.messages[before:]:
        asked = next(word for word in everything(message).replace("`", " ").split() if "nothing-" in word)
        said.setdefault(str(message.only_for), []).append(int("".join(c for c in asked if c.isdigit())))
    assert Counter(len(numbers) for numbers in said.values()) == {10: 20}
    # Each person's answers come in the order of the questions.
    assert all(numbers == sorted(numbers) for numbers in said.values())


async def test_a_double_click_counts_once_and_a_later_click_again(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Spring lapsed")
    before = len(stage.stannp.requests)
    await asyncio.gather(*(stage.slack.press(ANA, answer, "refresh_status") for _ in range(3)))
    await asyncio.sleep(0.5)
    await stage.app.in_flight.drain(10)
    asked = [r for r in stage.stannp.requests[before:] if "campaignSingles" in r]
    assert len(asked) == 1
    await asyncio.sleep(1.3)
    await stage.slack.press(ANA, answer, "refresh_status")
    await stage.until(lambda: len([r for r in stage.stannp.requests[before:] if "campaignSingles" in r]) == 2)


@pytest.mark.parametrize("name", sorted(COMMANDS))
async def test_a_listener_that_breaks_at_once_has_been_acknowledged_all_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # Bolt loses an acknowledgement when the listener raises before its runner has looked: the asker sees a failure.
    async def broken(_services: Services, _ask: Request) -> None:
        raise RuntimeError("broken at once")

    monkeypatch.setitem(COMMANDS, name, Command(broken))
    in_flight = InFlight()
    services, tenants = stage.app.services, stage.app.tenants
    dispatcher = Dispatcher(tenants, services.memory, services.clock, in_flight, vault_of(services))

    async def left(*_of_slack: Any) -> None:
        raise AssertionError

    bolt = build_bolt(stage.app.bolt.client, tenants.enter, dispatcher, left)
    raw, kind = encode(
        "slash_commands",
        {
            "command": name,
            "text": "",
            "user_id": ANA,
            "channel_id": OPS,
            "trigger_id": f"broken.{name}",
            "team_id": "T0ACME",
        },
    )
    headers = sign(stage.slack.signing_secret, raw, int(datetime.now(UTC).timestamp())) | {"Content-Type": kind}
    from slack_bolt.async_app import AsyncBoltRequest

    body = raw.decode() if isinstance(raw, bytes) else raw
    began = asyncio.get_running_loop().time()
    response = await bolt.async_dispatch(AsyncBoltRequest(body=body, headers={**headers}))
    assert response.status == 200
    # Bolt's own way would wait three seconds, and then say 404.
    assert asyncio.get_running_loop().time() - began < 2.5
    await in_flight.drain(10)
    assert any("went wrong" in m.text for m in stage.slack.messages)


async def webhooks(stage: Stage, number: int, **more: Any) -> list[int]:
    address = f"http://127.0.0.1:{stage.app.port}/webhooks/stannp"
    mailed = stage.stannp.pieces_of(222)
    for place, piece in enumerate(mailed):
        piece.move(("in_transit", "delivered", "returned")[place % 3], datetime.now(UTC))
    calls = [stage.stannp.delivery([mailed[n % len(mailed)]], n) for n in range(number)]
    return list(await asyncio.gather(*(stage.stannp.call_webhook(address, raw) for raw in calls)))


async def test_webhooks_that_arrive_together_are_each_kept_before_the_answer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(stage.app.services.inflow.inbox)
    commits, append = list[int](), kind.append

    def counting(self: Any, calls: Any) -> None:
        append(self, calls)
        commits.append(len(calls))

    monkeypatch.setattr(kind, "append", counting)
    assert await webhooks(stage, 120) == [200] * 120
    # Calls that come twice are each kept before their answer, too.
    assert sum(commits) == stage.stannp.posts >= 120
    assert len(commits) < stage.stannp.posts / 2
    await stage.merged()
    memory = stage.app.services.memory
    stand = await memory.read(
        lambda c: Counter(c.scalars(select(pieces.c.status).where(pieces.c.status >= Status.IN_TRANSIT)).all())
    )
    assert stand == {Status.IN_TRANSIT: 4, Status.DELIVERED: 4, Status.RETURNED: 4}
    assert await memory.read(tally.drift, stage.app.workspace.id) == []


async def test_one_poisoned_webhook_fails_alone(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    poisoned = str(stage.stannp.pieces_of(222)[3].id)
    apply = ledger.apply_heard

    def picky(connection: Any, workspace_id: Any, heard: Any, now: Any) -> Any:
        if any(change.piece_ref == poisoned for _, batch in heard for change in batch.changes):
            # A value that the database refuses, as it would refuse a NUL or a number beyond its range.
            connection.execute(text("INSERT INTO seen (key, seen_at) VALUES (NULL, NULL)"))
        return apply(connection, workspace_id, heard, now)

    monkeypatch.setattr(ledger, "apply_heard", picky)
    answers = await webhooks(stage, 24)
    # Told again it would be refused again, and five failures pause the webhook: it is taken, and kept aside.
    assert Counter(answers) == {200: 24}
    await stage.merged()
    found = await stage.app.services.memory.read(aside.look)
    assert found is not None
    assert (found.number, found.newest.ref) == (1, poisoned)


async def test_when_nothing_can_be_kept_the_answer_is_503_and_it_recovers_by_itself(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OperationalError("INSERT", {}, Exception("disk is full"))

    with monkeypatch.context() as patch:
        patch.setattr(type(stage.app.services.inflow.inbox), "append", full)
        assert set(await webhooks(stage, 10)) == {503}
    assert set(await webhooks(stage, 10)) == {200}


async def test_too_many_webhooks_are_shed_and_there_is_room_again_when_they_are_merged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    inflow, gate = stage.app.services.inflow, threading.Event()
    monkeypatch.setattr(inbox, "SHARE", 20_000)
    held = asyncio.create_task(stage.app.services.memory.on_writer(gate.wait, 30))
    answers = Counter(await webhooks(stage, 60))
    # A call that is repeated, or followed by the one before, is answered 503 where one of them is.
    assert 503 in answers
    assert set(answers) <= {200, 503}
    assert inflow.size > 0
    gate.set()
    await held
    await stage.merged()
    await stage.until(lambda: inflow.size == 0)
    assert set(await webhooks(stage, 10)) == {200}
