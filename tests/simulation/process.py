"""A process of the bot: the real tenants, dispatcher, jobs and delivery, on the simulation's loop, database and outside."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextvars import Context
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from bot.front.dispatcher import Dispatcher, InFlight
from bot.platforms.kinds import MailAccount, Region
from bot.platforms.registry import USUAL
from bot.platforms.unconnected import Unconnected
from bot.scheduler import Timetable
from bot.tenants import AppCredentials, Many
from handlers.context.inbox import Inflow, Reading
from handlers.context.memory import Memory
from handlers.context.ports import Messenger
from handlers.context.services import Policy, Services
from handlers.ingest.merging import Merger
from handlers.setup.leaving import Leaving
from storage.vault import Vault
from tests.fakes import AtOnce, FakeRenderer
from tests.simulation.loop import Lane, Loop, Thread
from tests.simulation.store import Line, Store

#: How often each job is chosen, beside the others, when a process's clock ticks.
WEIGHTS = {
    "deliver": 10, "merge": 10, "intents": 6, "poll": 4, "watch": 3, "cards": 2, "tidy": 0.5, "settle": 0.5, "survey": 0.5, "silence": 0.5,
    "leaving": 2, "purge": 0.5, "renewals": 0.5, "erase": 0.5, "thin": 0.5, "recount": 0.2,
    "inbox": 0.5, "vacuum": 0.2,
}  # fmt: skip
#: How much sooner a job is chosen that has something to do.
EAGER = 4
#: How often a process looks all the same where no job has anything to do: most of a story's time is such time.
IDLE = 0.15


@dataclass
class ProcessClock:
    """The time of one process: what people set (`skew` off the world's), and what nobody sets."""

    loop: Loop
    start: datetime
    skew: timedelta = timedelta(0)

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.loop.time()) + self.skew

    def elapsed(self) -> float:
        return self.loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass
class Job:
    """One line of the timetable. `last`: when it was begun last."""

    name: str
    every: float
    work: Callable[[], Awaitable[None]]
    last: float = -1e9


@dataclass
class Ticker:
    """Stands for APScheduler: holds what the timetable adds, and is asked what may be begun."""

    jobs: dict[str, Job] = field(default_factory=dict)

    def add_job(self, work: Callable[[], Awaitable[None]], _trigger: str, *, seconds: float, **more: Any) -> None:
        self.jobs[more["id"]] = Job(more["id"], seconds, work)

    async def begun(self, name: str, now: float) -> None:
        """Begins a job, whether or not its time has come."""
        job = self.jobs[name]
        job.last = now
        await job.work()

    def ready(self, now: float) -> list[Job]:
        """What may be begun again: no job comes more often than its interval."""
        return [job for job in self.jobs.values() if now - job.last >= job.every]


@dataclass(eq=False)
class Process:
    """One process of the bot. It is started by `start`, and ends by `kill` alone: nothing here stops gently."""

    name: str
    loop: Loop
    clock: ProcessClock
    lane: Lane
    context: Context
    services: Services
    tenants: Many
    dispatcher: Dispatcher
    leaving: Leaving
    timetable: Timetable
    ticker: Ticker
    dice: Random

    def do(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begins this in the process."""
        return self.loop.create_task(work, context=self.context.copy())

    def looked_at(self) -> float:
        """When it looked at its channels last, by the world's time."""
        return self.ticker.jobs["watch"].last

    async def tick(self, wanted: Collection[str]) -> None:
        """Begins one of the jobs whose time has come: sooner one of those that have something to do."""
        ready = self.ticker.ready(self.loop.time())
        if not ready or not (wanted or self.dice.random() < IDLE):
            return
        weights = [WEIGHTS[job.name] * (EAGER if job.name in wanted else 1) for job in ready]
        job = self.dice.choices(ready, weights)[0]
        job.last = self.loop.time()
        await job.work()

    def __hash__(self) -> int:
        return hash(self.name)


def start(name: str, loop: Loop, dice: Random, began: datetime, parts: "Parts") -> Process:
    """A process as `bot.app` puts it together, on the simulation's ports."""
    lane, context = loop.lane(name)
    return context.run(partial(_put_together, name, loop, dice, began, parts, lane, context))


@dataclass
class Parts:
    """What all processes share: the database, Slack, the mail house, and the keys."""

    store: Store
    weather: Any
    make_slack: Callable[[ProcessClock, str, str], Messenger]
    make_mail: Callable[[ProcessClock, str], MailAccount]
    refresh: Callable[..., Any]
    keys: tuple[str, ...]
    #: What a webhook call says.
    read: Reading


@dataclass
class Token:
    """What stands for Slack's client where only its token counts, and where a new token is asked for."""

    token: str
    parts: Parts

    async def oauth_v2_access(self, **asked: str) -> Any:
        return await self.parts.refresh(asked["refresh_token"])

    async def auth_test(self) -> None:
        return


def _put_together(
    name: str, loop: Loop, dice: Random, began: datetime, parts: Parts, lane: Lane, context: Context
) -> Process:
    clock = ProcessClock(loop, began)
    line = Line(parts.store, parts.weather, lane)
    memory = Memory(line, Thread(), Thread())
    inflow = Inflow(parts.store.inbox(line), Thread(), clock, {USUAL.profile.key: parts.read})
    merger = Merger(memory, inflow)
    nobody: Any = Unconnected(USUAL)
    policy = Policy(public_url="https://mail.example.com", picture_key=b"simulated", sealing_keys=parts.keys, details=1)
    template = Services(
        memory, inflow, FakeRenderer(AtOnce(), []), clock, policy, nobody, nobody
    )  # fmt: skip
    tenants = Many(
        template,
        Vault(parts.keys),
        AppCredentials("client", "secret"),
        {"us": (USUAL, Region("https://mail.invalid/", "USD"))},
        lambda token: Token(token, parts),  # type: ignore[arg-type, return-value]
        lambda _platform, keys: parts.make_mail(clock, keys.key),
        lambda client, team: parts.make_slack(clock, team, client.token or ""),  # type: ignore[arg-type, return-value]
    )
    template = replace(template)
    in_flight = InFlight()
    leaving = Leaving(template, tenants)
    dispatcher = Dispatcher(tenants, memory, clock, in_flight, Vault(parts.keys))
    timetable = Timetable(template, tenants, in_flight, leaving, merger, many=True, owner=name)
    ticker: Any = timetable.build()
    # The bot merges without a pause; here like a job, for else a story of weeks would be made of looks for calls.
    ticker.jobs["merge"] = Job("merge", 1.0, partial(timetable._tick, "merge", merger.drain))
    return Process(
        name, loop, clock, lane, context, template, tenants, dispatcher, leaving, timetable, ticker, dice
    )  # fmt: skip
