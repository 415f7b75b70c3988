"""The whole bot over real sockets: Slack double by Socket Mode and by signed HTTP, on SQLite and on PostgreSQL."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from bot.app import App, running
from bot.sandbox.slack import Channel, Posted, SlackDouble, User, View
from bot.sandbox.stannp import MailCampaign, StannpDouble
from bot.sandbox.world import World
from bot.settings import Settings
from handlers.ingest import poll as polling
from tests.house import UNHURRIED, all_merged, unhurried
from tests.rudeness import ASKED, LONGER, be_rude, chosen_for, patience

PATIENCE = 20.0
T = TypeVar("T")
ANA, BEN = "U0ANA", "U0BEN"
OPS, SALES, OUTSIDE = "C0OPS", "C0SALES", "C0OUTSIDE"


@dataclass(repr=False)
class Stage:
    """A running bot between its two doubles, and the people who use it."""

    slack: SlackDouble
    stannp: StannpDouble
    world: World
    app: App

    async def until(self, what: Callable[[], T | None], seconds: float = PATIENCE) -> T:
        """Waits until `what()` is true, and gives it."""
        seconds *= patience(self.slack, self.stannp)
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            found = what()
            if found:
                return found
            await asyncio.sleep(0.02)
        seen = [(m.channel, m.only_for, m.text[:160]) for m in self.slack.messages[-6:]]
        raise AssertionError(f"waited {seconds} s in vain; problems: {self.slack.problems}; seen: {seen}")

    async def say(self, name: str, text: str = "", user: str = ANA, channel: str = OPS) -> Posted:
        """Types a command, and waits for the answer that this person sees."""
        before = len(self.slack.messages)
        acked = await self.slack.command(user, channel, name, text)
        assert acked.ok, acked
        answer = await self.answer(before, user)
        if name == "/mailalerts" and text.startswith("on"):
            # The answer comes a moment before the choice is kept, and only what happens after that is news.
            at_work = self.app.in_flight.tasks
            await self.until(lambda: not [task for task in at_work if task.get_name().startswith("command:")])
        return answer

    async def answer(self, before: int, user: str = ANA) -> Posted:
        """The next message that this person can see."""
        return await self.until(
            lambda: next((m for m in self.slack.messages[before:] if m.only_for in (None, user)), None)
        )

    async def press(self, where: Posted | View, action: str, value: str | None = None, user: str = ANA) -> int:
        """Presses a button; gives how many messages there were before."""
        before = len(self.slack.messages)
        acked = await self.slack.press(user, where, action, value)
        assert acked.ok, acked
        return before

    async def modal(self, user: str = ANA, holding: str = "") -> View:
        """The topmost modal of this person, once it holds this text."""
        return await self.until(
            lambda: next((v for v in reversed(self.slack.stack_of(user)) if holding in str(v.view)), None)
        )

    async def merged(self) -> None:
        """Waits until every webhook call that was taken is in the ledger."""
        await all_merged(self.app)

    async def poll(self) -> None:
        """Reads the mail account now, without waiting for the clock."""
        await polling.poll(self.app.services, self.app.workspace.id)


def everything(message: Posted | View) -> str:
    """All text of a message or modal, as one."""
    return str(message.blocks if isinstance(message, Posted) else message.view)


def settings_for(slack: SlackDouble, stannp: StannpDouble, database_url: str, mode: str, **more: Any) -> Settings:
    way = {"slack_app_token": slack.app_token} if mode == "socket" else {"slack_signing_secret": slack.signing_secret}
    values: dict[str, Any] = {
        "slack_bot_token": slack.bot_token,
        "slack_api_url": slack.url,
        "stannp_api_key": stannp.api_key,
        "stannp_api_url": stannp.url,
        "stannp_webhook_secret": stannp.webhook_secret,
        "database_url": database_url,
        "piecewise_port": 0,
        # The clock of these tests is the test itself: it polls when it wants to.
        "piecewise_poll_seconds": 3600,
        "piecewise_settle_seconds": 0,
        "piecewise_card_seconds": 0,
        "piecewise_fresh_seconds": 0,
    }
    return Settings(_env_file=None, **(values | way | more))


def people_and_places(slack: SlackDouble) -> None:
    slack.add_user(User(ANA, "Ana Ruiz", is_admin=True))
    slack.add_user(User(BEN, "Ben Park"))
    slack.add_channel(Channel(OPS, "mail-ops"))
    slack.add_channel(Channel(SALES, "sales"))
    slack.add_channel(Channel(OUTSIDE, "random", bot_in=False))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Some journeys are made a second time, among rude platforms."""
    if "rudeness" in metafunc.fixturenames:
        chosen = chosen_for(metafunc)
        if chosen != [""]:
            metafunc.parametrize("rudeness", chosen, ids=[one or "calm" for one in chosen], indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where a rudeness was asked for, only the journeys that can meet it are made. Each has the time that it takes there."""
    for item in items:
        if params(item).get("rudeness"):
            own = item.get_closest_marker("timeout")
            limit = float(own.args[0] if own else config.getini("timeout"))
            item.add_marker(pytest.mark.timeout(limit * LONGER), append=False)
    kept = [one for one in items if not ASKED or params(one).get("rudeness")]
    config.hook.pytest_deselected(items=[one for one in items if one not in set(kept)])
    items[:] = kept


def params(item: pytest.Item) -> Mapping[str, Any]:
    """What the test is made with."""
    return getattr(getattr(item, "callspec", None), "params", {})


@pytest.fixture(autouse=True)
def _unhurried() -> Iterator[None]:
    with unhurried():
        yield


@pytest.fixture
def rudeness(request: pytest.FixtureRequest) -> str:
    """The switch that is on: see tests/rudeness.py."""
    return str(getattr(request, "param", ""))


@pytest.fixture
async def doubles(rudeness: str) -> AsyncIterator[tuple[SlackDouble, StannpDouble]]:
    """Slack and Stannp, listening."""
    slack, stannp = SlackDouble(file_delay=0.1, patience=UNHURRIED), StannpDouble(per_minute=100_000)
    be_rude(rudeness, slack, stannp)
    await slack.start()
    await stannp.start()
    people_and_places(slack)
    yield slack, stannp
    await slack.stop()
    await stannp.stop()


#: Each way in and each database is used by every journey, one today and one tomorrow; the other two pairings bring
#: nothing new.
@pytest.fixture(params=["socket-sqlite", "http-postgres"])
def pairing(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def mode(pairing: str) -> str:
    """How Slack reaches the bot."""
    return pairing.split("-", maxsplit=1)[0]


@pytest.fixture
def database_url(pairing: str, request: pytest.FixtureRequest) -> str:
    """The database of this pairing, empty and migrated."""
    return str(request.getfixturevalue(f"{pairing.split('-')[1]}_url"))


@pytest.fixture
async def stage(
    doubles: tuple[SlackDouble, StannpDouble], database_url: str, mode: str, request: pytest.FixtureRequest
) -> AsyncIterator[Stage]:
    """A bot that has read its account once: every later change is news. Any breach of Slack's rules fails the test."""
    slack, stannp = doubles
    world = a_small_world(stannp)
    more = getattr(request, "param", {})
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(running(settings_for(slack, stannp, database_url, mode, **more)))
        if mode == "http":
            slack.events_url = f"http://127.0.0.1:{app.port}/slack/events"
        made = Stage(slack, stannp, world, app)
        await made.until(
            lambda: not app.in_flight.is_running("tick:poll") and "GET accounts/balance" in stannp.requests
        )
        yield made
        # No more of the clock: the test is over, and must not be told of what its end looks like.
        app.scheduler.pause()
        await app.in_flight.drain(5)
    assert slack.problems == []


def a_small_world(stannp: StannpDouble) -> World:
    """Three campaigns: one on its way, one not yet printed, one still a draft."""
    start = datetime.now(UTC) - timedelta(days=12)
    world = World(stannp, seed=3, now=start)
    world.add_campaign(222, "Spring lapsed", start, 12, leaves=timedelta(days=2))
    world.add_campaign(223, "Holiday postcards", start, 4, leaves=timedelta(days=90))
    world.add_campaign(225, "Spring welcome", start, 1, leaves=timedelta(days=90))
    world.advance(start + timedelta(days=4))
    stannp.campaigns[224] = MailCampaign(224, "New Year draft", "draft", start)
    return world


def is_news(message: Posted) -> bool:
    """Whether a message tells of pieces that came back, and is no card, report or answer that counts them."""
    return re.match(r"[\d,]+ pieces? of .* came back", message.text) is not None
