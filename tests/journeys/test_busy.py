"""Slack takes no more posts for a while (429): what somebody asked for arrives all the same, or they are told."""

from datetime import timedelta
from pathlib import Path

import pytest

import handlers
from bot.sandbox.slack import Fault, Posted
from storage import workspaces
from storage.records import ChannelId
from tests.house import ACME, house
from tests.journeys.conftest import ANA, BEN, OPS, Stage, everything
from tests.journeys.test_commands import _choice

#: Longer than anybody is kept waiting for an answer, and as often as it is tried.
LONG, ENDLESS = 600, 1_000_000


def busy(stage: Stage, method: str = "chat.postMessage") -> Fault:
    fault = Fault(method, "ratelimited", 429, retry_after=LONG, times=ENDLESS)
    stage.slack.faults.append(fault)
    return fault


def why(message: Posted) -> str:
    assert message.only_for is not None, "nothing was posted"
    return everything(message)


@pytest.mark.parametrize("asked", ["Spring lapsed", "all time"])
async def test_an_answer_that_the_channel_cannot_take_comes_to_the_asker(stage: Stage, asked: str) -> None:
    busy(stage)
    answer = await stage.say("/mailstatus", asked)
    assert "Slack asks us to wait" in why(answer)
    assert "pieces" in answer.text


async def test_so_does_one_to_a_mention(stage: Stage) -> None:
    busy(stage)
    before = len(stage.slack.messages)
    await stage.slack.mention(BEN, OPS, "<@U0BOT> status Spring lapsed", thread_ts="1.1")
    answer = await stage.until(lambda: next((m for m in stage.slack.messages[before:] if m.only_for == BEN), None))
    assert ("Slack asks us to wait" in why(answer), answer.thread_ts) == (True, "1.1")
    assert "12 pieces" in answer.text


async def test_so_does_a_campaign_that_was_chosen(stage: Stage) -> None:
    choice = await stage.say("/mailstatus", "spring")
    busy(stage)
    before = await stage.press(choice, "pick_campaign", _choice(choice, "Spring welcome"))
    answer = await stage.answer(before)
    assert "Slack asks us to wait" in why(answer)
    assert "Spring welcome" in answer.text


async def test_so_does_the_curve(stage: Stage) -> None:
    stage.world.advance(stage.world.now + timedelta(days=3))
    await stage.poll()
    answer = await stage.say("/mailstatus", "Spring lapsed")
    busy(stage)
    before = await stage.press(answer, "delivery_curve")
    shown = await stage.answer(before)
    assert "Slack asks us to wait" in why(shown)
    assert "Expected" in shown.text


async def test_so_does_the_map_of_returns(stage: Stage) -> None:
    stage.stannp.pieces_of(222)[3].move("returned", stage.world.now)
    await stage.poll()
    answer = await stage.say("/mailstatus", "Spring lapsed")
    await stage.press(answer, "returns_desk")
    desk = await stage.modal(holding="Show by state")
    busy(stage)
    before = await stage.press(desk, "returns_map")
    shown = await stage.answer(before)
    assert "Slack asks us to wait" in why(shown)
    assert "by state" in shown.text


async def test_so_do_fresh_numbers_that_cannot_take_the_old_ones_place(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Spring lapsed")
    busy(stage, "chat.update")
    before = await stage.press(answer, "refresh_status")
    shown = await stage.answer(before)
    assert "12 pieces" in why(shown)


async def test_a_piece_that_could_not_be_shared_is_said(stage: Stage) -> None:
    shown = await stage.say("/mailtrack", str(stage.stannp.pieces_of(222)[0].id))
    busy(stage)
    before = await stage.press(shown, "share_piece")
    assert "try again" in why(await stage.answer(before))


async def test_alerts_that_could_not_be_announced_are_not_on_and_that_is_said(stage: Stage) -> None:
    busy(stage)
    before = len(stage.slack.messages)
    assert (await stage.slack.command(ANA, OPS, "/mailalerts", "on")).ok
    assert "try again" in why(await stage.answer(before))
    assert not await stage.app.services.memory.read(workspaces.subscriptions_of, stage.app.workspace.id, ChannelId(OPS))


async def test_what_cannot_be_done_in_home_is_said_when_slack_takes_messages_again(stage: Stage) -> None:
    stage.slack.homes.clear()
    assert (await stage.slack.open_home(ANA)).ok
    shown = await stage.until(lambda: stage.slack.homes.get(ANA))
    await stage.until(lambda: any(one.text.startswith("Hi!") for one in stage.slack.messages))
    # Longer than a call waits by itself.
    stage.slack.faults.append(Fault("chat.postMessage", "ratelimited", 429, retry_after=6, times=1))
    stage.slack.faults.append(Fault("views.publish", error="not_enabled", times=9))
    before = await stage.press(shown, "home_refresh")
    told = await stage.until(lambda: stage.slack.messages[before:], seconds=15)
    assert "refused" in told[0].text


async def test_who_installs_us_while_slack_takes_no_messages_is_welcomed_later(sqlite_url: str) -> None:
    async with house(sqlite_url) as made:
        made.slack(ACME).faults.append(Fault("chat.postMessage", "ratelimited", 429, retry_after=6, times=2))
        await made.install(ACME)
        told = await made.until(lambda: made.slack(ACME).messages, seconds=15)
        assert "I'm now in" in told[0].text


#: Who posts outside the outbox's pace, and what becomes of it while Slack takes nothing.
KEPT, TOLD, WAITED = "kept until it is sent", "the asker is told", "waited for"
POSTERS = {
    "admin/erasing.py": KEPT, "asked.py": KEPT, "cancel/actions.py": TOLD, "cancel/requests.py": KEPT,
    "cancel/stopping.py": KEPT, "context/farewells.py": KEPT, "context/installer.py": KEPT, "pieces/actions.py": KEPT,
    "context/replies.py": TOLD, "home/hello.py": KEPT, "home/pie.py": TOLD, "track/actions.py": TOLD,
    "alerts/switching.py": TOLD, "setup/actions.py": WAITED,
    # The outbox itself.
    "alerts/cards.py": KEPT, "alerts/delivery.py": KEPT, "alerts/digests.py": KEPT,
}  # fmt: skip


def test_whoever_posts_is_known_here() -> None:
    root = Path(handlers.__file__).parent
    found = {str(path.relative_to(root)) for path in root.rglob("*.py") if "slack.post" in path.read_text()}
    assert found == set(POSTERS)
