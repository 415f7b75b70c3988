"""A process is paused or killed while it tells something, and another one takes over."""

import asyncio
import contextlib
import signal
from typing import Any

import pytest

from bot.sandbox.slack import Channel, Posted
from storage import workspaces
from storage.database import open_database
from storage.records import NO_CAMPAIGN, ChannelId, NotifyOn, UserId
from tests.journeys.conftest import ANA
from tests.journeys.test_acknowledged import dry_run
from tests.journeys.test_killed import MANY, Company, company  # noqa: F401 - a fixture

pytestmark = [pytest.mark.timeout(240), pytest.mark.parametrize("company", ["postgres"], indirect=True)]


async def test_a_process_paused_for_half_a_minute_while_it_tells_is_not_repeated(company: Company) -> None:  # noqa: F811
    first = await company.start()
    form = await dry_run(company)
    take: Any = company.slack._chat_postMessage

    def pause(arguments: dict[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = take(arguments)
        if arguments["text"].startswith("Cancelling Big drop:") and len(company.summaries()) == 1:
            # Slack has taken it, and its answer is on its way.
            first.send_signal(signal.SIGSTOP)
        return told

    company.slack._chat_postMessage = pause  # type: ignore[method-assign]
    assert (await company.slack.submit(ANA, form)).ok
    await company.until(company.summaries)
    await company.start()
    await asyncio.sleep(30)
    first.send_signal(signal.SIGCONT)
    await asyncio.sleep(10)
    assert company.stopped == MANY
    assert len(company.summaries()) == 1, "told twice"


async def test_what_a_killed_process_was_telling_is_told_two_minutes_later(company: Company) -> None:  # noqa: F811
    company.environment |= {"STANNP_WEBHOOK_SECRET": company.stannp.webhook_secret, "PIECEWISE_POLL_SECONDS": "2"}
    company.environment["PIECEWISE_SETTLE_SECONDS"] = "0"
    company.slack.add_channel(Channel("C0NEWS", "news"))
    first = await company.start()
    opened = open_database(company.environment["DATABASE_URL"])
    with contextlib.closing(opened):
        await company.until(lambda: opened.read(workspaces.every)[0].baseline_at)
        key = opened.read(workspaces.every)[0].id, ChannelId("C0NEWS"), NO_CAMPAIGN
        opened.write(workspaces.subscribe, *key, [*NotifyOn], UserId(ANA), company.world.now)
    take: Any = company.slack._chat_postMessage

    def die(arguments: dict[str, Any]) -> dict[str, Any]:
        if first.returncode is None and arguments["channel"] == "C0NEWS":
            first.kill()
        told: dict[str, Any] = take(arguments)
        return told

    company.slack._chat_postMessage = die  # type: ignore[method-assign]
    for piece in company.stannp.pieces_of(230)[:10]:
        piece.move("returned", company.world.now)
    await first.wait()
    await company.start()

    def told() -> list[Posted]:
        # The card may have been taken; the news behind it was not.
        return [m for m in company.slack.messages if m.channel == "C0NEWS" and m.thread_ts]

    await asyncio.sleep(3)
    assert not told(), "the other process may only be paused"
    company.pass_time(110)
    await company.until(told)
