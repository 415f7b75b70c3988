"""`piecewise demo`: the doubles, the page and the real bot between them, all on this machine."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from rich.console import Console

from bot.app import running
from bot.sandbox.slack import BOT_USER, Channel, Posted, SlackDouble, User, View
from bot.sandbox.stannp import StannpDouble
from bot.sandbox.world import World
from bot.settings import Settings
from storage import workspaces

HERE: Final = Path(__file__).parent
ASSETS: Final = {"page.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}
PEOPLE: Final = (User("U0ANA", "Ana Ruiz", is_admin=True), User("U0BEN", "Ben Park", zone="America/New_York"))
PLACES: Final = (Channel("C0OPS", "mail-ops"), Channel("C0SALES", "sales"), Channel("C0RANDOM", "random", bot_in=False))
SHOWN: Final = 300
TICK: Final = 0.5
LONG_POLL: Final = 20.0


@dataclass
class Sandbox:
    """What the page shows and does."""

    slack: SlackDouble
    world: World
    day_seconds: float
    extra: dict[str, Any] = field(default_factory=dict)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self._page),
            web.get("/assets/{name}", self._asset),
            web.get("/state", self._state),
            web.get("/files/{file}", self._file),
            web.post("/do", self._do),
        ]

    async def _page(self, _request: web.Request) -> web.Response:
        return _asset("page.html")

    async def _asset(self, request: web.Request) -> web.Response:
        return _asset(request.match_info["name"])

    async def _file(self, request: web.Request) -> web.Response:
        file = self.slack.files.get(request.match_info["file"])
        if file is None:
            raise web.HTTPNotFound
        picture = file.data.startswith(b"\x89PNG")
        return web.Response(body=file.data, content_type="image/png" if picture else "text/csv")

    async def _state(self, request: web.Request) -> web.Response:
        """Everything this person can see; waits until there is something new."""
        since, user = int(request.query.get("since", -1)), request.query.get("user", PEOPLE[0].id)
        end = time.monotonic() + LONG_POLL
        while self.slack.version == since and time.monotonic() < end:
            await asyncio.sleep(0.05)  # an Event would have to be told by every double
        return web.json_response(self.seen_by(user))

    def seen_by(self, user: str) -> dict[str, Any]:
        """The team as this person sees it."""
        visible = [m for m in self.slack.messages if m.only_for in (None, user)]
        stack = self.slack.stack_of(user)
        return {
            "version": self.slack.version,
            "day": f"{self.world.now:%a, %b %-d, %Y}",
            "caught_up": datetime.now(UTC) - self.world.now < timedelta(hours=1),
            "users": [{"id": one.id, "name": one.name, "admin": one.is_admin} for one in self.slack.users.values()],
            "channels": [
                {"id": one.id, "name": one.name, "bot": one.bot_in, "direct": one.direct}
                for one in self.slack.channels.values()
                if not one.direct or one.id == f"D{user}"
            ],
            "messages": [self._shown(message) for message in visible[-SHOWN:]],
            "home": _modal(self.slack.homes[user]) if user in self.slack.homes else None,
            "modal": _modal(stack[-1]) if stack else None,
            "bot": BOT_USER,
        }

    def _shown(self, message: Posted) -> dict[str, Any]:
        return {
            "ts": message.ts,
            "channel": message.channel,
            "user": message.user,
            "text": message.text,
            "blocks": message.blocks,
            "thread": message.thread_ts,
            "private": message.only_for is not None,
            "edits": message.edits,
            "files": [{"id": key, "name": self.slack.files[key].name} for key in message.files],
        }

    async def _do(self, request: web.Request) -> web.Response:
        """A person types, presses, submits or closes something."""
        wish = await request.json()
        try:
            done = await self._carry_out(wish, str(wish["user"]))
        except LookupError:
            # What was pressed was replaced in the same moment.
            done = "this has just changed: look again"
        return web.json_response({"ok": done == "", "error": done})

    async def _carry_out(self, wish: dict[str, Any], user: str) -> str:
        """Gives what Slack would say instead of doing it; "" when it was done."""
        kind = wish["kind"]
        if kind == "say":
            return await self._say(user, str(wish["channel"]), str(wish["text"]).strip())
        if kind == "close":
            self.slack.close_views(user, topmost=True)
            return ""
        if kind == "home":
            return (await self.slack.open_home(user)).error
        if kind == "return":
            return "" if self._make_return() else "no piece is on its way right now"
        return await self._use(kind, wish, user)

    async def _use(self, kind: str, wish: dict[str, Any], user: str) -> str:
        where = self._where(user, wish)
        if where is None:
            return "this is gone"
        if kind == "press":
            return (await self.slack.press(user, where, str(wish["action"]), wish.get("value"))).error
        if kind == "submit" and isinstance(where, View):
            return (await self.slack.submit(user, where, wish["values"])).error
        return "unknown"

    def _where(self, user: str, wish: dict[str, Any]) -> Posted | View | None:
        if wish.get("home"):
            return self.slack.homes.get(user)
        if wish.get("ts"):
            return self.slack.find(str(wish["ts"]))
        stack = self.slack.stack_of(user)
        return stack[-1] if stack else None

    async def _say(self, user: str, channel: str, text: str) -> str:
        name, _, rest = text.partition(" ")
        if name in ("/mailstatus", "/mailtrack", "/mailalerts"):
            return (await self.slack.command(user, channel, name, rest.strip())).error
        if text.startswith("/"):
            return f"{name} is not a command here. Try /mailstatus, /mailtrack or /mailalerts."
        if text.casefold().startswith("@piecewise"):
            return (await self.slack.mention(user, channel, f"<@{BOT_USER}>{text[len('@piecewise') :]}")).error
        if text:
            self.slack.messages.append(Posted(self.slack.next_ts(), channel, user, text, []))
            self.slack.changed()
        return ""

    def _make_return(self) -> bool:
        piece = self.world.make_return()
        self.slack.changed()
        return piece is not None

    async def turn_the_calendar(self) -> None:
        """Lets the mail move, for ever."""
        step = timedelta(days=TICK / self.day_seconds)
        while True:
            await asyncio.sleep(TICK)
            day = self.world.now.date()
            self.world.pass_time(step, datetime.now(UTC))
            if self.world.now.date() != day:
                self.slack.changed()


def _asset(name: str) -> web.Response:
    if name not in ASSETS:
        raise web.HTTPNotFound
    return web.Response(text=(HERE / name).read_text(encoding="utf-8"), content_type=ASSETS[name])


def _modal(view: View) -> dict[str, Any]:
    return {"id": view.id, **view.view}


@contextlib.asynccontextmanager
async def sandbox(port: int, day_seconds: float) -> AsyncIterator[Sandbox]:
    """The whole of it, running, with #mail-ops already listening."""
    slack, platform = SlackDouble(), StannpDouble(per_minute=1_000_000)
    for user in PEOPLE:
        slack.add_user(user)
    for channel in PLACES:
        slack.add_channel(channel)
    world = World(platform)
    world.begin()
    made = Sandbox(slack, world, day_seconds)
    async with contextlib.AsyncExitStack() as stack:
        await slack.start(port, made.routes())
        stack.push_async_callback(slack.stop)
        await platform.start()
        stack.push_async_callback(platform.stop)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="piecewise-demo-"))
        app = await stack.enter_async_context(running(_settings(slack, platform, folder)))
        while (await app.services.memory.read(workspaces.by_id, app.workspace.id)).polled_at is None:
            await asyncio.sleep(0.05)
        await slack.command(PEOPLE[0].id, PLACES[0].id, "/mailalerts", "on")
        calendar = asyncio.create_task(made.turn_the_calendar())
        stack.callback(calendar.cancel)
        yield made


def _settings(slack: SlackDouble, platform: StannpDouble, folder: str) -> Settings:
    values: dict[str, Any] = {
        "slack_bot_token": slack.bot_token,
        "slack_app_token": slack.app_token,
        "slack_api_url": slack.url,
        "stannp_api_key": platform.api_key,
        "stannp_api_url": platform.url,
        "database_url": f"sqlite:///{folder}/demo.db",
        "piecewise_port": 0,
        "piecewise_poll_seconds": 2,
        "piecewise_settle_seconds": 2,
        "piecewise_card_seconds": 2,
        "piecewise_fresh_seconds": 1,
    }
    return Settings(_env_file=None, **values)


async def serve(port: int, day_seconds: float, until: Callable[[], Awaitable[None]]) -> None:
    """Runs the demo, and says what to try."""
    async with sandbox(port, day_seconds) as made:
        out = Console(highlight=False)
        out.print(f"\n[bold]Piecewise is running.[/] Open [bold]{made.slack.base}[/] in a browser.\n")
        out.print("Try, in #mail-ops:")
        for line in (
            "/mailstatus Spring",
            "/mailstatus this month",
            "/mailtrack Jane",
            "/mailalerts",
            "/mailstatus help",
        ):
            out.print(f"  {line}", markup=False)
        out.print("\nA day passes every few seconds. Nothing leaves this machine. Ctrl-C ends it.\n")
        await until()
