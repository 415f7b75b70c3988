"""Several senders, wrong clocks, pauses and lost answers: what a channel reads is told by one of them, and once."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from bot.app import SystemClock
from bot.sandbox.slack import Channel, Fault, Posted
from bot.tenants import Sole
from handlers.alerts import delivery, digests
from handlers.alerts.delivery import OutboxSender
from handlers.context.services import Services
from storage import channel_settings, outbox, workspaces
from storage.records import NO_CAMPAIGN, ChannelId, ChannelSettings, NotifyOn, UserId
from tests.journeys.conftest import OPS, Stage, everything, is_news


@dataclass
class Skewed(SystemClock):
    """A machine's clock that is wrong by this much, and on which sleeping takes no time."""

    wrong_by: timedelta = timedelta(0)
    slept: float = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + self.wrong_by + timedelta(seconds=self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds
        await asyncio.sleep(0)


@dataclass
class Halting:
    """Slack, with a hand on the line: what was asked goes out, and its answer waits until `go`."""

    slack: Any
    go: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.slack, name)

    async def post(self, *args: Any, **more: Any) -> str:
        ts = str(await self.slack.post(*args, **more))
        self.asked.set()
        await self.go.wait()
        return ts


@dataclass(frozen=True)
class Paused(Sole):
    """Stops a sender after it has leased its channel and before it writes, as SIGSTOP would."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def of(self, workspace_id: Any) -> Services:
        self.asked.set()
        await self.go.wait()
        return await super().of(workspace_id)


def worker(stage: Stage, **changed: Any) -> OutboxSender:
    """Another process's sender, on the same database."""
    services = replace(stage.app.services, **changed)
    services = replace(services, policy=replace(services.policy, pace=timedelta(0)))
    return OutboxSender(services, Sole(services, stage.app.workspace))


async def a_return(stage: Stage, place: int = 0) -> str:
    """Something to tell, that nobody tells yet."""
    stage.app.scheduler.pause()
    await stage.app.in_flight.drain(5)
    if place == 0:
        await stage.say("/mailalerts", "on")
    piece = stage.stannp.pieces_of(222)[place]
    piece.move("returned", datetime.now(UTC))
    await stage.poll()
    return str(piece.id)


def cards_in(stage: Stage, channel: str = OPS) -> list[Posted]:
    return [
        m
        for m in stage.slack.messages
        if m.channel == channel and m.thread_ts is None and m.text.startswith("Spring lapsed: ")
    ]


async def all_told(stage: Stage, **changed: Any) -> None:
    """Others serve what is left, until nothing is."""
    for _ in range(3):
        await worker(stage, **changed).serve()


@pytest.mark.parametrize("ahead", [timedelta(minutes=2), timedelta(days=1), timedelta(minutes=-2)])
async def test_a_message_on_its_way_is_left_alone_by_a_machine_whose_clock_is_wrong(
    stage: Stage, ahead: timedelta
) -> None:
    await a_return(stage)
    line = Halting(stage.app.services.slack)
    first = asyncio.create_task(worker(stage, slack=line).serve())
    await asyncio.wait_for(line.asked.wait(), 10)
    await all_told(stage, clock=Skewed(ahead))
    line.go.set()
    await first
    await all_told(stage)
    assert len(cards_in(stage)) == 1
    assert len([m for m in stage.slack.messages if is_news(m)]) == 1


async def test_a_sender_that_was_paused_longer_than_its_lease_tells_nothing_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_return(stage)
    services = stage.app.services
    tenants = Paused(services, stage.app.workspace)
    first = asyncio.create_task(OutboxSender(services, tenants).serve())
    await asyncio.wait_for(tenants.asked.wait(), 10)
    # It is stopped for five minutes, in which its lease ends.
    past = text("UPDATE channels SET lease_until = next_at")
    await services.memory.write(lambda connection: connection.execute(past) and None)
    await all_told(stage)
    before = len(stage.slack.messages)
    uptime: Callable[[], float] = getattr(delivery, "_uptime", lambda: 0.0)
    monkeypatch.setattr(delivery, "_uptime", lambda: uptime() + 300, raising=False)
    tenants.go.set()
    await first
    assert len(cards_in(stage)) == 1
    assert [everything(m)[:80] for m in stage.slack.messages[before:]] == []


async def test_a_message_on_its_way_through_an_outage_of_the_database_is_recorded_when_that_is_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_return(stage)
    clock, settle = Skewed(), outbox.settle

    def away(*args: Any, **more: Any) -> Any:
        if clock.slept < 70:
            raise OperationalError("UPDATE", {}, Exception("the server closed the connection"))
        return settle(*args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "settle", away)
        await asyncio.wait_for(worker(stage, clock=clock).serve(), 30)
    await services_rested(stage)
    await all_told(stage)
    assert len(cards_in(stage)) == 1


async def services_rested(stage: Stage) -> None:
    """Every channel has rested long enough."""
    rested = text("UPDATE channels SET next_at = next_at - :long").bindparams(
        long=timedelta(hours=2) if "postgres" in str(stage.app.services.memory.database.reader.url) else 7_200_000_000
    )
    await stage.app.services.memory.write(lambda connection: connection.execute(rested) and None)


@pytest.mark.parametrize(
    "code",
    [
        "invalid_auth",
        "org_login_required",
        "ekm_access_denied",
        "accesslimited",
        "token_revoked",
        "missing_scope",
        "new",
    ],
)
async def test_what_slack_refuses_for_a_while_is_told_when_that_is_over(stage: Stage, code: str) -> None:
    ref = await a_return(stage)
    stage.slack.faults.append(Fault("chat.postMessage", code, times=2))
    for _ in range(4):
        await worker(stage).serve()
        await services_rested(stage)
    assert ref in everything(next(m for m in stage.slack.messages if is_news(m)))
    assert len(cards_in(stage)) == 1


async def test_what_was_served_by_a_clock_a_day_ahead_silences_nobody(stage: Stage) -> None:
    await a_return(stage)
    await worker(stage, clock=Skewed(timedelta(days=1))).serve()
    await a_return(stage, 1)
    await all_told(stage)
    news = [m for m in stage.slack.messages if is_news(m)]
    assert len(news) == 2 or news[0].text.startswith("2 pieces")


async def test_a_digest_of_many_channels_by_two_workers_reaches_each_once(stage: Stage) -> None:
    stage.app.scheduler.pause()
    stage.slack.paced = False
    key, memory = stage.app.workspace.id, stage.app.services.memory
    names = [ChannelId(f"C0D{n:03}") for n in range(40)]
    chosen = ChannelSettings("UTC", digest_hour=0)

    def subscribe(connection: Any) -> None:
        for name in names:
            since = datetime.now(UTC) - timedelta(days=1)
            workspaces.subscribe(connection, key, name, NO_CAMPAIGN, [NotifyOn.RETURNED], UserId("U0ANA"), since)
            channel_settings.keep(connection, key, name, chosen)

    for name in names:
        stage.slack.add_channel(Channel(name, name.lower()))
    await memory.write(subscribe)
    now = Skewed()
    services = replace(stage.app.services, clock=now)
    await digests.watch(services, key)
    for piece in stage.stannp.pieces_of(222)[:5]:
        piece.move("delivered", datetime.now(UTC))
    await stage.poll()
    now.wrong_by = timedelta(days=1)
    before = len(stage.slack.messages)
    await asyncio.gather(*(digests.watch(services, key) for _ in range(2)))
    told = Counter(m.channel for m in stage.slack.messages[before:])
    assert told == Counter(names)
