"""Slack asks to be left alone for no time at all, again and again: it is asked more and more rarely, and nothing is lost."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from bot.sandbox.slack import Fault
from storage.schema.tables import channels, outbox
from tests.journeys.conftest import OPS, Stage

pytestmark = pytest.mark.calm
ENDLESS = 1_000_000


async def returned(stage: Stage) -> None:
    piece = stage.stannp.pieces_of(222)[0]
    piece.move("returned", datetime.now(UTC))
    address = f"http://127.0.0.1:{stage.app.port}/webhooks/stannp"
    assert await stage.stannp.call_webhook(address, stage.stannp.delivery([piece])) == 200
    await stage.merged()


def refuse(stage: Stage, seconds: int) -> Fault:
    fault = Fault("chat.postMessage", "ratelimited", 429, retry_after=seconds, times=ENDLESS)
    stage.slack.faults.append(fault)
    return fault


async def change(stage: Stage, statement: Any) -> None:
    await stage.app.services.memory.write(lambda connection: connection.execute(statement))


async def resting(stage: Stage) -> tuple[int, datetime]:
    """How often in a row the channel was refused, and until when it rests."""
    question = select(channels.c.tries, channels.c.next_at).where(channels.c.channel == OPS)
    row = await stage.app.services.memory.read(lambda connection: connection.execute(question).one())
    return row.tries, row.next_at


async def test_a_channel_is_not_asked_for_without_end(stage: Stage) -> None:
    await stage.say("/mailalerts", "on")
    fault = refuse(stage, 0)
    await returned(stage)
    await stage.until(lambda: fault.times < ENDLESS)
    await asyncio.sleep(3)
    asked = ENDLESS - fault.times
    stage.slack.faults.clear()
    assert asked <= 5, f"{asked} posts to one channel in three seconds"


async def test_a_channel_that_was_refused_many_times_rests_for_longer_than_slack_asks(stage: Stage) -> None:
    await stage.say("/mailalerts", "on")
    await change(stage, update(channels).where(channels.c.channel == OPS).values(tries=10))
    # Longer than the patience of a single call.
    refuse(stage, 6)
    await returned(stage)
    async with asyncio.timeout(10):
        while (await resting(stage))[0] == 10:
            await asyncio.sleep(0.05)
    left = (await resting(stage))[1] - datetime.now(UTC)
    assert left > timedelta(minutes=10), "twenty tries are over within minutes, and old news is given up"


async def test_news_that_waited_long_is_not_given_up_within_seconds(stage: Stage) -> None:
    await stage.say("/mailalerts", "on")
    await stage.say("/mailalerts", "mute 2h")
    await returned(stage)
    old = datetime.now(UTC) - timedelta(days=8)
    await change(stage, update(outbox).where(outbox.c.channel == OPS).values(created_at=old))
    fault = refuse(stage, 0)
    await stage.say("/mailalerts", "unmute")
    await stage.until(lambda: fault.times < ENDLESS)
    await asyncio.sleep(3)
    stage.slack.faults.clear()
    await stage.until(lambda: [m for m in stage.slack.messages if m.channel == OPS and "came back" in m.text], 20)
