"""Webhook calls that were taken become rows: read, merged by workspace in one transaction, and dropped from the inbox.

A call that cannot be read, of which the database refuses something, or over which we fail ourselves, is set aside with
its reason, and holds up no other. While the database is in trouble all waits, and nothing is lost.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from handlers.context.inbox import Inflow, Reading
from handlers.context.memory import Memory
from handlers.context.ports import Delivery
from handlers.context.services import Services
from handlers.errors import PayloadRefused
from storage import aside, workspaces
from storage.aside import FAULTS, POISON, Refused, own_faults
from storage.failures import is_outage, reason_of
from storage.inbox import MOST, Taken, Turn
from storage.ledger import apply as ledger
from storage.records import Batch, WorkspaceId

log = structlog.get_logger()

#: That the platform called is written down so often at most.
NOTED_EVERY: Final = timedelta(minutes=1)
#: What a fault of ours may raise on the way through a body: it is set aside like one that is none.
UNREADABLE: Final = (*POISON, *FAULTS, PayloadRefused)
#: A call that fails alone, while it seems to be the database's fault, is left lying for so long (in seconds).
REST: Final = 10.0


@dataclass(frozen=True)
class Read:
    """A call and what it says; None with the reason where that cannot be read."""

    taken: Taken
    delivery: Delivery | None
    reason: str = ""

    @property
    def weight(self) -> int:
        """How many objects it tells of."""
        batch = self.delivery.batch if self.delivery else Batch()
        return len(batch.campaigns) + len(batch.pieces) + len(batch.changes)


def read_call(readings: Mapping[str, Reading], taken: Taken) -> Read:
    """What a call says. Never raises: whatever is wrong with it is a reason."""
    call = taken.call
    try:
        return Read(taken, readings[call.platform](call.body, call.heard_at))
    except UNREADABLE as error:
        return Read(taken, None, type(error).__name__)


@dataclass
class Merger:
    """Merges what waits in the inbox. One turn at a time in this process; other processes may do the same."""

    memory: Memory
    inflow: Inflow
    turn: Turn = field(default_factory=Turn)
    #: When it was last noted that a workspace's platform called, by the clock of `heard_at`.
    noted: dict[WorkspaceId, datetime] = field(default_factory=dict)
    #: Until when a call is left lying, by its number.
    resting: dict[int, float] = field(default_factory=dict)
    working: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, services: Services, pause: float) -> None:
        """Merges whatever arrives, until the process is to end. Looks every so many seconds for what others took in.

        Raises what the database raises when it is in trouble.
        """
        while not services.stopping.is_set():
            self.inflow.arrived.clear()
            if not await self.merge_some():
                await self._await_more(pause)

    async def _await_more(self, pause: float) -> None:
        try:
            async with asyncio.timeout(pause):
                await self.inflow.arrived.wait()
        except TimeoutError:
            return

    async def drain(self) -> None:
        """Merges all that waits. Raises what the database raises when it is in trouble."""
        while await self.merge_some():
            pass

    async def merge_some(self) -> int:
        """Merges the calls whose turn it is; gives how many. Raises what the database raises when it is in trouble."""
        async with self.working:
            self._wake()
            read: list[Read] = []
            now, elapsed = self.inflow.clock.now(), self.inflow.clock.elapsed()

            def work(connection: Connection, taken: Sequence[Taken]) -> None:
                read[:] = [read_call(self.inflow.readings, one) for one in taken]
                with own_faults():
                    merge(connection, read, self._silent(read, now), now)

            try:
                number = await self.memory.merge(self.inflow.inbox, self.turn, work)
            except POISON as error:
                await self._after(error, read, now, elapsed)
                return len(read)
            self._note(read, now)
            return number

    def _wake(self) -> None:
        elapsed = self.inflow.clock.elapsed()
        self.resting = {number: until for number, until in self.resting.items() if until > elapsed}
        self.turn.without = set(self.resting)

    async def _after(self, error: Exception, read: Sequence[Read], now: datetime, elapsed: float) -> None:
        if not read or (is_outage(error) and len(read) > 1):
            # Perhaps it is one of them, which then fails alone.
            self.turn.most = max(self.turn.most // 8, 1)
            raise error
        if is_outage(error):
            # Where it is the database after all, this one is tried again a little later than the others.
            self.resting[read[0].taken.number] = elapsed + REST
            log.warning("inbox.left_lying", workspace=read[0].taken.call.workspace_id, reason=reason_of(error))
            raise error
        log.warning("inbox.poisoned", calls=len(read), reason=reason_of(error))
        for one in read:
            await self._merge_alone(one, now)
        # What was noted with the batch was undone with it.
        await self.memory.write(_note_called, self._silent(read, now))
        self._note(read, now)

    async def _merge_alone(self, one: Read, now: datetime) -> None:
        """Merges what the database takes of it, keeps the rest aside, and drops the call."""
        call = one.taken.call
        if one.delivery is not None and await self.memory.read(workspaces.is_known, call.workspace_id):
            await self.memory.sift(call.workspace_id, one.delivery.batch, now, heard_at=call.heard_at)
        elif one.delivery is None:
            await self.memory.write(aside.keep, call.workspace_id, [_refused(one)], now)
        await self.memory.on_writer(self.inflow.inbox.drop, [one.taken])

    def _silent(self, read: Sequence[Read], now: datetime) -> dict[WorkspaceId, datetime]:
        """When those called last of whom it was not noted within a minute that they did."""
        called: dict[WorkspaceId, datetime] = {}
        for one in read:
            whose, at = one.taken.call.workspace_id, one.taken.call.heard_at
            if whose not in self.noted or abs(now - self.noted[whose]) > NOTED_EVERY:
                called[whose] = max(called.get(whose, at), at)
        return called

    def _note(self, read: Sequence[Read], now: datetime) -> None:
        self.turn.most = MOST
        self.noted.update(dict.fromkeys(self._silent(read, now), now))
        for one in read:
            call = one.taken.call
            self.memory.learned += one.weight
            self.inflow.lag((now - call.heard_at).total_seconds())
            if one.delivery is None:
                log.warning("webhook.unreadable", workspace=call.workspace_id, size=len(call.body), reason=one.reason)
            elif one.delivery.ignored:
                event, ignored = one.delivery.event, one.delivery.ignored
                log.warning("webhook.rows_ignored", workspace=call.workspace_id, webhook=event, ignored=ignored)


def merge(connection: Connection, read: Sequence[Read], called: dict[WorkspaceId, datetime], now: datetime) -> None:
    """Merges these calls in the caller's transaction, each workspace's as one batch; sets aside what has no meaning.

    `called`: of whom to note that they called, and when. Calls of a workspace that is no more are let go.
    """
    told: dict[WorkspaceId, list[Read]] = {}
    for one in read:
        told.setdefault(one.taken.call.workspace_id, []).append(one)
    for workspace_id, theirs in sorted(told.items()):
        if not workspaces.is_known(connection, workspace_id):
            continue
        heard = [(one.taken.call.heard_at, one.delivery.batch) for one in theirs if one.delivery is not None]
        if heard:
            ledger.apply_heard(connection, workspace_id, heard, now)
        unread = [_refused(one) for one in theirs if one.delivery is None]
        if unread:
            aside.keep(connection, workspace_id, unread, now)
        if workspace_id in called:
            workspaces.note(connection, workspace_id, webhook_at=called[workspace_id])


def _note_called(connection: Connection, called: Mapping[WorkspaceId, datetime]) -> None:
    for workspace_id, at in sorted(called.items()):
        workspaces.note(connection, workspace_id, webhook_at=at)


def _refused(one: Read) -> Refused:
    """It has no id, so it is known by a part of its digest: sent again, it is the same one."""
    digest = hashlib.sha256(one.taken.call.body).hexdigest()[:12]
    return Refused(f"call {digest}", f"unreadable: {one.reason}")


async def end(merger: Merger, seconds: float) -> None:
    """Merges all that waits, for so many seconds at most, when the process ends. The next one merges what is left."""
    try:
        async with asyncio.timeout(seconds):
            await merger.drain()
    except (SQLAlchemyError, TimeoutError) as error:
        log.warning("inbox.not_drained", reason=reason_of(error), do="It is merged at the next start.")
