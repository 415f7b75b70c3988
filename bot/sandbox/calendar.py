"""Lets the story's days pass: the mail moves, Stannp calls its webhook, and the bot does what it does once a day."""

import asyncio
import contextlib
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

import aiohttp
import structlog

from bot.app import App
from bot.sandbox.clock import StoryClock
from bot.sandbox.second import Second, open_second
from bot.sandbox.slack import BOT_USER, Posted, SlackDouble
from bot.sandbox.stannp import Mailpiece
from bot.sandbox.story import ZONE, Story, next_hour
from handlers.alerts import digests
from handlers.alerts.state import zone_of
from handlers.errors import Trouble
from handlers.ingest import counting
from handlers.setup import problems
from handlers.text.buttons import Action
from storage import channel_settings

log = structlog.get_logger()

#: Seconds between two looks at the calendar.
TICK: Final = 0.5
#: No day of the story passes faster.
FASTEST: Final = 0.05
#: Days that pass at once, at most: each has its morning.
LONGEST_STEP: Final = 1.0
#: So long the story waits for what the bot has under way (a jump of the clock would end its leases), and for what it
#: was told.
PATIENCE: Final = 10.0
#: And so long for what its timetable has begun: a reading that loses its turn may be made twice, and so may news.
WAITED_FOR: Final = {"tick:poll": 2.0, "tick:deliver": 6.0, "tick:cards": 6.0, "tick:watch": 6.0}
#: A request for approval lapses after a day, which is over in seconds: the story waits so long for somebody to decide.
DECIDING: Final = 120.0
#: And so long for who has just pressed something: what can be undone for ten minutes would be over before it is read.
DOING: Final = 6.0
#: The hour at which #mail-ops reads its digest, until somebody chooses another.
DIGEST: Final = 9
#: When carriers are back: what they delivered is heard of on the same day.
EVENING: Final = 17
NOTHING: Final = timedelta()
#: So many seconds after a window last showed its welcome the story goes on.
GREETED: Final = 3.0
#: Pieces in a call of the webhook.
CALLED: Final = 100
#: Messages that are kept, and how often (in ticks) the rest is dropped.
KEPT, DROPPED_EVERY = 400, 60


@dataclass
class Calendar:
    """The time of one story. It passes once somebody looks, and while nobody pauses it."""

    slack: SlackDouble
    story: Story
    clock: StoryClock
    app: App
    #: Where Stannp's webhook leads.
    webhook: str
    day_seconds: float
    paused: bool = False
    #: Whether anybody has looked at it: until then it waits, or its first weeks would pass unseen.
    seen: bool = False
    #: Whether Stannp calls.
    calls: bool = True
    looked_on: date | None = None
    #: The request for approval that is waited for, and since when.
    asked: tuple[str, float] = ("", 0.0)
    #: When somebody last pressed something (`time.monotonic()`).
    touched: float = float("-inf")
    #: When a window last showed its welcome: who reads it has missed nothing.
    greeted: float = float("-inf")
    ticks: int = 0
    passing: asyncio.Lock = field(default_factory=asyncio.Lock)
    #: Once somebody asked for it; ended with the story.
    second: Second | None = None
    ending: AsyncExitStack = field(default_factory=AsyncExitStack)

    def touch(self) -> None:
        """Somebody has just pressed something."""
        self.touched = time.monotonic()

    def is_waiting(self) -> bool:
        """Whether the story waits: for an approval, for who reads the welcome, or a moment for who does something."""
        return self.is_deciding() or self.is_greeting() or time.monotonic() - self.touched < DOING

    def is_greeting(self) -> bool:
        """Whether a window shows its welcome."""
        return time.monotonic() - self.greeted < GREETED

    async def turn(self) -> None:
        """For ever."""
        last = time.monotonic()
        while True:
            await asyncio.sleep(TICK)
            self.ticks += 1
            if self.ticks % DROPPED_EVERY == 0:
                self._drop()
            now = time.monotonic()
            if self.seen and not self.paused and not self.is_waiting():
                # By the time that really passed: a slow machine has as many days as a fast one, in longer steps.
                days = (now - last) / max(self.day_seconds, FASTEST)
                await self.pass_time(timedelta(days=min(days, LONGEST_STEP)))
            last = now

    def _drop(self) -> None:
        """What nobody will look at again."""
        self.slack.forget(KEPT)
        self.story.platform.requests.clear()
        if self.second:
            self.second.slack.forget(KEPT)

    def is_deciding(self) -> bool:
        """Whether the story waits for an approval."""
        open_ones = [one.ts for one in self.slack.messages[-50:] if one.user == BOT_USER and _asks(one)]
        if not open_ones:
            return False
        if self.asked[0] != open_ones[-1]:
            self.asked = open_ones[-1], time.monotonic()
        return time.monotonic() - self.asked[1] < DECIDING

    async def meet_second(self) -> Second:
        """The second workspace. The story waits: what is begun in a browser lapses in minutes, and is over at once."""
        self.paused = True
        if self.second is None:
            self.second = await open_second(self.ending, self.clock)
        return self.second

    async def pass_time(self, span: timedelta) -> None:
        """So much of the story passes at once, but for the hours at which channels read their digest: what is said at
        9 AM is not said at noon."""
        # Whoever else lets days pass waits: else they jump over a stop of this one.
        async with self.passing:
            while span > NOTHING:
                now = self.clock.now()
                stop = min(span, await self._next_stop(now) - now)
                step = min(stop, next_hour(now, EVENING) - now)
                await self._wait_for_the_bot()
                self.clock.jump(step)
                await self.tell(self.story.go_on(self.clock.now()))
                span -= step
                if step == stop:
                    await self._look()

    async def _next_stop(self, now: datetime) -> datetime:
        """When some channel reads its digest or its weekly report next, or hears again after a mute."""
        memory, key = self.app.services.memory, self.app.workspace.id
        stops = [next_hour(now, DIGEST)]
        for one in await memory.read(channel_settings.listeners, key, now):
            chosen = one.settings.digest_hour
            hour = digests.WEEKLY_HOUR if chosen is None else chosen
            stops.append(next_hour(now, hour, zone=zone_of(one.settings)))
            muted = await memory.read(channel_settings.muted_until, key, one.channel)
            stops += [muted] if muted and muted > now else []
        return min(stops)

    async def _wait_for_the_bot(self) -> None:
        begun = time.monotonic()
        while any(
            time.monotonic() - begun < WAITED_FOR.get(task.get_name(), 0.0 if _is_tick(task) else PATIENCE)
            for task in (*self.app.in_flight.tasks, *(self.second.app.in_flight.tasks if self.second else ()))
        ):
            await asyncio.sleep(TICK / 10)

    async def _wait_for_the_ledger(self) -> None:
        """What Stannp told is merged a moment after it was taken: a morning's numbers are those of that morning."""
        begun, services = time.monotonic(), self.app.services
        while await services.memory.on_reader(services.inflow.inbox.waiting):
            if time.monotonic() - begun > PATIENCE:
                return
            await asyncio.sleep(TICK / 10)

    async def tell(self, moved: list[Mailpiece]) -> None:
        """Stannp calls its webhook about pieces that moved."""
        moved = list({piece.id: piece for piece in moved}.values())
        if not moved:
            return
        self.slack.changed()
        if not self.calls:
            return
        for first in range(0, len(moved), CALLED):
            raw = self.story.platform.delivery(moved[first : first + CALLED])
            # Who is not heard calls again: the polls bring the same.
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                await self.story.platform.call_webhook(self.webhook, raw)

    async def _look(self) -> None:
        """What the bot looks at by its own timetable in minutes would come too late here."""
        local = self.clock.now().astimezone(ZONE)
        services, workspace = self.app.services, self.app.workspace.id
        try:
            await self._wait_for_the_ledger()
            # By counts of days ago, what arrived since would seem to be late.
            await counting.survey(services, workspace)
            await self._tell_digests()
            if local.hour >= DIGEST:
                self.looked_on = local.date()
            if not self.calls:
                await problems.watch(services, workspace)
        except Trouble as trouble:
            log.info("sandbox.not_looked", reason=type(trouble).__name__)

    async def _tell_digests(self) -> None:
        """Who was told already is told nothing. A channel into which news is just being written has its digest as soon
        as that is done: days pass before the bot looks at its clock again."""
        begun, services, key = time.monotonic(), self.app.services, self.app.workspace.id
        while True:
            await digests.watch(services, key)
            now = self.clock.now()
            owed = [
                one
                for one in await services.memory.read(channel_settings.listeners, key, now)
                if digests.owes(one, now)
            ]
            if not owed or time.monotonic() - begun > PATIENCE:
                return
            await asyncio.sleep(TICK)


def _is_tick(task: asyncio.Task[None]) -> bool:
    return task.get_name().startswith("tick:")


def _asks(message: Posted) -> bool:
    return any(
        element.get("action_id") == Action.APPROVE for block in message.blocks for element in block.get("elements", [])
    )
