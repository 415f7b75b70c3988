"""The page of the sandbox: what a person's window shows of the team, and what a person does there."""

import asyncio
import re
import struct
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from bot.sandbox.calendar import Calendar
from bot.sandbox.events import Events, Told
from bot.sandbox.people import ANA
from bot.sandbox.second import TEAM as SECOND
from bot.sandbox.slack import BOT_USER, WINDOW, Posted, SlackDouble, User, View
from bot.sandbox.story import ZONE
from handlers.asked import TABLE

HERE: Final = Path(__file__).parent / "assets"
KINDS: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
PNG: Final = b"\x89PNG"
SHOWN: Final = 300
#: A window that has nothing new is told the time so often, in seconds.
BREATH: Final = 1.0
#: Whoever writes this is answered, or everybody could think that Piecewise is broken.
UNHEARD: Final = "Piecewise answers slash commands and mentions. Try /mailstatus, or @Piecewise where is our mail?"
MENTION: Final = re.compile(r"@piecewise\b", re.IGNORECASE)
#: Between two stories.
BEGINNING: Final = "the story is beginning anew: a moment"


class Page:
    """Serves one story after the other."""

    def __init__(self) -> None:
        self.calendar: Calendar | None = None
        self.events: Events | None = None
        self.restart: Callable[[], Awaitable[None]] | None = None
        #: Which story is shown: windows of an earlier one begin anew.
        self.number = 0
        #: What people wish of this story, and is not done yet.
        self._wished: set[asyncio.Task[Told]] = set()
        #: Held while a story begins.
        self._beginning = asyncio.Lock()

    def show(self, calendar: Calendar, events: Events, restart: Callable[[], Awaitable[None]]) -> None:
        self.calendar, self.events, self.restart, self.number = calendar, events, restart, self.number + 1

    async def hide(self) -> None:
        """Ends the story for whoever looks at it, and what they wished of it, for that would end in a broken half."""
        self.calendar = None
        for one in self._wished:
            one.cancel()
        if self._wished:
            await asyncio.wait(self._wished)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self._page),
            web.get("/assets/{name}", self._asset),
            web.get("/state", self._state),
            web.get("/files/{file}", self._file),
            web.post("/do", self._do),
        ]

    @property
    def now(self) -> Calendar:
        """The calendar of the story; HTTP 503 between two stories."""
        if self.calendar is None:
            raise web.HTTPServiceUnavailable
        return self.calendar

    def slack(self, team: str = "") -> SlackDouble:
        """The first workspace, or the second one, if it is there and named."""
        second = self.now.second
        return second.slack if second is not None and team == second.slack.team else self.now.slack

    async def _page(self, _request: web.Request) -> web.Response:
        return _asset("page.html")

    async def _asset(self, request: web.Request) -> web.Response:
        return _asset(request.match_info["name"])

    async def _file(self, request: web.Request) -> web.Response:
        file = self.slack(request.query.get("team", "")).files.get(request.match_info["file"])
        if file is None:
            raise web.HTTPNotFound
        picture = file.data.startswith(PNG)
        return web.Response(body=file.data, content_type="image/png" if picture else "text/csv")

    async def _state(self, request: web.Request) -> web.Response:
        """Everything that this window can see, or, when there was nothing new for a second, only the time."""
        asked = request.query
        known, user, window = asked.get("since", ""), asked.get("user", ANA), asked.get("window", "")
        team = asked.get("team", "")
        self.now.seen = True
        if "welcome" in asked:
            self.now.greeted = time.monotonic()
        end = time.monotonic() + BREATH
        while self._version(team) == known and time.monotonic() < end:
            await asyncio.sleep(0.05)  # an Event would have to be told by every double
        if self._version(team) == known:
            return web.json_response(self._time())
        return web.json_response(self._time() | self.seen_by(user, window, team))

    def _version(self, team: str) -> str:
        return f"{self.number}.{self.slack(team).version}"

    def _time(self) -> dict[str, Any]:
        """When it is, and how fast it passes."""
        assert self.events is not None  # noqa: S101 - there is a story
        calendar = self.now
        return {
            "story": self.number,
            "now": calendar.clock.stamp(),
            "zone": str(ZONE),
            "paused": calendar.paused,
            "day_seconds": calendar.day_seconds,
            "going_on": self.events.state(),
            "people": [
                {"id": one.id, "team": slack.team, "name": one.name, "note": _note(one, slack)}
                for slack in (calendar.slack, *((calendar.second.slack,) if calendar.second else ()))
                for one in slack.users.values()
            ],
        }

    def seen_by(self, user: str, window: str = "", team: str = "") -> dict[str, Any]:
        """The team as this person sees it."""
        slack = self.slack(team)
        visible = [m for m in slack.messages if m.only_for in (None, user)]
        stack = slack.stack_of(user, window)
        return {
            "version": self._version(team),
            "team": slack.team_name,
            "installed": bool(slack.scopes),
            "users": [{"id": one.id, "name": one.name} for one in slack.users.values()],
            "channels": [
                {"id": one.id, "name": one.name, "bot": one.bot_in, "direct": one.direct}
                for one in slack.channels.values()
                if not one.direct or one.id == f"D{user}"
            ],
            "messages": [_shown(message, slack) for message in visible[-SHOWN:]],
            "sizes": {key: size for key, file in slack.files.items() if (size := _size(file.data))},
            "home": _modal(slack.homes[user]) if user in slack.homes else None,
            "modal": _modal(stack[-1]) if stack else None,
            "bot": BOT_USER,
        }

    async def _do(self, request: web.Request) -> web.Response:
        """A person types, presses, submits or closes something."""
        wish = await request.json()
        WINDOW.set(str(wish.get("window", "")))
        told = await self._told(wish)
        return web.json_response(
            {
                "ok": not told.error, "error": told.error, "said": told.text, "channel": told.channel,
                "link": told.link, "note": told.note,
            }
        )  # fmt: skip

    async def _told(self, wish: dict[str, Any]) -> Told:
        """What becomes of a wish."""
        again = wish["kind"] == "story" and wish["name"] == "restart"
        if again and self._beginning.locked():
            return Told(error=BEGINNING)
        if not again:
            # Whoever presses it right after *Restart* means the new story.
            async with self._beginning:
                pass
        if self.calendar is None and not again:
            return Told(error=BEGINNING)
        try:
            if again:
                return await self._begin_anew()
            if wish["kind"] == "story":
                return self._steer(str(wish["name"]), wish.get("value"))
            return await self._of_this_story(self._carry_out(wish, str(wish["user"])))
        except LookupError:
            # What was pressed was replaced in the same moment.
            return Told(error="this has just changed: look again")

    async def _of_this_story(self, work: Coroutine[Any, Any, Told]) -> Told:
        """Done unless the story ends meanwhile."""
        wished = asyncio.create_task(work)
        self._wished.add(wished)
        try:
            await asyncio.wait([wished])
        finally:
            # Who no longer waits for it wishes it no more.
            wished.cancel()
            self._wished.discard(wished)
        return Told(error=BEGINNING) if wished.cancelled() else wished.result()

    async def _carry_out(self, wish: dict[str, Any], user: str) -> Told:
        kind = wish["kind"]
        if kind == "event":
            assert self.events is not None  # noqa: S101 - there is a story
            return await self.events.make(str(wish["name"]))
        if kind in ("press", "submit"):
            self.now.touch()
        error = await as_person(self.slack(str(wish.get("team", ""))), wish, user)
        is_silent = kind == "say" and not error and not _is_to_the_bot(str(wish["text"]))
        return Told(error=error, note=UNHEARD if is_silent else "")

    async def _begin_anew(self) -> Told:
        """Also when the last beginning failed."""
        async with self._beginning:
            assert self.restart is not None  # noqa: S101 - there was a story
            await self.restart()
        self.slack().changed()
        return Told()

    def _steer(self, name: str, value: Any) -> Told:
        """Pauses the story, lets it go on, or changes its speed."""
        if name in ("pause", "play"):
            self.now.paused = name == "pause"
        elif name == "speed":
            self.now.day_seconds = min(max(float(value), 0.2), 3600.0)
        else:
            return Told(error="unknown")
        self.slack().changed()
        return Told()


def _is_to_the_bot(text: str) -> bool:
    return text.strip().startswith("/") or MENTION.search(text) is not None


async def as_person(slack: SlackDouble, wish: dict[str, Any], user: str) -> str:
    """Gives what Slack would say instead of doing it; "" when it was done."""
    kind = wish["kind"]
    if kind == "say":
        return await _say(slack, user, str(wish["channel"]), str(wish["text"]).strip(), wish.get("thread"))
    if kind == "close":
        slack.close_views(user, WINDOW.get(), topmost=True)
        return ""
    if kind == "home":
        return (await slack.open_home(user)).error
    return await _use(slack, wish, user)


async def _use(slack: SlackDouble, wish: dict[str, Any], user: str) -> str:
    where, kind = _where(slack, user, wish), wish["kind"]
    if where is None:
        return "this is gone"
    if kind == "press":
        return (await slack.press(user, where, str(wish["action"]), wish.get("value"))).error
    if kind == "submit" and isinstance(where, View):
        return (await slack.submit(user, where, wish["values"])).error
    if kind == "shortcut" and isinstance(where, Posted):
        return (await slack.shortcut(user, where, str(wish["name"]))).error
    return "unknown"


def _where(slack: SlackDouble, user: str, wish: dict[str, Any]) -> Posted | View | None:
    if wish.get("home"):
        return slack.homes.get(user)
    if wish.get("ts"):
        return slack.find(str(wish["ts"]))
    stack = slack.stack_of(user, WINDOW.get())
    return stack[-1] if stack else None


async def _say(slack: SlackDouble, user: str, channel: str, text: str, thread: str | None) -> str:
    name, _, rest = text.partition(" ")
    if text.startswith("/") and thread:
        return "slash commands can't be used in threads. Write @Piecewise where is Spring? instead."
    if name in TABLE.commands:
        return (await slack.command(user, channel, name, rest.strip())).error
    if name == "/invite":
        return _invite(slack, channel, rest)
    if text.startswith("/"):
        return f"{name} is not a command here. Try /mailstatus, /mailtrack or /mailalerts."
    if text and channel == f"D{user}":
        # Slack hands an app neither messages nor mentions of its direct messages without permission to read them.
        slack.say(user, channel, text, thread)
        return "plain words here are not shown to Piecewise. Try /mailstatus, /mailtrack or /mailalerts."
    if MENTION.search(text):
        return (await slack.mention(user, channel, MENTION.sub(f"<@{BOT_USER}>", text), thread)).error
    if text:
        slack.say(user, channel, text, thread)
    return ""


def _invite(slack: SlackDouble, channel: str, whom: str) -> str:
    """`/invite @Piecewise`, which Slack itself carries out; nobody else is there to be invited."""
    place = slack.channels[channel]
    if whom.strip().casefold() != "@piecewise":
        return "only /invite @Piecewise is played here."
    if place.direct:
        return "nobody can be invited to a direct message."
    if not slack.scopes:
        return "Piecewise isn't installed here yet."
    if place.bot_in:
        return "Piecewise is already in this channel."
    place.bot_in = True
    slack.changed()
    return ""


def _shown(message: Posted, slack: SlackDouble) -> dict[str, Any]:
    return {
        "ts": message.ts,
        "channel": message.channel,
        "user": message.user,
        "text": message.text,
        "blocks": message.blocks,
        "thread": message.thread_ts,
        "private": message.only_for is not None,
        "edits": message.edits,
        "files": [{"id": key, "name": slack.files[key].name} for key in message.files if key in slack.files],
    }


def _note(user: User, slack: SlackDouble) -> str:
    if slack.team == SECOND:
        return f"admin, {slack.team_name}"
    return "admin" if user.is_admin else "guest" if user.restricted else ""


def _asset(name: str) -> web.Response:
    known = {one.name for one in HERE.iterdir()}
    if name not in known:
        raise web.HTTPNotFound
    found = HERE / name
    return web.Response(text=found.read_text(encoding="utf-8"), content_type=KINDS[found.suffix])


def _size(picture: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, so that the page keeps its place free; None for any other file."""
    if not picture.startswith(PNG):
        return None
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


def _modal(view: View) -> dict[str, Any]:
    return {"id": view.id, **view.view}
