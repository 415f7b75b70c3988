"""What Slack or the database refuses for good ends with a reason, and holds up nothing else."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from bot.sandbox.slack import Fault
from handlers.alerts import cards, delivery
from handlers.alerts.delivery import OutboxSender
from handlers.errors import SlackRefused
from storage import outbox
from storage.queries import mail as queries
from tests.journeys.conftest import OPS, SALES, Stage, everything, is_news
from tests.journeys.test_senders import Paused, a_return, all_told, cards_in, services_rested, worker


@dataclass
class Picky:
    """Slack, with a new word for messages that hold this."""

    slack: Any
    holding: str
    code: str = "shiny_new_code"
    refused: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.slack, name)

    async def post(self, channel: str, message: Any, **more: Any) -> str:
        if self.holding in f"{message.text}{message.blocks}":
            self.refused += 1
            raise SlackRefused(f"Slack refused the message ({self.code}).", code=self.code)
        return str(await self.slack.post(channel, message, **more))


async def rounds(stage: Stage, sender: OutboxSender, number: int) -> None:
    """The channel has its turn so often; in between leases and rests end."""
    for _ in range(number):
        await sender.serve()
        await services_rested(stage)
        await stage.app.services.memory.write(outbox.free_leases)


async def reasons(stage: Stage, ref: str) -> list[str]:
    key = stage.app.workspace.id

    def look(connection: Any) -> list[str]:
        piece = queries.find_pieces(connection, key, ref, 1)[0]
        return [told.refusal for told in outbox.told_of(connection, key, piece.id)]

    return await stage.app.services.memory.read(look)


def returned(stage: Stage, campaign: int, place: int) -> str:
    piece = stage.stannp.pieces_of(campaign)[place]
    piece.move("returned", datetime.now(UTC))
    return str(piece.id)


async def test_a_message_that_slack_refuses_with_a_new_word_holds_up_its_channel_for_some_tries(stage: Stage) -> None:
    await a_return(stage)
    await all_told(stage)
    ref, other = returned(stage, 222, 1), returned(stage, 223, 0)
    await stage.poll()
    line = Picky(stage.app.services.slack, ref)
    await rounds(stage, worker(stage, slack=line), 9)
    assert line.refused == 5
    assert [m for m in stage.slack.messages if is_news(m) and other in everything(m)]
    assert "shiny_new_code" in (await reasons(stage, ref))[0]
    assert "shiny_new_code" in everything(await stage.say("/mailtrack", ref))


@pytest.mark.parametrize("code", ["msg_too_long", "edit_window_closed", "shiny_new_code"])
async def test_a_card_that_slack_does_not_let_us_edit_keeps_no_news_back(stage: Stage, code: str) -> None:
    await a_return(stage)
    await all_told(stage)
    ref = returned(stage, 222, 1)
    stage.slack.faults.append(Fault("chat.update", code, times=1000))
    await stage.poll()
    await rounds(stage, worker(stage), 3)
    assert [m for m in stage.slack.messages if is_news(m) and ref in everything(m)]
    assert set(await reasons(stage, ref)) == {""}


async def test_facts_that_cannot_be_read_hold_up_no_other_channel(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.app.scheduler.pause()
    await stage.app.in_flight.drain(5)
    await stage.say("/mailalerts", "on Spring lapsed")
    await stage.say("/mailalerts", "on Holiday postcards", channel=SALES)
    returned(stage, 222, 0)
    bad = returned(stage, 223, 0)
    await stage.poll()
    mix = queries.mix

    def broken(connection: Any, workspace_id: Any, campaign_id: Any, *more: Any) -> Any:
        if "Holiday" in str(queries.campaign(connection, workspace_id, campaign_id)):
            raise ValueError("a row that nobody can read")
        return mix(connection, workspace_id, campaign_id, *more)

    monkeypatch.setattr(queries, "mix", broken)
    await rounds(stage, worker(stage), 7)
    assert [m for m in stage.slack.messages if m.channel == OPS and is_news(m)]
    assert "Something went wrong here" in (await reasons(stage, bad))[0]


def refusing(only: Callable[[outbox.Settlement], bool]) -> Callable[..., Any]:
    settle = outbox.settle

    def refused(connection: Any, settlements: Any) -> Any:
        if any(only(one) for one in settlements):
            raise DataError("UPDATE", {}, Exception("a value that no column takes"))
        return settle(connection, settlements)

    return refused


@pytest.mark.parametrize("everything_is", [False, True])
async def test_what_was_told_and_cannot_be_recorded_is_not_told_for_ever(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, *, everything_is: bool
) -> None:
    ref = await a_return(stage)
    bad = refusing(lambda end: everything_is or bool(end.told or end.card))
    monkeypatch.setattr(outbox, "settle", bad)
    await rounds(stage, worker(stage), 6)
    assert len(cards_in(stage)) == 1
    if not everything_is:
        assert "could not be written down" in (await reasons(stage, ref))[0]


async def test_a_sender_that_was_paused_edits_no_card_that_another_has_brought_up_to_date(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_return(stage)
    await all_told(stage)
    returned(stage, 222, 1)
    await stage.poll()
    tenants = Paused(stage.app.services, stage.app.workspace)
    first = asyncio.create_task(OutboxSender(stage.app.services, tenants).serve())
    await asyncio.wait_for(tenants.asked.wait(), 10)
    past = text("UPDATE channels SET lease_until = next_at")
    await stage.app.services.memory.write(lambda connection: connection.execute(past) and None)
    await all_told(stage)
    before = len(stage.slack.calls)
    uptime = delivery._uptime
    monkeypatch.setattr(delivery, "_uptime", lambda: uptime() + 300)
    tenants.go.set()
    await first
    assert [name for name, _ in stage.slack.calls[before:] if name.startswith("chat.")] == []


@dataclass
class SlowRead:
    """The memory, paused after a card's facts were read."""

    memory: Any
    go: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.memory, name)

    async def read(self, work: Any, *args: Any, **more: Any) -> Any:
        found = await self.memory.read(work, *args, **more)
        if work.__name__ == "_look":
            self.asked.set()
            await self.go.wait()
        return found


async def test_a_card_is_edited_by_who_holds_its_channel(stage: Stage) -> None:
    await a_return(stage)
    await all_told(stage)
    stage.stannp.pieces_of(222)[1].move("delivered", datetime.now(UTC))
    await stage.poll()
    slow = SlowRead(stage.app.services.memory)
    services = worker(stage, memory=slow).services
    first = asyncio.create_task(cards.refresh(services, stage.app.workspace.id))
    await asyncio.wait_for(slow.asked.wait(), 10)
    await stage.app.services.memory.write(outbox.free_leases)
    stage.stannp.pieces_of(222)[2].move("delivered", datetime.now(UTC))
    await stage.poll()
    await cards.refresh(stage.app.services, stage.app.workspace.id)
    before = len(stage.slack.calls)
    slow.go.set()
    await first
    assert [name for name, _ in stage.slack.calls[before:] if name.startswith("chat.")] == []


@pytest.mark.parametrize("named", [0, None])
async def test_a_slack_that_asks_for_no_wait_at_all_is_not_asked_without_end(stage: Stage, named: int | None) -> None:
    await a_return(stage)
    fault = Fault("chat.postMessage", "ratelimited", 429, retry_after=named, times=1000)
    stage.slack.faults.append(fault)
    serving = asyncio.create_task(worker(stage).serve())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(serving, 3)
    assert 1000 - fault.times <= 8
