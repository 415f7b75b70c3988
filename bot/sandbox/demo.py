"""`piecewise demo`: the doubles, the page and the real bot between them, all on this machine."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from rich.console import Console

from bot.app import running
from bot.sandbox.calendar import DIGEST, Calendar
from bot.sandbox.clock import StoryClock
from bot.sandbox.events import Events
from bot.sandbox.page import Page
from bot.sandbox.people import ANA, OPS, PEOPLE, PLACES, WANTED
from bot.sandbox.slack import SlackDouble
from bot.sandbox.stannp import StannpDouble
from bot.sandbox.story import ZONE, Story, remember
from bot.settings import Settings
from handlers.ingest import counting
from storage import channel_settings, workspaces
from storage.database import Database, open_database
from storage.records import NO_CAMPAIGN, ChannelId, ChannelSettings, UserId
from storage.schema import revision

#: Above which share of returns #mail-ops is alarmed.
ALARM = 10


@dataclass(repr=False)
class Demo:
    """The page, and the story on it: begun again as often as somebody wants to."""

    day_seconds: float
    page: Page = field(default_factory=Page)
    slack: SlackDouble = field(init=False)
    story: Story = field(init=False)
    calendar: Calendar = field(init=False)
    base: str = ""
    _ending: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def begin(self) -> None:
        """Starts the doubles, gives the bot its past, and lets the days pass."""
        clock = StoryClock()
        slack = SlackDouble(now=clock.stamp, paced=False)
        platform = StannpDouble(per_minute=1_000_000, now=clock.now)
        for user in PEOPLE:
            slack.add_user(user)
        for channel in PLACES:
            slack.add_channel(channel)
        story = Story(platform, clock.now())
        async with AsyncExitStack() as stack:
            await slack.start()
            stack.push_async_callback(slack.stop)
            await platform.start()
            stack.push_async_callback(platform.stop)
            folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="piecewise-demo-")
            stack.callback(folder.cleanup)
            settings = _settings(slack, platform, folder.name)
            await asyncio.to_thread(_remember, settings.database_url, slack, story, clock)
            app = await stack.enter_async_context(running(settings, told=clock))
            # What the past says of the next campaign is counted now, not after the first reading of the account.
            await counting.survey(app.services, app.workspace.id)
            webhook = f"http://127.0.0.1:{app.port}/webhooks/stannp"
            calendar = Calendar(slack, story, clock, app, webhook, self.day_seconds)
            await stack.enter_async_context(calendar.ending)
            turning = asyncio.create_task(calendar.turn())
            stack.callback(turning.cancel)
            self.slack, self.story, self.calendar = slack, story, calendar
            self.page.show(calendar, Events(calendar), self.restart)
            self._ending = stack.pop_all()

    async def restart(self) -> None:
        """Everything from the beginning. The page stays where it is."""
        await self.page.hide()
        await self.end()
        await self.begin()

    async def end(self) -> None:
        await self._ending.aclose()


@contextlib.asynccontextmanager
async def sandbox(port: int, day_seconds: float) -> AsyncIterator[Demo]:
    """The whole of it, running, with #mail-ops already listening."""
    made = Demo(day_seconds)
    site = web.Application()
    site.add_routes(made.page.routes())
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        made.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        await made.begin()
        yield made
    finally:
        await made.end()
        await runner.cleanup()


def _remember(url: str, slack: SlackDouble, story: Story, clock: StoryClock) -> None:
    """Fills a new database with the past, in which #mail-ops turned alerts on long ago."""
    database = open_database(url, clock.now)
    try:
        revision.migrate(database)
        _fill(database, slack, story)
    finally:
        database.close()


def _fill(database: Database, slack: SlackDouble, story: Story) -> None:
    workspace = database.write(workspaces.ensure, slack.team, slack.team_name, "USD").id
    database.patient.write(remember, workspace, story)
    now, ops = story.start, ChannelId(OPS)
    known = {"polled_at": now, "baseline_at": now, "webhook_at": now}
    database.write(workspaces.note, workspace, **known)
    database.write(workspaces.subscribe, workspace, ops, NO_CAMPAIGN, WANTED, UserId(ANA), now)
    database.write(channel_settings.keep, workspace, ops, ChannelSettings(str(ZONE), DIGEST, None, ALARM))


def _settings(slack: SlackDouble, platform: StannpDouble, folder: str) -> Settings:
    values: dict[str, Any] = {
        "slack_bot_token": slack.bot_token,
        "slack_app_token": slack.app_token,
        "slack_api_url": slack.url,
        "stannp_api_key": platform.api_key,
        "stannp_api_url": platform.url,
        "stannp_webhook_secret": platform.webhook_secret,
        "database_url": f"sqlite:///{folder}/demo.db",
        "piecewise_port": 0,
        "piecewise_timezone": str(ZONE),
        "piecewise_poll_seconds": 8,
        "piecewise_settle_seconds": 1,
        "piecewise_card_seconds": 2,
        "piecewise_fresh_seconds": 1,
    }
    return Settings(_env_file=None, **values)


async def serve(port: int, day_seconds: float, until: Callable[[], Awaitable[None]]) -> None:
    """Runs the demo, and says what to try."""
    async with sandbox(port, day_seconds) as made:
        out = Console(highlight=False)
        out.print(f"\n[bold]Piecewise is running.[/] Open [bold]{made.base}[/] in a browser.\n")
        out.print("Try, in #mail-ops:")
        for line in ("/mailstatus", "/mailstatus Spring", "/mailtrack Jane", "/mailalerts", "/mailstatus help"):
            out.print(f"  {line}", markup=False)
        out.print("\nThe story begins when you open the page; then a day passes every few seconds.")
        out.print("Nothing leaves this machine. Ctrl-C ends it.\n")
        await until()
