"""The database hangs, fails over, takes no writes, or is not there at the start: said in words, and over by itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
import pytest
from sqlalchemy import make_url, text

from bot.app import running
from bot.sandbox.slack import SlackDouble
from bot.sandbox.stannp import StannpDouble
from storage.database import open_database
from tests.journeys.conftest import ANA, OPS, Stage, a_small_world, settings_for
from tests.storage.lines import Line, by, line_to


@dataclass
class Lines:
    """A bot whose PostgreSQL has two addresses."""

    stage: Stage
    first: Line
    second: Line

    async def webhook(self) -> tuple[int, float]:
        stannp, began = self.stage.stannp, time.monotonic()
        piece = stannp.pieces_of(222)[0]
        piece.move("in_transit", datetime.now(UTC))
        address = f"http://127.0.0.1:{self.stage.app.port}/webhooks/stannp"
        status = await stannp.call_webhook(address, stannp.delivery([piece], int(time.monotonic() * 1000)))
        return status, time.monotonic() - began

    async def ready(self) -> int:
        address = f"http://127.0.0.1:{self.stage.app.port}/readyz"
        async with aiohttp.ClientSession() as session, session.get(address) as answer:
            return answer.status

    async def until_ready(self, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while await self.ready() != 200:
            assert time.monotonic() < end, "never ready again"
            await asyncio.sleep(0.2)


@pytest.fixture
async def lines(doubles: tuple[SlackDouble, StannpDouble], postgres_url: str) -> AsyncIterator[Lines]:
    slack, stannp = doubles
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(line_to(postgres_url)) for _ in range(2)]
        # The second is there, and answers nobody: the first is the primary.
        second.freeze()
        world = a_small_world(stannp)
        settings = settings_for(slack, stannp, by(postgres_url, first, second), "http")
        app = await stack.enter_async_context(running(settings))
        slack.events_url = f"http://127.0.0.1:{app.port}/slack/events"
        made = Lines(Stage(slack, stannp, world, app), first, second)
        await made.stage.until(
            lambda: not app.in_flight.is_running("tick:poll") and "GET accounts/balance" in stannp.requests
        )
        yield made
        second.thaw()
        first.thaw()
        app.scheduler.pause()
        await app.in_flight.drain(15)


async def test_a_database_that_hangs_is_told_within_seconds_and_another_host_takes_over(lines: Lines) -> None:
    status, took = await lines.webhook()
    assert (status, took < 3) == (200, True)
    lines.first.freeze()
    before = len(lines.stage.slack.messages)
    assert (await lines.stage.slack.command(ANA, OPS, "/mailstatus", "help")).ok
    answers = await asyncio.gather(*(lines.webhook() for _ in range(4)), return_exceptions=True)
    assert [one[0] for one in answers] == [503] * 4, answers  # type: ignore[index]
    assert max(one[1] for one in answers) < 20, answers  # type: ignore[index]
    assert await lines.ready() == 503
    said = await lines.stage.until(lambda: lines.stage.slack.messages[before:], 20)
    assert "not answering right now" in said[0].text
    # The standby was promoted; the first stays silent.
    lines.second.thaw()
    await lines.until_ready()
    assert (await lines.webhook())[0] == 200
    assert "/mailstatus" in (await lines.stage.say("/mailstatus", "help")).text


async def test_after_a_pause_of_the_database_everything_is_back(lines: Lines) -> None:
    lines.first.freeze()
    began = time.monotonic()
    assert await lines.ready() == 503
    assert time.monotonic() - began < 5
    lines.first.thaw()
    await lines.until_ready()
    assert (await lines.webhook())[0] == 200


async def test_a_database_that_takes_no_writes_is_an_outage_and_logged(
    lines: Lines, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    name = make_url(postgres_url).database
    admin = open_database(postgres_url.replace(f"/{name}?", "/postgres?"))

    def read_only(value: str) -> None:
        with admin.reader.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}"))
            kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
            connection.execute(text(kill), {"name": name})

    await asyncio.to_thread(read_only, "on")
    answers = [(await lines.webhook())[0] for _ in range(3)]
    assert answers == [503] * 3
    assert "webhook.not_kept" in caplog.text
    assert await lines.ready() == 503
    await asyncio.to_thread(read_only, "off")
    admin.close()
    await lines.until_ready()
    assert (await lines.webhook())[0] == 200
