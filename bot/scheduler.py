"""The timetable. APScheduler is only the clock: a tick runs where it wins its row, and is tracked until it ends."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bot.front.dispatcher import InFlight
from bot.lanes import Lanes, TookTooLong
from handlers import upkeep, work
from handlers.alerts import cards, delivery, digests
from handlers.context.services import Services, Tenants
from handlers.errors import Trouble
from handlers.ingest import counting
from handlers.ingest.merging import Merger
from handlers.setup import problems
from handlers.setup.leaving import Leaving
from storage import intents, leases, workspaces
from storage import secrets as sealed_secrets
from storage.database import database_time
from storage.failures import is_outage, reason_of
from storage.records import WorkspaceId

log = structlog.get_logger()

TIDY_EVERY: Final = timedelta(seconds=10)
#: The log of SQLite is cleared so often; with more in it, readers slow down.
CHECKPOINT_EVERY: Final = timedelta(seconds=1)
RECOUNT_EVERY: Final = timedelta(days=1)
SURVEY_EVERY: Final = timedelta(minutes=10)
SILENCE_EVERY: Final = timedelta(minutes=5)
WATCH_EVERY: Final = timedelta(minutes=1)
#: What a dead process left is looked for so often; what was just asked for does not wait for it.
INTENTS_EVERY: Final = timedelta(seconds=2)
INTENTS_AT_ONCE: Final = 8
#: What is open of a workspace that cannot be served is looked at again after this time.
UNSERVED: Final = timedelta(minutes=1)
#: What merges webhook calls begins anew so long after a trouble, and looks so often for what other processes took in;
#: alone with its file it need not look (all in seconds).
MERGE_AGAIN: Final = 0.5
LOOK_FOR_CALLS, ALONE = 0.05, 5.0
#: What waits is counted so often, and not before so many times what that takes.
COUNT_EVERY: Final = timedelta(seconds=1)
COUNTING_REST: Final = 20
SETTLE_EVERY: Final = timedelta(minutes=1)
ERASE_EVERY: Final = timedelta(hours=6)
THIN_EVERY: Final = timedelta(days=1)
RENEW_EVERY: Final = 10
LEAVING_EVERY: Final = timedelta(minutes=1)
PURGE_EVERY: Final = timedelta(minutes=10)
#: The inbox's pages are given back as often as that; what another held then is tried again so soon.
VACUUM_AGAIN: Final = timedelta(minutes=1)
#: How often is looked, with many workspaces, whose turn has come.
LOOK_EVERY: Final = timedelta(seconds=30)
#: Workspaces taken in one transaction; no more are taken while so many wait for a place.
TAKEN: Final = 50
#: A reading of a mail account may be stopped anywhere, and is after this time.
READING: Final = timedelta(hours=1)
#: A turn whose work is under way is held so long, and again and again (see `_kept`): who dies loses it after this.
HELD: Final = timedelta(minutes=1)
#: What is held: the name of the turn, and the token under which it was won.
Turns = dict[str, int]
Job = Callable[[Services, WorkspaceId], Awaitable[None]]
#: A job in its place: for this workspace, if the turn is still ours by then.
Work = Callable[[WorkspaceId, Callable[[], bool]], Awaitable[None]]
#: How often (in seconds) is looked whether a clock that was set back puts everything off, and by how much it must.
MINDED_EVERY: Final = 5.0
PUT_OFF: Final = timedelta(seconds=5)
#: Seconds between two looks whether fewer wait for a place.
CROWDED: Final = 0.2
#: Coalesced and never dropped: APScheduler's own default forgets a tick that is a second late.
DEFAULTS: Final = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}


@dataclass(frozen=True)
class Timetable:
    """When which job runs. `owner` names this process in the rows that it wins."""

    services: Services
    tenants: Tenants
    in_flight: InFlight
    leaving: Leaving
    merger: Merger
    #: With many workspaces some turn comes at any moment, and a new one should not wait for a whole interval.
    many: bool = False
    owner: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    sender: delivery.OutboxSender = field(init=False)
    lanes: defaultdict[str, Lanes] = field(default_factory=lambda: defaultdict(Lanes))
    #: The jobs that are just taking turns.
    taking: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sender", delivery.OutboxSender(self.services, self.tenants))

    def build(self, *, works: bool = True) -> AsyncIOScheduler:
        """The scheduler, not started yet. `works`: with all jobs; else only what each process does for itself."""
        scheduler = AsyncIOScheduler(job_defaults=DEFAULTS, timezone="UTC")
        if self.services.memory.database.is_file:
            self._add(scheduler, "checkpoint", CHECKPOINT_EVERY, self.services.memory.checkpoint)
        self._add(scheduler, "inbox", COUNT_EVERY, self._count_inbox)
        if not works:
            return scheduler
        every = self.services.policy.poll_every
        self._add_for_each(scheduler, "poll", every, problems.poll, at_once=True, connected=True, limit=READING)
        self._add_for_each(scheduler, "settle", SETTLE_EVERY, upkeep.settle_cancellations)
        self._add_for_each(scheduler, "survey", SURVEY_EVERY, counting.survey)
        self._add_for_each(scheduler, "cards", self._card_pace(), cards.refresh)
        self._add_for_each(scheduler, "watch", WATCH_EVERY, digests.watch)
        self._add_for_each(scheduler, "silence", SILENCE_EVERY, problems.watch)
        self._add_for_each(scheduler, "recount", RECOUNT_EVERY, upkeep.recount)
        self._add_for_each(scheduler, "erase", ERASE_EVERY, upkeep.erase)
        self._add_for_each(scheduler, "thin", THIN_EVERY, upkeep.thin)
        # What every worker may do at every tick: it leases what it works on, or wins its row first.
        self._add(scheduler, "tidy", TIDY_EVERY, self._once("tidy", TIDY_EVERY, partial(upkeep.tidy, self.services)))
        if self.many:
            # At once after a start: a renewal that a crash interrupted is taken up while Slack still allows it.
            renewals = partial(self._tick, "renewals", self._renew)
            scheduler.add_job(renewals, "interval", seconds=RENEW_EVERY, id="renewals", next_run_time=_soon())
        look_again = self._once("leaving", LEAVING_EVERY, self.leaving.look_again)
        self._add(scheduler, "leaving", LEAVING_EVERY, look_again)
        purge = partial(upkeep.purge, self.services)
        self._add(scheduler, "purge", PURGE_EVERY, self._once("purge", PURGE_EVERY, purge))
        if not self.services.memory.database.is_file:
            # On SQLite the checkpoint does it.
            vacuum = self._once("vacuum", PURGE_EVERY, self.services.memory.clear_log)
            self._add(scheduler, "vacuum", VACUUM_AGAIN, vacuum)
        self._add(scheduler, "intents", INTENTS_EVERY, self._resume)
        self._add(scheduler, "deliver", self.services.policy.pace, self._deliver)
        return scheduler

    async def mind(self, scheduler: AsyncIOScheduler) -> None:
        """Brings forward what a clock that was set back has put off: else all of it waits until it is so late again."""
        while True:
            await asyncio.sleep(MINDED_EVERY)
            now = _soon()
            for job in scheduler.get_jobs():
                if job.next_run_time is not None and job.next_run_time > now + job.trigger.interval + PUT_OFF:
                    log.warning("tick.brought_forward", tick=job.id)
                    job.modify(next_run_time=now)

    def _card_pace(self) -> timedelta:
        return max(self.services.policy.card_pace, timedelta(seconds=1))

    def _add(
        self, scheduler: AsyncIOScheduler, name: str, every: timedelta, work: Callable[[], Awaitable[None]]
    ) -> None:
        scheduler.add_job(partial(self._tick, name, work), "interval", seconds=every.total_seconds(), id=name)

    def _add_for_each(
        self,
        scheduler: AsyncIOScheduler,
        name: str,
        every: timedelta,
        work: Job,
        *,
        at_once: bool = False,
        connected: bool = False,
        limit: timedelta | None = None,
    ) -> None:
        """A job that is done for each workspace in its own turn. Looked for more often than it is due.

        `limit`: how long it may take for one, where it may be stopped anywhere.
        """
        first = {"next_run_time": _soon()} if at_once else {}
        seconds = limit.total_seconds() if limit else None
        each = partial(self._for_each, name, every, partial(self._in_place, name, work, seconds), connected=connected)
        tick = partial(self._tick, name, each, beside=True)
        pause = (min(every, LOOK_EVERY) if self.many else every).total_seconds()
        scheduler.add_job(tick, "interval", seconds=pause, id=name, **first)

    async def _tick(self, name: str, work: Callable[[], Awaitable[None]], *, beside: bool = False) -> None:
        # The scheduler cancels what it runs when it stops; a task of ours is waited for instead.
        if beside or not self.in_flight.is_running(f"tick:{name}"):
            self.in_flight.start(self._guarded(name, work), name=f"tick:{name}")

    async def _guarded(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """The boundary round every tick, and round each workspace's part of it."""
        try:
            await work()
        except Trouble as trouble:
            log.warning("tick.troubled", tick=name, reason=type(trouble).__name__, code=trouble.code, text=str(trouble))
        except Exception as error:
            if is_outage(error):
                log.error("tick.no_database", tick=name, reason=reason_of(error))  # noqa: TRY400 - said by every tick
                return
            log.exception("tick.broke", tick=name, reference=uuid.uuid4().hex[:8])

    async def _for_each(self, name: str, every: timedelta, work: Work, *, connected: bool) -> None:
        """Takes the workspaces whose turn has come, until none is left. The next tick goes on beside the slow ones."""
        if name in self.taking:
            return
        self.taking.add(name)
        batches: list[asyncio.Task[None]] = []
        try:
            taken = await self._take(name, every, connected=connected)
            while taken:
                batches.append(asyncio.create_task(self._work_off(name, every, work, taken)))
                more = len(taken) == TAKEN
                while more and self.lanes[name].waiting >= TAKEN // 2:
                    await self.services.clock.sleep(CROWDED)
                taken = await self._take(name, every, connected=connected) if more else {}
        except asyncio.CancelledError:
            for batch in batches:
                batch.cancel()
            raise
        finally:
            self.taking.discard(name)
            await asyncio.gather(*batches)

    async def _work_off(self, name: str, every: timedelta, work: Work, taken: dict[WorkspaceId, int]) -> None:
        turns = {f"{name}:{workspace_id}": token for workspace_id, token in taken.items()}

        async def one(workspace_id: WorkspaceId) -> None:
            structlog.contextvars.bind_contextvars(workspace=workspace_id)
            key = f"{name}:{workspace_id}"
            await self._guarded(name, partial(work, workspace_id, lambda: key in turns))
            turns.pop(key, None)

        async with self._kept(turns, every):
            await asyncio.gather(*(asyncio.create_task(one(workspace_id)) for workspace_id in taken))

    async def _in_place(
        self, name: str, work: Job, seconds: float | None, workspace_id: WorkspaceId, is_ours: Callable[[], bool]
    ) -> None:
        try:
            async with self.lanes[name].place(f"{workspace_id}", seconds):
                # Another process may have taken the turn while this one waited for its place.
                if is_ours():
                    await work(await self.tenants.of(workspace_id), workspace_id)
        except TookTooLong:
            log.warning("turn.stopped", tick=name, limit=seconds)

    async def _take(self, name: str, every: timedelta, *, connected: bool) -> dict[WorkspaceId, int]:
        # A little less than the interval, or a tick that is a millisecond early would lose its turn.
        pause = every * 0.9
        found = await self.services.memory.read(_due, name, pause, connected)
        if not found:
            return {}
        return await self.services.memory.write(_win, name, self.owner, pause, found)

    def _once(
        self, name: str, every: timedelta, work: Callable[[], Awaitable[bool | None]]
    ) -> Callable[[], Awaitable[None]]:
        """The work, done by whichever process is first in this time. False from it: it could not be done now, and is
        anybody's at the next tick."""

        async def run() -> None:
            token = await self.services.memory.write(leases.win, name, self.owner, every * 0.9)
            if token is not None:
                async with self._kept({name: token}, every):
                    is_done = await work()
                if is_done is False:
                    await self.services.memory.write(leases.release, name, token)

        return run

    @asynccontextmanager
    async def _kept(self, turns: Turns, every: timedelta) -> AsyncIterator[None]:
        """Holds these turns while their work is under way, however long it takes; what is lost leaves `turns`."""
        lease = min(every * 0.9, HELD)

        async def beat() -> None:
            while turns:
                await asyncio.sleep(lease.total_seconds() / 3)
                try:
                    lost = await self.services.memory.write(_extend, dict(turns), lease)
                except DBAPIError as outage:
                    log.warning("turns.not_extended", turns=len(turns), reason=type(outage.orig).__name__)
                    continue
                for key in lost:
                    log.warning("turn.lost", turn=key)
                    turns.pop(key, None)

        beating = asyncio.create_task(beat())
        try:
            yield
        finally:
            beating.cancel()

    async def _renew(self) -> None:
        """Takes up renewals of Slack's tokens whose end is not known."""
        for workspace_id in await self.services.memory.read(sealed_secrets.renewals):
            await self.tenants.of(workspace_id)

    async def _resume(self) -> None:
        """Goes on with what another process left, or what was to wait; each is a task of its own, and none waits."""
        room = INTENTS_AT_ONCE - sum(task.get_name().startswith("intent:") for task in self.in_flight.tasks)
        if room <= 0 or self.services.stopping.is_set():
            return
        for workspace_id, number in await self.services.memory.read(intents.due, room):
            name = f"intent:{number}"
            if not self.in_flight.is_running(name):
                work = partial(self._resume_one, workspace_id, number)
                self.in_flight.start(self._guarded("intents", work), name=name)

    async def _resume_one(self, workspace_id: WorkspaceId, number: int) -> None:
        try:
            services = await self.tenants.of(workspace_id)
        except Trouble:
            # Else it would be the first in the row again and again, and keep other workspaces waiting.
            await self.services.memory.write(intents.put_off, workspace_id, number, UNSERVED)
            raise
        await work.resume(services, workspace_id, number)

    async def merge(self) -> None:
        """Merges webhook calls as they arrive, until the process is to end; after a trouble it begins anew."""
        pause = ALONE if self.services.memory.database.is_file else LOOK_FOR_CALLS
        while not self.services.stopping.is_set():
            await self._guarded("merge", partial(self.merger.run, self.services, pause))
            await self.services.clock.sleep(MERGE_AGAIN)

    async def _count_inbox(self) -> None:
        """How much room there is for webhook calls; rarely, where counting takes long."""
        clock, inflow = self.services.clock, self.services.inflow
        began = clock.elapsed()
        inflow.count(await self.services.memory.on_reader(inflow.inbox.waiting))
        await clock.sleep(COUNTING_REST * (clock.elapsed() - began))

    async def _deliver(self) -> None:
        await self.sender.serve()


def _soon() -> datetime:
    """At once, by the time that APScheduler goes by: the machine's, whichever clock the decisions go by. UTC."""
    return datetime.now(UTC)


def _due(connection: Connection, name: str, pause: timedelta, connected: bool) -> list[WorkspaceId]:
    now = database_time(connection)
    return workspaces.due(connection, name, now, now + 2 * pause, TAKEN, connected=connected)


def _win(
    connection: Connection, name: str, owner: str, every: timedelta, found: list[WorkspaceId]
) -> dict[WorkspaceId, int]:
    won = {one: leases.win(connection, f"{name}:{one}", owner, every) for one in found}
    return {one: token for one, token in won.items() if token is not None}


def _extend(connection: Connection, turns: Turns, lease: timedelta) -> list[str]:
    """Those that another process has taken meanwhile."""
    return [key for key, token in sorted(turns.items()) if not leases.extend(connection, key, token, lease)]
