"""A second workspace that installs the bot from its page, as any team may: a bot for many, beside the first."""

import asyncio
import socket
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from bot.app import App, running
from bot.sandbox.clock import StoryClock
from bot.sandbox.cloud import SlackCloud
from bot.sandbox.slack import Channel, SlackDouble, User
from bot.sandbox.stannp import StannpDouble
from bot.sandbox.world import World
from bot.settings import Settings
from storage.vault import new_key

TEAM: Final = "T0BOLT"
BOB: Final = "U0BOB"
#: What its admin types in to connect the mail account.
KEY: Final = "bolt-key"
#: Its tokens do not end within the story: days pass in seconds there.
LIFETIME: Final = 1_000_000_000.0


@dataclass(frozen=True)
class Second:
    """It is there, and has not installed anything yet: `install` is where its admin begins."""

    slack: SlackDouble
    mail: StannpDouble
    app: App
    install: str


async def open_second(stack: AsyncExitStack, clock: StoryClock) -> Second:
    """Starts the other workspace, its mail account, and the bot for many; `stack` ends them."""
    cloud = SlackCloud(lifetime=LIFETIME)
    mail = StannpDouble(api_key=KEY, email="ops@bolt.example", per_minute=1_000_000, now=clock.now)
    slack = cloud.add_team(TEAM, "Bolt Bikes")
    slack.now, slack.paced = clock.stamp, False
    slack.add_user(User(BOB, "Bob Stein", is_admin=True))
    slack.add_channel(Channel("C0BOLT", "bolt-mail"))
    _fill(mail, clock)
    await cloud.start()
    stack.push_async_callback(cloud.stop)
    await mail.start()
    stack.push_async_callback(mail.stop)
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="piecewise-demo-")
    stack.callback(folder.cleanup)
    settings = _settings(cloud, mail, folder.name)
    app = await stack.enter_async_context(running(settings, told=clock))
    public = settings.piecewise_public_url
    cloud.send_to(f"{public}/slack/events")
    return Second(slack, mail, app, f"{public}/slack/install")


def _fill(mail: StannpDouble, clock: StoryClock) -> None:
    """A campaign on its way, and one that waits."""
    begun = clock.now() - timedelta(days=8)
    world = World(mail, seed=5, now=begun, _next_id=17_500_000)
    world.add_campaign(501, "Bike season", begun, 70, leaves=timedelta(days=3))
    world.add_campaign(502, "Winter service", begun, 40, leaves=timedelta(days=90)).status = "booked"
    world.advance(clock.now())
    mail.balance = Decimal("91.20")


def _settings(cloud: SlackCloud, mail: StannpDouble, folder: str) -> Settings:
    port = _free_port()
    values: dict[str, Any] = {
        "slack_client_id": cloud.client_id,
        "slack_client_secret": cloud.client_secret,
        "slack_signing_secret": cloud.signing_secret,
        "slack_api_url": cloud.url,
        "stannp_api_url": mail.url,
        "database_url": f"sqlite:///{folder}/many.db",
        "piecewise_port": port,
        "piecewise_public_url": f"http://127.0.0.1:{port}",
        "piecewise_encryption_keys": new_key(),
        "piecewise_timezone": "America/Chicago",
        "piecewise_poll_seconds": 8,
        "piecewise_settle_seconds": 1,
        "piecewise_fresh_seconds": 1,
    }
    return Settings(_env_file=None, **values)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
