"""Slack as it is from outside: teams with channels, people and messages; and the port through which a process asks it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from bot.sandbox.limits import check_message, check_view
from handlers.context.ports import Clock, FileToSend, Person
from handlers.errors import (
    ChannelClosed,
    MessageGone,
    NotInChannel,
    SlackDown,
    SlackRefused,
    WorkspaceGone,
)
from handlers.text.messages import Message, Picture
from storage.statuses import Status
from tests.simulation.weather import Weather, lane_name

T = TypeVar("T")
#: Whoever was stopped for longer (in seconds) may find that another has taken over: a lease lasts two minutes, and is
#: renewed well before.
STOPPED: Final = 90.0


@dataclass
class Post:
    """A message in a channel. `heard`: the process that posted it was told so. `doubted`: it was not to be relied on
    that it wrote that down, for it died or was stopped."""

    ts: str
    message: Message
    at: float
    by: str
    thread: str | None = None
    broadcast: bool = False
    heard: bool = False
    doubted: bool = False
    gone: bool = False

    @property
    def sure(self) -> bool:
        """Whether nobody may say it again."""
        return self.heard and not self.doubted


@dataclass
class Room:
    """A channel, or the direct messages of one person."""

    name: str
    joined: bool = True
    archived: bool = False
    posts: list[Post] = field(default_factory=list)
    #: When it was closed to us and open again, in the story's seconds; and what had not been told when it closed.
    closed: list[tuple[float, float]] = field(default_factory=list)
    untold: set[tuple[str, Status]] = field(default_factory=set)

    @property
    def is_open(self) -> bool:
        return self.joined and not self.archived


@dataclass
class Team:
    """A workspace at Slack. `tokens` are those that are good."""

    name: str
    people: dict[str, Person]
    tokens: set[str] = field(default_factory=set)
    rooms: dict[str, Room] = field(default_factory=dict)
    answers: list[tuple[float, str, Message]] = field(default_factory=list)
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: int = 0

    def room(self, name: str) -> Room:
        return self.rooms.setdefault(name, Room(name))


@dataclass
class SlackWorld:
    """All of Slack. `story` is told what happens there."""

    weather: Weather
    story: Any
    teams: dict[str, Team] = field(default_factory=dict)
    number: int = 0

    def next_ts(self) -> str:
        self.number += 1
        return f"{self.weather.loop.time():.0f}.{self.number:06d}"


@dataclass
class SlackLine:
    """`Messenger` of one process for one team, with the token that it has."""

    world: SlackWorld
    team: Team
    token: str
    clock: Clock
    known: dict[str, Person] = field(default_factory=dict)

    async def _ask(self, what: str, work: Any) -> Any:
        def arrive() -> Any:
            if self.token not in self.team.tokens:
                raise WorkspaceGone(code="token_revoked")
            return work()

        return (await self.world.weather.call("slack", lambda: SlackDown(code=what), arrive))[0]

    def _room(self, name: str) -> Room:
        room = self.team.room(name)
        if room.archived:
            raise ChannelClosed(code="is_archived")
        if not room.joined:
            raise NotInChannel(code="not_in_channel")
        return room

    async def post(self, channel: str, message: Message, *, thread: str | None = None, broadcast: bool = False) -> str:
        assert check_message(message.text, list(message.blocks)) == []
        by, began = lane_name(), self.world.weather.loop.time()
        made: list[Post] = []

        def work() -> str:
            room = self._room(channel)
            at = self.world.weather.loop.time()
            post = Post(self.world.next_ts(), message, at, by, thread=thread, broadcast=broadcast)
            # Stopped in the very call: whoever took over meanwhile could not know of it, nor could it of them.
            post.doubted = at - began > STOPPED
            room.posts.append(post)
            made.append(post)
            self.world.story.note(f"{by} posts in {channel} of {self.team.name}: {message.text}")
            return post.ts

        ts = str(await self._ask("post", work))
        made[0].heard = True
        return ts

    async def edit(self, channel: str, ts: str, message: Message) -> None:
        assert check_message(message.text, list(message.blocks)) == []
        by = lane_name()

        def work() -> None:
            room = self._room(channel)
            for post in room.posts:
                if post.ts == ts and not post.gone:
                    post.message = message
                    self.world.story.note(f"{by} edits {ts} in {channel} of {self.team.name}: {message.text}")
                    return
            raise MessageGone(code="message_not_found")

        await self._ask("edit", work)

    async def answer(self, response_url: str, message: Message, *, replace: bool = False) -> None:
        await self._private(response_url, message)

    async def whisper(self, channel: str, user: str, message: Message, *, thread: str | None = None) -> None:
        await self._private(f"{user} in {channel}", message)

    async def _private(self, whom: str, message: Message) -> None:
        by = lane_name()

        def work() -> None:
            self.team.answers.append((self.world.weather.loop.time(), whom, message))
            self.world.story.note(f"{by} answers {whom} of {self.team.name}: {message.text}")

        await self._ask("answer", work)

    async def upload(self, picture: Picture) -> str:
        return str(await self._ask("upload", self.world.next_ts))

    async def delete_file(self, file_id: str) -> None:
        await self._ask("delete_file", lambda: None)

    async def open_view(self, trigger_id: str, view: dict[str, Any]) -> str:
        assert check_view(view) == []

        def work() -> str:
            name = f"V{self.world.next_ts()}"
            self.team.views[name] = view
            return name

        return str(await self._ask("open_view", work))

    async def push_view(self, trigger_id: str, view: dict[str, Any]) -> str:
        return await self.open_view(trigger_id, view)

    async def update_view(self, view_id: str, view: dict[str, Any]) -> None:
        assert check_view(view) == []
        await self._ask("update_view", lambda: self.team.views.update({view_id: view}))

    async def publish_home(self, user: str, view: dict[str, Any], seen: str) -> str:
        return str(await self._ask("publish_home", self.world.next_ts))

    async def send_file(self, user: str, file: FileToSend) -> None:
        file.content.seek(0)
        content = file.content.read().decode()
        await self._ask("send_file", lambda: self.world.story.files.append((self.team.name, user, content)))

    async def complete_step(self, execution: str, token: str | None, outputs: Mapping[str, str]) -> None:
        await self._ask("complete_step", lambda: None)

    async def fail_step(self, execution: str, token: str | None, why: str) -> None:
        await self._ask("fail_step", lambda: None)

    async def unfurl(self, channel: str, ts: str, shown: Mapping[str, Message]) -> None:
        await self._ask("unfurl", lambda: None)

    async def test(self) -> None:
        await self._ask("test", lambda: None)

    async def person(self, user: str, *, since: datetime | None = None) -> Person:
        kept, now = self.known.get(user), self.clock.now()
        earliest = now - timedelta(hours=1) if since is None else since
        if kept is not None and kept.as_of is not None and earliest <= kept.as_of <= now:
            return kept

        def work() -> Person:
            if user not in self.team.people:
                raise SlackRefused(code="user_not_found")
            return self.team.people[user]

        # As our client has it: as of the moment when Slack was asked.
        self.known[user] = replace(await self._ask("person", work), as_of=now)
        return self.known[user]
