"""Two companies on one Piecewise: a Slack with two workspaces, a mail account each, and the real bot between them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from bot.app import App, Part, running
from bot.front import dispatcher
from bot.sandbox.cloud import SlackCloud
from bot.sandbox.slack import Acked, Channel, Posted, SlackDouble, User, View, initial_values
from bot.sandbox.stannp import StannpDouble
from bot.sandbox.world import World
from bot.settings import Settings
from bot.tenants import Many
from storage.vault import new_key
from tests.rudeness import patience

#: Slack waits three seconds. That the bot keeps to them is for `make bench` to say: on a machine that is busy with other
#: tests they measure the machine, so here Slack and the bot both wait so many times as long.
UNHURRIED = 4.0
PATIENCE = 20.0
T = TypeVar("T")
ACME, BOLT = "T0ACME", "T0BOLT"


@contextmanager
def unhurried() -> Iterator[None]:
    """The bot waits longer for its database before it leaves a request unacknowledged."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(dispatcher, "SOON", UNHURRIED * dispatcher.SOON)
        yield


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def all_merged(app: App, seconds: float = PATIENCE) -> None:
    """Waits until every webhook call that was taken is in the ledger."""
    inflow, end = app.services.inflow, asyncio.get_running_loop().time() + seconds
    while waiting := await asyncio.to_thread(inflow.inbox.waiting):
        assert asyncio.get_running_loop().time() < end, f"not merged: {waiting}"
        await asyncio.sleep(0.01)


@dataclass
class House:
    """Everything at hand: `slack(team)`, `mail[team]`, and the bot."""

    cloud: SlackCloud
    mail: dict[str, StannpDouble]
    settings: Settings
    app: App | None = None
    regions: dict[str, str] = field(default_factory=lambda: {ACME: "us", BOLT: "eu"})

    @property
    def public(self) -> str:
        return self.settings.piecewise_public_url

    @property
    def tenants(self) -> Many:
        assert self.app is not None
        assert isinstance(self.app.tenants, Many)
        return self.app.tenants

    def slack(self, team: str) -> SlackDouble:
        return self.cloud.teams[team]

    async def until(self, what: Callable[[], T | None], seconds: float = PATIENCE) -> T:
        seconds *= max(patience(self.slack(team), mail) for team, mail in self.mail.items())
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            found = what()
            if found:
                return found
            await asyncio.sleep(0.02)
        seen = {name: [m.text[:120] for m in team.messages[-4:]] for name, team in self.cloud.teams.items()}
        raise AssertionError(f"waited {seconds} s in vain; problems: {self.cloud.every_problem()}; seen: {seen}")

    async def install(self, team: str) -> None:
        """By the two pages, as a browser does it."""
        import aiohttp

        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=self.public)
        async with aiohttp.ClientSession(cookie_jar=jar) as browser:
            async with browser.get(f"{self.public}/slack/install") as page:
                asked = page.url.query
            allow = {**asked, "team": team, "answer": "allow"}
            async with browser.get(f"{self.cloud.base}/oauth/allow", params=allow) as done:
                assert done.status == 200, await done.text()

    async def connect(self, team: str, user: str = "") -> None:
        """Home → Connect mail account → key and region."""
        slack = self.slack(team)
        user = user or next(iter(slack.users))
        home = await self.until(lambda: slack.homes.get(user))
        assert (await slack.press(user, home, "connect_account")).ok
        form = await self.modal(team, user, "save_account")
        await self.submit(team, user, form, key=self.mail[team].api_key, region=self.regions[team])
        await self.modal(team, user, "Connected to")

    async def submit(self, team: str, user: str, form: View, **given: str) -> Acked:
        """Fills a form in and sends it."""
        values = initial_values(form.view)
        for name, value in given.items():
            held = next(iter(values[name].values()))
            if held["type"] == "static_select":
                held["selected_option"] = {"value": value}
            elif held["type"] == "multi_users_select":
                held["selected_users"] = value.split(",")
            else:
                held["value"] = value
        acked = await self.slack(team).submit(user, form, values)
        assert acked.ok, acked
        return acked

    async def modal(self, team: str, user: str, holding: str) -> View:
        slack = self.slack(team)
        return await self.until(
            lambda: next((v for v in reversed(slack.stack_of(user)) if holding in str(v.view)), None)
        )

    async def say(self, team: str, name: str, text: str = "", user: str = "", channel: str = "") -> Posted:
        """Types a command, and waits for what this person then sees."""
        slack = self.slack(team)
        user, channel = user or next(iter(slack.users)), channel or next(iter(slack.channels))
        before = len(slack.messages)
        assert (await slack.command(user, channel, name, text)).ok
        return await self.until(lambda: next((m for m in slack.messages[before:] if m.only_for in (None, user)), None))


@asynccontextmanager
async def doubles(database_url: str, **more: Any) -> AsyncIterator[House]:
    """The two companies, with their people, places and mail; the bot is started by who needs it."""
    cloud = SlackCloud()
    mail = {
        ACME: StannpDouble(api_key="acme-key", per_minute=100_000),
        BOLT: StannpDouble(api_key="bolt-key", per_minute=100_000),
    }
    for team, name, boss in ((ACME, "Acme Outdoors", "U0ANA"), (BOLT, "Bolt Bikes", "U0BOB")):
        made = cloud.add_team(team, name)
        made.patience = UNHURRIED
        made.add_user(User(boss, f"Boss of {name}", is_admin=True))
        made.add_user(User(f"U0{name[:3].upper()}2", f"Helper of {name}"))
        made.add_channel(Channel("C0MAIL", "mail"))
        made.add_channel(Channel("C0ELSE", "else"))
        start = datetime.now(UTC) - timedelta(days=12)
        world = World(mail[team], seed=3, now=start)
        # The same numbers in both: only the workspace tells them apart.
        world.add_campaign(222, f"{name} spring", start, 6, leaves=timedelta(days=2))
        world.add_campaign(223, f"{name} autumn", start, 4, leaves=timedelta(days=90))
        world.advance(start + timedelta(days=4))
    async with AsyncExitStack() as stack:
        await cloud.start()
        stack.push_async_callback(cloud.stop)
        for one in mail.values():
            await one.start()
            stack.push_async_callback(one.stop)
        port = free_port()
        yield House(cloud, mail, settings_for(cloud, mail, database_url, port, **more))


def settings_for(
    cloud: SlackCloud, mail: dict[str, StannpDouble], database_url: str, port: int, **more: Any
) -> Settings:
    values: dict[str, Any] = {
        "slack_client_id": cloud.client_id,
        "slack_client_secret": cloud.client_secret,
        "slack_signing_secret": cloud.signing_secret,
        "slack_api_url": cloud.url,
        "stannp_api_url": mail[ACME].url,
        "stannp_eu_api_url": mail[BOLT].url,
        "database_url": database_url,
        "piecewise_port": port,
        "piecewise_metrics_address": "127.0.0.1:0",
        "piecewise_public_url": f"http://127.0.0.1:{port}",
        "piecewise_encryption_keys": new_key(),
        "piecewise_poll_seconds": 3600,
        "piecewise_settle_seconds": 0,
        "piecewise_card_seconds": 0,
        "piecewise_fresh_seconds": 0,
    }
    return Settings(_env_file=None, **(values | more))


@asynccontextmanager
async def house(database_url: str, part: Part = Part.ALL, **more: Any) -> AsyncIterator[House]:
    """The whole of it, running. Any breach of Slack's rules fails the test."""
    async with doubles(database_url, **more) as made:
        async with running(made.settings, part) as app:
            made.app = app
            made.cloud.send_to(f"{made.public}/slack/events")
            yield made
            app.scheduler.pause()
            await app.in_flight.drain(5)
        assert made.cloud.every_problem() == []
