"""The timetable. APScheduler is only the clock: a tick runs where it wins its row, and is tracked until it ends."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.listeners import InFlight
from handlers import cards, delivery, digests, jobs, surveys
from handlers.ports import Trouble
from handlers.services import Services
from storage import leases
from storage.records import Workspace

log = structlog.get_logger()

TIDY_EVERY: Final = timedelta(seconds=10)
#: The log of SQLite is cleared so often; with more in it, readers slow down.
CHECKPOINT_EVERY: Final = timedelta(seconds=1)
RECOUNT_EVERY: Final = timedelta(days=1)
SURVEY_EVERY: Final = timedelta(minutes=10)
SILENCE_EVERY: Final = timedelta(minutes=5)
WATCH_EVERY: Final = timedelta(minutes=1)
SETTLE_EVERY: Final = timedelta(minutes=1)
#: Coalesced and never dropped: APScheduler's own default forgets a tick that is a second late.
DEFAULTS: Final = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}


@dataclass(frozen=True)
class Timetable:
    """When which job runs. `owner` names this process in the rows that it wins."""

    services: Services
    workspace: Workspace
    in_flight: InFlight
    owner: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    courier: delivery.Courier = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "courier", delivery.Courier(self.services))

    def build(self) -> AsyncIOScheduler:
        """The scheduler, not started yet."""
        scheduler = AsyncIOScheduler(job_defaults=DEFAULTS, timezone="UTC")
        every = self.services.policy.poll_every
        workspace_id = self.workspace.id
        self._add(scheduler, "poll", every, partial(jobs.poll, self.services, workspace_id), at_once=True)
        self._add(scheduler, "tidy", TIDY_EVERY, partial(jobs.tidy, self.services))
        self._add(scheduler, "settle", SETTLE_EVERY, partial(jobs.settle_cancellations, self.services, workspace_id))
        self._add(scheduler, "survey", SURVEY_EVERY, partial(surveys.survey, self.services, workspace_id))
        self._add(scheduler, "cards", self._card_pace(), partial(cards.refresh, self.services, workspace_id))
        self._add(scheduler, "watch", WATCH_EVERY, partial(digests.watch, self.services, workspace_id))
        listen = partial(jobs.listen_for_silence, self.services, workspace_id)
        self._add(scheduler, "silence", SILENCE_EVERY, listen)
        self._add(scheduler, "recount", RECOUNT_EVERY, partial(jobs.recount, self.services, workspace_id))
        if self.services.memory.database.is_file:
            self._add(scheduler, "checkpoint", CHECKPOINT_EVERY, self.services.memory.checkpoint, leased=False)
        # Each channel is leased by itself, so every process may deliver at every tick.
        self._add(scheduler, "deliver", self.services.policy.pace, self._deliver, leased=False)
        return scheduler

    def _card_pace(self) -> timedelta:
        return max(self.services.policy.card_pace, timedelta(seconds=1))

    def _add(
        self,
        scheduler: AsyncIOScheduler,
        name: str,
        every: timedelta,
        work: Callable[[], Awaitable[None]],
        *,
        at_once: bool = False,
        leased: bool = True,
    ) -> None:
        first = {"next_run_time": self.services.clock.now()} if at_once else {}
        tick = partial(self._tick, name, every if leased else None, work)
        scheduler.add_job(tick, "interval", seconds=every.total_seconds(), id=name, **first)

    async def _tick(self, name: str, every: timedelta | None, work: Callable[[], Awaitable[None]]) -> None:
        # The scheduler cancels what it runs when it stops; a task of ours is waited for instead.
        if not self.in_flight.is_running(f"tick:{name}"):
            self.in_flight.start(self._run(name, every, work), name=f"tick:{name}")

    async def _run(self, name: str, every: timedelta | None, work: Callable[[], Awaitable[None]]) -> None:
        """The boundary round every tick."""
        try:
            if every is None or await self._wins(name, every):
                await work()
        except Trouble as trouble:
            log.warning("tick.troubled", tick=name, reason=type(trouble).__name__, code=trouble.code, text=str(trouble))
        except Exception:
            log.exception("tick.broke", tick=name, reference=uuid.uuid4().hex[:8])

    async def _wins(self, name: str, every: timedelta) -> bool:
        # A little less than the interval, or a tick that is a millisecond early would lose its turn.
        key = f"{name}:{self.workspace.id}"
        now = self.services.clock.now()
        return await self.services.memory.write(leases.win, key, self.owner, now, every * 0.9)

    async def _deliver(self) -> None:
        await self.courier.serve()
