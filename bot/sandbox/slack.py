"""A double of Slack: Web API, files, views, Socket Mode, signed HTTP delivery and answer addresses, all on loopback.

It enforces scopes, arguments, block limits, the three seconds to acknowledge, single-use triggers, five answers per
address, membership, the delay before an uploaded picture may be shown, and one message a second in a channel.
Every breach is answered as Slack would, and kept in `problems`.
"""

import asyncio
import contextlib
import hashlib
import hmac
import io
import itertools
import json
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from bot.sandbox.limits import check_message, check_view
from bot.sandbox.methods import METHODS, check_call

Json = Any
BOT_USER: Final = "U0BOT"
ACK_SECONDS: Final = 3.0
TRIGGER_SECONDS: Final = 3.0
#: In which of a person's windows something is done now: a modal opens there, and in no other.
WINDOW: Final[ContextVar[str]] = ContextVar("window", default="")
ANSWERS: Final = 5
ANSWER_SECONDS: Final = 1800
BURST: Final = 5
VIEW_SIZE: Final = 250_000
#: Each record of a member has them (api.slack.com/types/user).
GUEST_FLAGS: Final = ("is_restricted", "is_ultra_restricted")


@dataclass
class User:
    """A person in the team."""

    id: str
    name: str
    zone: str = "America/Chicago"
    is_admin: bool = False
    #: Another organization's team (Slack Connect); "" for this one.
    team: str = ""
    #: A guest of this team.
    restricted: bool = False


@dataclass
class Channel:
    """A place to talk. `bot_in` says whether the bot was invited."""

    id: str
    name: str
    bot_in: bool = True
    archived: bool = False
    direct: bool = False


@dataclass
class Posted:
    """A message as it stands. `only_for` names the one user who sees it (ephemeral)."""

    ts: str
    channel: str
    user: str
    text: str
    blocks: list[Json]
    thread_ts: str | None = None
    only_for: str | None = None
    edits: int = 0
    response_url: str = ""
    #: Files shared with it.
    files: tuple[str, ...] = ()


@dataclass
class File:
    """An uploaded picture; it may be shown from `ready_at` on."""

    id: str
    data: bytes = b""
    ready_at: float = float("inf")
    alt: str = ""
    name: str = ""


@dataclass
class View:
    """An open modal."""

    id: str
    user: str
    view: dict[str, Json]
    root: str
    #: Changes with each change of it; a Home is published against it.
    hash: str = ""
    #: Which of the person's windows shows it.
    window: str = ""


@dataclass
class Step:
    """A step of a workflow that the bot was asked to do."""

    token: str
    outputs: dict[str, Json] | None = None
    error: str = ""


@dataclass
class Answering:
    """An answer address: whose, where, and how often it was used."""

    channel: str
    user: str
    born: float
    thread_ts: str | None = None
    used: int = 0
    original: str = ""


@dataclass
class Fault:
    """What the next calls of a method meet instead of an answer."""

    method: str
    error: str = ""
    status: int = 200
    retry_after: int | None = None
    times: int = 1
    #: The call is carried out, but its answer is lost.
    after: bool = False
    #: The answer comes so many seconds late; where nothing else is wrong, it is the usual one.
    delay: float = 0
    #: What is said instead of an answer: any JSON text.
    body: str = ""

    @property
    def refuses(self) -> bool:
        return bool(self.error or self.body) or self.status != 200  # noqa: PLR2004 - HTTP


@dataclass
class Rude:
    """What Slack may do within its documents and seldom does. Each switch alone, or all together; all are off at first.

    The turns are counted for each method, so that the same story meets the same trouble.
    """

    #: Every answer takes a third of a second (nothing is promised about how long a call takes).
    slow: bool = False
    #: Every sixth call of a method is refused with 429 and `Retry-After: 1` (docs.slack.dev: apis/web-api/rate-limits).
    busy: bool = False
    #: Every fifth upload step is answered 503 without being carried out (docs.slack.dev: "service_unavailable").
    down: bool = False
    #: Every fourth edit of a message, a modal or a Home is carried out, and its answer is lost on the way.
    lost: bool = False
    #: Every delivery comes twice at the same moment (docs.slack.dev: apis/events-api, "duplicate").
    doubled: bool = False
    #: Every delivery comes again a second after it was acknowledged, as a retry.
    again: bool = False
    #: `users.info` leaves out whatever is false or empty, but not whether somebody is a guest, and the time zone (only
    #: people who chose one have it).
    sparse: bool = False
    #: Every post that names its pictures is refused until a second has passed, whatever the upload said.
    unready: bool = False
    #: Answers carry warnings and fields that nobody has documented, and `ok` comes last.
    chatty: bool = False
    #: A form without inputs comes with an empty list where its values would be (seen; documented is an object).
    listed: bool = False
    _turns: dict[str, int] = field(default_factory=dict)

    @classmethod
    def names(cls) -> list[str]:
        """The switches."""
        return [one.name for one in fields(cls) if not one.name.startswith("_")]

    @classmethod
    def on(cls, *names: str) -> "Rude":
        """With these switched on."""
        made = cls()
        for name in names:
            setattr(made, name, True)
        return made

    def _nth(self, switch: str, method: str, every: int) -> bool:
        turn = self._turns[f"{switch}:{method}"] = self._turns.get(f"{switch}:{method}", 0) + 1
        return turn % every == 0

    def meets(self, method: str) -> "Fault | None":
        """What this call meets instead of an answer."""
        if self.busy and method != "apps.connections.open" and self._nth("busy", method, 6):
            return Fault(method, error="ratelimited", status=429, retry_after=1)
        if self.down and method.startswith("files.") and self._nth("down", "files", 5):
            return Fault(method, status=503)
        if self.lost and method in EDITS and self._nth("lost", method, 4):
            return Fault(method, status=502, after=True)
        return None


#: Calls that do the same when they are made again.
EDITS: Final = frozenset({"chat.update", "views.update", "views.publish"})
SLOW: Final = 0.3
AGAIN_AFTER: Final = 1.0


@dataclass
class Acked:
    """What the bot answered to a delivery: `error` is what the person would read instead of nothing."""

    ok: bool
    error: str = ""
    status: int = 200
    body: Json = None


@dataclass(repr=False)
class SlackDouble:
    """One workspace. Start it with `start()`, or let a `SlackCloud` hold several; `url` is its Web API's address."""

    team: str = "T0ACME"
    team_name: str = "Acme Outdoors"
    #: When its rotated token ends (`time.time()`), and earlier ones that still work until they end.
    token_ends: float = float("inf")
    older_tokens: dict[str, float] = field(default_factory=dict)

    bot_token: str = "xoxb-sandbox"  # noqa: S105 - opens nothing but this double
    app_token: str = "xapp-sandbox"  # noqa: S105
    signing_secret: str = "sandbox-signing-secret"  # noqa: S105
    scopes: set[str] = field(
        default_factory=lambda: {"app_mentions:read", "chat:write", "commands", "files:write", "im:write", "users:read"}
    )
    file_delay: float = 0.3
    #: How many times three seconds it waits for an acknowledgement, and for the use of a trigger.
    patience: float = 1.0
    #: Whether more than a message a second in a channel is refused.
    paced: bool = True
    #: Where HTTP deliveries go; "" while the bot is connected by Socket Mode.
    events_url: str = ""
    users: dict[str, User] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    messages: list[Posted] = field(default_factory=list)
    files: dict[str, File] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)
    unfurled: dict[str, Json] = field(default_factory=dict)
    homes: dict[str, View] = field(default_factory=dict)
    answers: dict[str, Answering] = field(default_factory=dict)
    triggers: dict[str, tuple[str, float, str]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Json]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    rude: Rude = field(default_factory=Rude)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    waiting: dict[str, asyncio.Future[Json]] = field(default_factory=dict)
    recent: dict[str, deque[float]] = field(default_factory=dict)
    version: int = 0
    #: What messages and events are dated by, in seconds since 1970.
    now: Callable[[], float] = time.time
    base: str = ""
    _later: list[asyncio.Task[None]] = field(default_factory=list)
    _count: Any = field(default_factory=lambda: itertools.count(1))
    _runner: web.AppRunner | None = None
    _session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        return f"{self.base}/api/"

    def routes(self) -> list[web.RouteDef]:
        """What the bot may reach."""
        return [
            web.post("/api/{method}", self._api),
            web.get("/api/{method}", self._api),
            web.post("/upload/{file}", self._upload),
            web.post("/commands/{token}", self._answer),
            web.get("/link/{ticket}", self._link),
        ]

    async def start(self, port: int = 0, extra: list[web.RouteDef] | None = None) -> None:
        """Listens on loopback."""
        app = web.Application(client_max_size=30_000_000)
        app.add_routes(self.routes() + (extra or []))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._session = aiohttp.ClientSession()

    async def stop(self) -> None:
        """Closes every socket and stops listening."""
        for task in self._later:
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)
        for socket in list(self.sockets):
            await socket.close()
        if self._session:
            await self._session.close()
        if self._runner:
            await self._runner.cleanup()

    def add_user(self, user: User) -> User:
        self.users[user.id] = user
        return user

    def add_channel(self, channel: Channel) -> Channel:
        self.channels[channel.id] = channel
        return channel

    def changed(self) -> None:
        """Something a person could see has changed."""
        self.version += 1

    def next_ts(self) -> str:
        """A message's id: seconds and a running number, as Slack's."""
        return f"{self.now():.0f}.{next(self._count):06d}"

    def forget(self, most: int) -> None:
        """Drops what is older than the newest `most` messages, and what only a test looks at: a story has no end."""
        del self.messages[:-most], self.calls[:], self.problems[:-100]
        self.unfurled.clear()
        for key in list(self.views)[:-20]:
            del self.views[key]
        now = time.monotonic()
        self.triggers = {key: one for key, one in self.triggers.items() if now - one[1] <= TRIGGER_SECONDS}
        self.answers = {
            key: one for key, one in self.answers.items() if one.used < ANSWERS and now - one.born <= ANSWER_SECONDS
        }
        shown = json.dumps([one.blocks for one in self.messages] + [one.view for one in self.views.values()])
        shared = {key for one in self.messages for key in one.files}
        newest = list(self.files)[-20:]
        self.files = {
            key: one for key, one in self.files.items() if key in shared or key in newest or f'"{key}"' in shown
        }

    def say(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Posted:
        """Somebody writes something that is not for the bot."""
        self.messages.append(Posted(self.next_ts(), channel, user, text, [], thread_ts=thread_ts))
        self.changed()
        return self.messages[-1]

    def find(self, ts: str) -> Posted | None:
        return next((message for message in self.messages if message.ts == ts), None)

    # ---- What the bot calls -------------------------------------------------------------------------------------

    async def _api(self, request: web.Request) -> web.Response:
        name = request.match_info["method"]
        arguments = await _arguments(request)
        if self.rude.slow:
            await asyncio.sleep(SLOW)
        fault = await late(self._take_fault(name))
        if fault and not fault.after:
            return _faulty(fault)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        answer = self._answer_call(name, arguments, token)
        self.changed()
        if fault:
            return _faulty(fault)
        headers = {"x-oauth-scopes": ",".join(sorted(self.scopes))}
        if answer.get("error") == "ratelimited":
            return web.json_response(answer, status=429, headers={"Retry-After": "1"})
        if self.rude.chatty:
            extra = {"warning": "superfluous_charset", "response_metadata": {"warnings": ["superfluous_charset"]}}
            answer = extra | {"is_something_new": None} | answer
        return web.json_response(answer, headers=headers)

    def _take_fault(self, name: str) -> Fault | None:
        for fault in self.faults:
            if fault.method in (name, "*") and fault.times > 0:
                fault.times -= 1
                return fault
        return self.rude.meets(name)

    def _answer_call(self, name: str, arguments: dict[str, Json], token: str) -> dict[str, Json]:
        refusal = self._refuse(name, arguments, token)
        if refusal:
            return {"ok": False, "error": refusal}
        self.calls.append((name, arguments))
        handler = getattr(self, "_" + name.replace(".", "_"))
        return dict(handler(arguments))

    def _refuse(self, name: str, arguments: dict[str, Json], token: str) -> str:
        wrong = check_call(name, arguments)
        if wrong:
            self.problems += wrong
            return "unknown_method" if name not in METHODS else "invalid_arguments"
        scope = METHODS[name].scope
        step = self.steps.get(str(arguments.get("function_execution_id")))
        expected = {"app": self.app_token, "step": step.token if step else None}.get(scope or "", self.bot_token)
        # A step may be ended by the bot's own token as well (docs.slack.dev: functions.completeSuccess).
        own = scope == "step" and token == self.bot_token
        if token != expected and not own and token not in self.older_tokens:
            return "invalid_auth"
        if time.time() > self.older_tokens.get(token, self.token_ends):
            return "token_expired"
        if scope not in (None, "app", "step", "none") and scope not in self.scopes:
            return "missing_scope"
        return ""

    def _auth_test(self, _arguments: dict[str, Json]) -> dict[str, Json]:
        return {
            "ok": True,
            "team_id": self.team,
            "team": self.team_name,
            "user_id": BOT_USER,
            "bot_id": "B0BOT",
            "user": "piecewise",
        }

    def _apps_connections_open(self, _arguments: dict[str, Json]) -> dict[str, Json]:
        return {"ok": True, "url": f"{self.base.replace('http', 'ws')}/link/{uuid.uuid4().hex}"}

    def _users_info(self, arguments: dict[str, Json]) -> dict[str, Json]:
        user = self.users.get(arguments["user"])
        if user is None:
            return {"ok": False, "error": "user_not_found"}
        told: dict[str, Json] = {
            "id": user.id,
            "team_id": self._team_of(user.id),
            "real_name": user.name,
            "tz": user.zone,
        }
        told |= {
            "real_name": user.name,
            "is_admin": user.is_admin,
            "is_restricted": user.restricted,
            "is_ultra_restricted": False,
            "is_stranger": bool(user.team),
        }
        if self.rude.sparse:
            told = {key: told[key] for key in told if key in GUEST_FLAGS or (told[key] and key != "tz")}
        return {"ok": True, "user": told}

    def _team_of(self, user: str) -> str:
        return self.users[user].team or self.team if user in self.users else self.team

    def _place(self, name: str) -> Channel | str:
        """The channel to write to, or Slack's word for why not. A user's id means the direct messages with them."""
        if name in self.users:
            return self.channels.setdefault(f"D{name}", Channel(f"D{name}", self.users[name].name, direct=True))
        channel = self.channels.get(name)
        if channel is None:
            return "channel_not_found"
        if channel.archived:
            return "is_archived"
        return channel if channel.bot_in else "not_in_channel"

    def _chat_postMessage(self, arguments: dict[str, Json]) -> dict[str, Json]:  # noqa: N802 - Slack's name
        place = self._place(arguments["channel"])
        if isinstance(place, str):
            return {"ok": False, "error": place}
        if not self._within_rate(place.id):
            self.problems.append(f"chat.postMessage: more than one message a second in {place.name}")
            return {"ok": False, "error": "ratelimited"}
        refusal = self._check_message(arguments)
        if refusal:
            return refusal
        posted = Posted(
            self.next_ts(), place.id, BOT_USER, arguments["text"], arguments.get("blocks") or [],
            thread_ts=arguments.get("thread_ts"),
        )  # fmt: skip
        self.messages.append(posted)
        return {"ok": True, "channel": place.id, "ts": posted.ts}

    def _within_rate(self, channel: str) -> bool:
        """One a second; a short burst is let through, as Slack does."""
        recent, now = self.recent.setdefault(channel, deque()), time.monotonic()
        while recent and now - recent[0] > BURST:
            recent.popleft()
        if self.paced and len(recent) >= BURST + 1:
            return False
        recent.append(now)
        return True

    def _check_message(self, arguments: dict[str, Json]) -> dict[str, Json] | None:
        wrong = check_message(arguments.get("text"), arguments.get("blocks"))
        if wrong:
            self.problems += wrong
            return {"ok": False, "error": "invalid_blocks", "errors": wrong}
        for index, block in enumerate(arguments.get("blocks") or []):
            if block["type"] == "image" and not self._may_show(block):
                pointer = f"invalid slack file [json-pointer:/blocks/{index}/slack_file]"
                return {"ok": False, "error": "invalid_blocks", "errors": [pointer]}
        return None

    def _may_show(self, block: Json) -> bool:
        file = self.files.get(block["slack_file"]["id"])
        return file is not None and time.monotonic() >= file.ready_at

    def _chat_postEphemeral(self, arguments: dict[str, Json]) -> dict[str, Json]:  # noqa: N802 - Slack's name
        place = self._place(arguments["channel"])
        if isinstance(place, str):
            return {"ok": False, "error": place}
        refusal = self._check_message(arguments)
        if refusal:
            return refusal
        answering = Answering(place.id, arguments["user"], time.monotonic(), arguments.get("thread_ts"))
        posted = self._show_privately(answering, arguments["text"], arguments.get("blocks") or [])
        return {"ok": True, "message_ts": posted.ts}

    def _show_privately(self, answering: Answering, text: str, blocks: list[Json]) -> Posted:
        token = uuid.uuid4().hex
        posted = Posted(
            self.next_ts(), answering.channel, BOT_USER, text, blocks, thread_ts=answering.thread_ts,
            only_for=answering.user, response_url=token,
        )  # fmt: skip
        # Pressing something in it brings a new answer address, which may replace it.
        self.answers[token] = Answering(
            answering.channel, answering.user, time.monotonic(), answering.thread_ts, original=posted.ts
        )
        self.messages.append(posted)
        return posted

    def _chat_update(self, arguments: dict[str, Json]) -> dict[str, Json]:
        posted = self.find(arguments["ts"])
        if posted is None or posted.only_for or posted.channel != arguments["channel"]:
            return {"ok": False, "error": "message_not_found"}
        if posted.user != BOT_USER:
            return {"ok": False, "error": "cant_update_message"}
        refusal = self._check_message(arguments)
        if refusal:
            return refusal
        posted.text, posted.blocks, posted.edits = arguments["text"], arguments.get("blocks") or [], posted.edits + 1
        return {"ok": True, "channel": posted.channel, "ts": posted.ts}

    def _files_getUploadURLExternal(self, arguments: dict[str, Json]) -> dict[str, Json]:  # noqa: N802 - Slack's name
        file = File(
            f"F{next(self._count):06d}", alt=str(arguments.get("alt_txt") or ""), name=str(arguments["filename"])
        )
        if int(arguments["length"]) <= 0:
            return {"ok": False, "error": "invalid_arguments"}
        self.files[file.id] = file
        return {"ok": True, "file_id": file.id, "upload_url": f"{self.base}/upload/{file.id}"}

    async def _upload(self, request: web.Request) -> web.Response:
        self.files[request.match_info["file"]].data = await request.read()
        return web.Response(text="OK")

    def _files_completeUploadExternal(self, arguments: dict[str, Json]) -> dict[str, Json]:  # noqa: N802 - Slack's name
        done = []
        for one in arguments["files"]:
            file = self.files.get(one["id"])
            if file is None or not file.data:
                return {"ok": False, "error": "file_not_found"}
            file.ready_at = time.monotonic() + max(self.file_delay, 1.0 if self.rude.unready else 0.0)
            done.append({"id": file.id, "title": one.get("title", "")})
        if arguments.get("channel_id"):
            place = self._place(arguments["channel_id"])
            if isinstance(place, str):
                return {"ok": False, "error": place}
            shared = tuple(one["id"] for one in done)
            said = arguments.get("initial_comment") or ""
            self.messages.append(Posted(self.next_ts(), place.id, BOT_USER, said, [], files=shared))
        return {"ok": True, "files": done}

    def _files_delete(self, arguments: dict[str, Json]) -> dict[str, Json]:
        gone = self.files.pop(arguments["file"], None)
        return {"ok": True} if gone else {"ok": False, "error": "file_not_found"}

    def _conversations_open(self, arguments: dict[str, Json]) -> dict[str, Json]:
        if arguments.get("users") not in self.users:
            return {"ok": False, "error": "user_not_found"}
        place = self._place(arguments["users"])
        assert isinstance(place, Channel)  # noqa: S101 - a person can always be written to
        return {"ok": True, "channel": {"id": place.id}}

    def _spend_trigger(self, arguments: dict[str, Json]) -> tuple[str, str]:
        """Whose it is, or Slack's word for why it is nobody's; and in which window."""
        trigger = self.triggers.pop(arguments.get("trigger_id", ""), None)
        if trigger is None:
            return "invalid_trigger_id", ""
        user, born, window = trigger
        late = time.monotonic() - born > self.patience * TRIGGER_SECONDS
        return ("expired_trigger_id", "") if late else (user, window)

    def _views_open(self, arguments: dict[str, Json]) -> dict[str, Json]:
        user, window = self._spend_trigger(arguments)
        if user not in self.users:
            return {"ok": False, "error": user}
        return self._keep_view(user, arguments["view"], "", window)

    def _views_push(self, arguments: dict[str, Json]) -> dict[str, Json]:
        user, window = self._spend_trigger(arguments)
        if user not in self.users:
            return {"ok": False, "error": user}
        stack = self.stack_of(user, window)
        if not stack:
            return {"ok": False, "error": "invalid_trigger_id"}
        if len(stack) >= 3:  # noqa: PLR2004 - docs.slack.dev, surfaces/modals
            return {"ok": False, "error": "push_limit_reached"}
        return self._keep_view(user, arguments["view"], stack[0].id, window)

    def _views_publish(self, arguments: dict[str, Json]) -> dict[str, Json]:
        user, view, known = arguments["user_id"], arguments["view"], self.homes.get(arguments["user_id"])
        if user not in self.users:
            return {"ok": False, "error": "user_not_found"}
        if arguments.get("hash") and known is not None and arguments["hash"] != known.hash:
            return {"ok": False, "error": "hash_conflict"}
        wrong = check_view(view)
        if view.get("type") != "home" or wrong:
            self.problems += wrong or ["views.publish: not a home"]
            return {"ok": False, "error": "invalid_arguments", "response_metadata": {"messages": wrong}}
        if len(json.dumps(view)) > VIEW_SIZE:
            self.problems.append("views.publish: more than 250 kB")
            return {"ok": False, "error": "view_too_large"}
        key = known.id if known else f"V{next(self._count):06d}"
        self.homes[user] = View(key, user, view, key, hash=uuid.uuid4().hex[:8])
        return {"ok": True, "view": {**view, "id": key, "hash": self.homes[user].hash}}

    def stack_of(self, user: str, window: str = "") -> list[View]:
        """The modals that this person has open in a window, the topmost last."""
        return [view for view in self.views.values() if (view.user, view.window) == (user, window)]

    def _keep_view(self, user: str, view: dict[str, Json], root: str, window: str) -> dict[str, Json]:
        wrong = check_view(view)
        if wrong:
            self.problems += wrong
            return {"ok": False, "error": "invalid_arguments", "response_metadata": {"messages": wrong}}
        key = f"V{next(self._count):06d}"
        if not root:
            self.close_views(user, window)
        self.views[key] = View(key, user, view, root or key, window=window)
        return {"ok": True, "view": {**view, "id": key}}

    def close_views(self, user: str, window: str = "", *, topmost: bool = False) -> None:
        """Closes a person's modals in a window, or only the topmost."""
        stack = self.stack_of(user, window)
        for view in stack[-1:] if topmost else stack:
            del self.views[view.id]
        self.changed()

    def _views_update(self, arguments: dict[str, Json]) -> dict[str, Json]:
        kept = self.views.get(arguments.get("view_id", ""))
        if kept is None:
            return {"ok": False, "error": "not_found"}
        wrong = check_view(arguments["view"])
        if wrong:
            self.problems += wrong
            return {"ok": False, "error": "invalid_arguments", "response_metadata": {"messages": wrong}}
        kept.view = arguments["view"]
        return {"ok": True, "view": {**kept.view, "id": kept.id}}

    async def _answer(self, request: web.Request) -> web.Response:
        """An answer address: five uses in thirty minutes."""
        fault = await late(self._take_fault("response_url"))
        if fault:
            return _faulty(fault)
        answering = self.answers.get(request.match_info["token"])
        if answering is None or answering.used >= ANSWERS or time.monotonic() - answering.born > ANSWER_SECONDS:
            return web.Response(status=404, text="used_url")
        answering.used += 1
        body = json.loads(await request.read())
        refusal = self._check_message(body)
        if refusal:
            return web.json_response(refusal, status=404)
        original = self.find(answering.original)
        if body.get("replace_original") and original is not None:
            original.text, original.blocks, original.edits = body["text"], body.get("blocks") or [], original.edits + 1
        else:
            self._show_privately(answering, body["text"], body.get("blocks") or [])
        self.changed()
        return web.Response(text="ok")

    # ---- What people do -----------------------------------------------------------------------------------------

    def _trigger(self, user: str) -> str:
        trigger = uuid.uuid4().hex
        self.triggers[trigger] = (user, time.monotonic(), WINDOW.get())
        return trigger

    def _address(self, answering: Answering) -> str:
        token = uuid.uuid4().hex
        self.answers[token] = answering
        return f"{self.base}/commands/{token}"

    async def command(self, user: str, channel: str, name: str, text: str = "") -> Acked:
        """A person types a slash command."""
        body = {
            "command": name,
            "text": text,
            "user_id": user,
            "user_name": self.users[user].name,
            "channel_id": channel,
            "channel_name": self.channels[channel].name,
            "team_id": self.team,
            "team_domain": "acme",
            "api_app_id": "A0",
            "is_enterprise_install": "false",
            "trigger_id": self._trigger(user),
            "response_url": self._address(Answering(channel, user, time.monotonic())),
        }
        return await self.deliver("slash_commands", body)

    async def press(self, user: str, where: Posted | View, action_id: str, value: str | None = None) -> Acked:
        """A person presses a button, or chooses `value` from a list, in a message or a modal."""
        return await self.deliver("interactive", self.pressing(user, where, action_id, value))

    def pressing(self, user: str, where: Posted | View, action_id: str, value: str | None = None) -> dict[str, Json]:
        """What Slack says of it."""
        blocks = where.blocks if isinstance(where, Posted) else where.view["blocks"]
        element = find_element(blocks, action_id, value)
        held: Json = next((block for block in blocks if element in block.get("elements", ())), {})
        block_id = held.get("block_id", "b")
        action = {"type": element["type"], "action_id": action_id, "block_id": block_id, "action_ts": self.next_ts()}
        if element["type"] == "static_select":
            action["selected_option"] = next(o for o in element["options"] if value in (o["value"], o["text"]["text"]))
        elif element["type"] == "datepicker":
            action["selected_date"] = value
        elif element["type"] == "plain_text_input":
            action["value"] = value
        else:
            action["value"] = element.get("value", "")
        return self._interaction("block_actions", user) | {"actions": [action]} | self._container(user, where)

    def _container(self, user: str, where: Posted | View) -> dict[str, Json]:
        if isinstance(where, View):
            shown = {**where.view, "id": where.id, "hash": where.hash}
            return {"view": shown, "container": {"type": "view", "view_id": where.id}}
        address = self._address(
            Answering(
                where.channel, user, time.monotonic(), where.thread_ts, original=where.ts if where.only_for else ""
            )
        )
        container = {"type": "message", "message_ts": where.ts, "is_ephemeral": bool(where.only_for)}
        message = {"ts": where.ts, "text": where.text, "blocks": where.blocks}
        return {
            "channel": {"id": where.channel}, "container": container, "response_url": address, "message": message
        }  # fmt: skip

    async def submit(self, user: str, view: View, values: dict[str, Json] | None = None) -> Acked:
        """A person submits a modal. `values` are state values; by default what the form shows at first."""
        body = self._interaction("view_submission", user)
        filled = initial_values(view.view) | (values or {})
        state = {"values": filled or ([] if self.rude.listed else {})}
        body["view"] = {**view.view, "id": view.id, "state": state}
        acked = await self.deliver("interactive", body)
        if acked.ok:
            self._close_submitted(user, view, acked.body if isinstance(acked.body, dict) else {})
        return acked

    def _close_submitted(self, user: str, view: View, answer: dict[str, Json]) -> None:
        """A submitted modal closes, unless the answer gives it another content."""
        if answer.get("response_action") == "update":
            wrong = check_view(answer["view"])
            self.problems += wrong
            view.view = answer["view"]
        elif answer.get("response_action") == "clear":
            self.close_views(user, view.window)
        else:
            self.close_views(user, view.window, topmost=True)
        self.changed()

    async def open_home(self, user: str, tab: str = "home") -> Acked:
        """A person opens the app's Home (or its messages)."""
        known = self.homes.get(user)
        event: dict[str, Json] = {"type": "app_home_opened", "user": user, "channel": f"D{user}", "tab": tab}
        event |= {"view": {**known.view, "id": known.id, "hash": known.hash}} if known else {}
        return await self._send_event(event)

    async def run_step(self, callback_id: str, inputs: dict[str, Json]) -> Step:
        """A workflow comes to a step of ours."""
        key, step = f"Fx{next(self._count):06d}", Step(f"xwfp-{uuid.uuid4().hex}")
        self.steps[key] = step
        event = {
            "type": "function_executed",
            "function": {"id": "Fn1", "callback_id": callback_id, "type": "app"},
            "inputs": inputs,
            "function_execution_id": key,
            "bot_access_token": step.token,
        }
        assert (await self._send_event(event)).ok  # noqa: S101 - the sandbox's own
        return step

    def _functions_completeSuccess(self, arguments: dict[str, Json]) -> dict[str, Json]:  # noqa: N802 - Slack's name
        self.steps[arguments["function_execution_id"]].outputs = arguments["outputs"]
        return {"ok": True}

    def _functions_completeError(self, arguments: dict[str, Json]) -> dict[str, Json]:  # noqa: N802 - Slack's name
        self.steps[arguments["function_execution_id"]].error = arguments["error"]
        return {"ok": True}

    async def share_link(self, user: str, channel: str, url: str) -> Acked:
        """A person posts a message with a link to one of the app's domains."""
        posted = Posted(self.next_ts(), channel, user, f"<{url}>", [])
        self.messages.append(posted)
        links = [{"url": url, "domain": url.split("/")[2]}]
        event = {"type": "link_shared", "user": user, "channel": channel, "message_ts": posted.ts, "links": links}
        return await self._send_event(event)

    def _chat_unfurl(self, arguments: dict[str, Json]) -> dict[str, Json]:
        if self.find(arguments["ts"]) is None:
            return {"ok": False, "error": "cannot_unfurl_message"}
        for url, shown in arguments["unfurls"].items():
            wrong = check_message("shown under a link", shown["blocks"])
            self.problems += wrong
            self.unfurled[url] = shown
        return {"ok": True}

    async def shortcut(self, user: str, message: Posted, callback_id: str) -> Acked:
        """A person chooses a shortcut in a message's menu."""
        address = self._address(Answering(message.channel, user, time.monotonic(), message.thread_ts))
        said = {
            "type": "message",
            "user": message.user,
            "ts": message.ts,
            "text": message.text,
            "blocks": message.blocks,
        }
        body = self._interaction("message_action", user) | {
            "callback_id": callback_id,
            "message_ts": message.ts,
            "message": said,
            "channel": {"id": message.channel},
            "response_url": address,
            "action_ts": self.next_ts(),
        }
        return await self.deliver("interactive", body)

    async def mention(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Acked:
        """A person writes a message that mentions the bot."""
        ts = self.next_ts()
        self.messages.append(Posted(ts, channel, user, text, [], thread_ts=thread_ts))
        event = {"type": "app_mention", "user": user, "channel": channel, "text": text, "ts": ts}
        event |= {"thread_ts": thread_ts} if thread_ts else {}
        return await self._send_event(event)

    async def tell(self, event: dict[str, Json], *, at: float | None = None, event_id: str = "") -> Acked:
        """Slack tells of something that happened to the app: that it was removed, or its tokens revoked.

        `at`: when it happened (`time.time()`), for an event that comes late; the same `event_id`: once more.
        """
        return await self._send_event(event, at, event_id)

    async def _send_event(self, event: dict[str, Json], at: float | None = None, event_id: str = "") -> Acked:
        body = {
            "type": "event_callback",
            "team_id": self.team,
            "api_app_id": "A0",
            "event_id": event_id or f"Ev{uuid.uuid4().hex}",
            "event_time": int(self.now() if at is None else at),
            "event": event,
        }
        return await self.deliver("events_api", body)

    def _interaction(self, kind: str, user: str) -> dict[str, Json]:
        return {
            "type": kind,
            "user": {"id": user, "team_id": self._team_of(user)},
            "team": {"id": self.team},
            "api_app_id": "A0",
            "trigger_id": self._trigger(user),
        }

    async def deliver(self, kind: str, body: dict[str, Json]) -> Acked:
        """Sends something to the bot, and waits three seconds for its acknowledgement."""
        acked = await self._deliver_rudely(kind, body)
        self.changed()
        if acked.ok and kind == "slash_commands" and isinstance(acked.body, dict) and acked.body.get("text"):
            answering = Answering(body["channel_id"], body["user_id"], time.monotonic())
            self._show_privately(answering, acked.body["text"], acked.body.get("blocks") or [])
        return acked

    async def _deliver_rudely(self, kind: str, body: dict[str, Json]) -> Acked:
        """Once; or twice at the same moment; or again a while after it was acknowledged."""
        if self.rude.again:
            self._later.append(asyncio.create_task(self._deliver_again(kind, body)))
        if not self.rude.doubled:
            return await self._deliver_once(kind, body)
        first, second = await asyncio.gather(self._deliver_once(kind, body), self._deliver_once(kind, body))
        # A form's errors, and an answer within the acknowledgement, may come with either of the two.
        return second if second.ok and second.body and not first.body else first

    async def _deliver_again(self, kind: str, body: dict[str, Json]) -> None:
        await asyncio.sleep(AGAIN_AFTER)
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            await self._deliver_once(kind, body, retry=1)

    async def _deliver_once(self, kind: str, body: dict[str, Json], retry: int = 0) -> Acked:
        if self.events_url:
            return await self._deliver_http(kind, body, retry)
        return await self._deliver_socket(kind, body, retry)

    async def _deliver_socket(self, kind: str, body: dict[str, Json], retry: int = 0) -> Acked:
        live = [socket for socket in self.sockets if not socket.closed]
        if not live:
            return Acked(False, "dispatch_failed")
        envelope = uuid.uuid4().hex
        self.waiting[envelope] = asyncio.get_running_loop().create_future()
        message = {"envelope_id": envelope, "type": kind, "payload": body, "accepts_response_payload": True}
        if retry:
            message |= {"retry_attempt": retry, "retry_reason": "timeout"}
        await live[next(self._count) % len(live)].send_json(message)
        try:
            return Acked(True, body=await asyncio.wait_for(self.waiting[envelope], self.patience * ACK_SECONDS))
        except TimeoutError:
            return Acked(False, "operation_timeout")
        finally:
            del self.waiting[envelope]

    async def _deliver_http(self, kind: str, body: dict[str, Json], retry: int = 0) -> Acked:
        raw, content = encode(kind, body)
        headers = sign(self.signing_secret, raw, int(time.time())) | {"Content-Type": content}
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": "http_timeout"}
        return await self.send_raw(raw, headers)

    async def send_raw(self, raw: bytes, headers: Mapping[str, str]) -> Acked:
        """Sends these very bytes to the bot's address, as Slack or somebody else would."""
        assert self._session is not None  # noqa: S101 - started
        timeout = aiohttp.ClientTimeout(total=self.patience * ACK_SECONDS)
        try:
            async with self._session.post(
                self.events_url, data=io.BytesIO(raw), headers=headers, timeout=timeout
            ) as response:
                text = await response.text()
                body = json.loads(text) if text.startswith("{") else text
                ok = response.status == web.HTTPOk.status_code
                return Acked(ok, "" if ok else "dispatch_failed", response.status, body)
        except TimeoutError:
            return Acked(False, "operation_timeout", 0)

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        """Socket Mode: says hello, passes envelopes, and takes acknowledgements."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        await socket.send_json(
            {"type": "hello", "num_connections": len(self.sockets), "connection_info": {"app_id": "A0"}}
        )
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take_ack(message.json())
        finally:
            self.sockets.remove(socket)
        return socket

    def _take_ack(self, body: Json) -> None:
        future = self.waiting.get(body.get("envelope_id", ""))
        if future is not None and not future.done():
            future.set_result(body.get("payload"))

    async def drop_sockets(self) -> None:
        """Closes the bot's connections, as Slack does every few hours."""
        for socket in list(self.sockets):
            await socket.close()


async def _arguments(request: web.Request) -> dict[str, Json]:
    """Arguments as JSON or as a form, in which lists and objects are JSON texts."""
    if request.content_type == "application/json":
        return dict(json.loads(await request.read() or b"{}"))
    form = {key: value for key, value in (await request.post()).items() if isinstance(value, str)} | dict(request.query)
    return {key: json.loads(value) if value[:1] in ("[", "{") else value for key, value in form.items()}


async def late(fault: Fault | None) -> Fault | None:
    """The fault after its delay; None where that was all."""
    if fault is None:
        return None
    await asyncio.sleep(fault.delay)
    return fault if fault.refuses or not fault.delay else None


def _faulty(fault: Fault) -> web.Response:
    headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
    if fault.error:
        return web.json_response({"ok": False, "error": fault.error}, status=fault.status, headers=headers)
    if fault.body:
        return web.json_response(text=fault.body, status=fault.status, headers=headers)
    return web.Response(status=fault.status, text="<html>upstream error</html>", headers=headers)


def encode(kind: str, body: dict[str, Json]) -> tuple[bytes, str]:
    """A delivery as Slack sends it by HTTP: its bytes and content type."""
    if kind == "slash_commands":
        return urlencode(body).encode(), "application/x-www-form-urlencoded"
    if kind == "interactive":
        return urlencode({"payload": json.dumps(body)}).encode(), "application/x-www-form-urlencoded"
    return json.dumps(body).encode(), "application/json"


def sign(secret: str, raw: bytes, stamp: int) -> dict[str, str]:
    """Slack's signature over these bytes at this moment (docs: verifying requests from Slack)."""
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + raw, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": str(stamp), "X-Slack-Signature": f"v0={digest}"}


def find_element(blocks: list[Json], action_id: str, value: str | None = None) -> Json:
    """The button or list with this id, and this value among several; raises LookupError when nobody could press it."""
    for block in blocks:
        for element in [block.get("accessory"), *block.get("elements", []), block.get("element")]:
            if not isinstance(element, dict) or element.get("action_id") != action_id:
                continue
            if (
                element["type"] in ("static_select", "datepicker", "plain_text_input")
                or value is None
                or element.get("value") == value
            ):
                return element
    message = f"nothing here to press called {action_id} ({value})"
    raise LookupError(message)


def initial_values(view: Json) -> dict[str, Json]:
    """What a form holds before anybody changes it."""
    values: dict[str, Json] = {}
    for block in view["blocks"]:
        if block["type"] == "input":
            element = block["element"]
            held: dict[str, Json] = {"type": element["type"]}
            if element["type"] == "static_select":
                held["selected_option"] = element.get("initial_option")
            elif element["type"] == "plain_text_input":
                held["value"] = element.get("initial_value")
            elif element["type"] == "multi_users_select":
                held["selected_users"] = element.get("initial_users", [])
            elif element["type"] == "conversations_select":
                held["selected_conversation"] = element.get("initial_conversation")
            else:
                held["selected_options"] = element.get("initial_options", [])
            values[block["block_id"]] = {element["action_id"]: held}
    return values
