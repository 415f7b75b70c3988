"""Webhook calls on their way into memory: those that arrive together share one transaction, and wait for it.

Of a call with an object that the database refuses the others are kept. Workspaces take turns, and each has so many
places: whoever signs their own calls can send any number, and delays nobody else by it.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Connection

from handlers.context.grouped_commits import Group, Queued
from handlers.context.memory import Memory
from handlers.context.ports import Clock
from handlers.errors import Overloaded
from storage import workspaces
from storage.aside import POISON
from storage.failures import is_outage, reason_of
from storage.ledger import apply as ledger
from storage.records import Batch, WorkspaceId

log = structlog.get_logger()

#: Objects in one transaction: so many take some 30 ms.
GROUP: Final = 1000
#: Calls of one workspace that are read and wait at once. With more, a new one waits for room before it is read.
WAITING: Final = 50
#: That the platform called is written down so often at most (in seconds).
NOTED_EVERY: Final = 60.0
Call = tuple[WorkspaceId, Batch]


def _weight(batch: Batch) -> int:
    return len(batch.campaigns) + len(batch.pieces) + len(batch.changes)


@dataclass
class WebhookQueue:
    """Where calls wait for the transaction that they share. `patience`: the seconds until one must have been begun."""

    memory: Memory
    clock: Clock
    patience: float = 8.0
    rooms: defaultdict[WorkspaceId, asyncio.Semaphore] = field(
        default_factory=lambda: defaultdict(lambda: asyncio.Semaphore(WAITING))
    )
    #: When it was last noted that a workspace's platform called, by the clock that nobody sets.
    noted: dict[WorkspaceId, float] = field(default_factory=dict)
    #: Objects that were kept since the start.
    kept: int = 0
    group: Group[Call] = field(init=False)

    def __post_init__(self) -> None:
        self.group = Group(self._keep_together, GROUP)

    @asynccontextmanager
    async def place(self, workspace_id: WorkspaceId) -> AsyncIterator[float]:
        """A place among those of this workspace; gives until when (by the loop) its transaction must have begun.

        Raises Overloaded when none came free.
        """
        until = asyncio.get_running_loop().time() + self.patience
        room = self.rooms[workspace_id]
        try:
            async with asyncio.timeout_at(until):
                await room.acquire()
        except TimeoutError:
            raise Overloaded from None
        try:
            yield until
        finally:
            room.release()

    async def keep(self, workspace_id: WorkspaceId, batch: Batch, until: float) -> None:
        """Returns when this is committed.

        Raises Overloaded when it did not come to it, or what the database raised when that is in trouble.
        """
        queued = self.group.enqueue((workspace_id, batch), _weight(batch), workspace_id)
        try:
            async with asyncio.timeout_at(until):
                await asyncio.shield(queued.done)
        except TimeoutError:
            if self.group.leave(queued):
                raise Overloaded from None
            # Its transaction is under way: the answer must tell how that ends.
            await queued.done

    async def _keep_together(self, taken: list[Queued[Call]]) -> None:
        try:
            now, elapsed = self.clock.now(), self.clock.elapsed()
            calls = [queued.what for queued in taken]
            silent = self._silent({workspace_id for workspace_id, _ in calls}, elapsed)
            await self.memory.write(_apply_all, calls, silent, now)
        except POISON as error:
            if is_outage(error):
                # None can be kept, and trying each would only take longer.
                log.warning("webhook_queue.outage", calls=len(taken), reason=reason_of(error))
                for queued in taken:
                    queued.fail(error)
                return
            log.warning("webhook_queue.poisoned", calls=len(taken), reason=reason_of(error))
            for queued in taken:
                await (self._keep_together([queued]) if len(taken) > 1 else self._keep_what_can_be(queued))
        else:
            self.noted.update(dict.fromkeys(silent, elapsed))
            self.kept += sum(_weight(batch) for _, batch in calls)
            for queued in taken:
                queued.succeed()

    def _silent(self, callers: set[WorkspaceId], elapsed: float) -> list[WorkspaceId]:
        """Those of whom it was not noted within a minute that they called."""
        return sorted(one for one in callers if one not in self.noted or elapsed - self.noted[one] > NOTED_EVERY)

    async def _keep_what_can_be(self, queued: Queued[Call]) -> None:
        """Something in this call is refused by the database: the rest of it is kept, and that kept aside.

        Told again it would be refused again, and failed calls pause the webhook: so the call is taken.
        """
        workspace_id, batch = queued.what
        try:
            await self.memory.sift(workspace_id, batch, self.clock.now())
        except POISON as outage:
            queued.fail(outage)
        else:
            self.kept += _weight(batch)
            queued.succeed()


def _apply_all(connection: Connection, calls: Sequence[Call], silent: Sequence[WorkspaceId], now: datetime) -> None:
    batches: dict[WorkspaceId, list[Batch]] = {}
    for workspace_id, batch in calls:
        batches.setdefault(workspace_id, []).append(batch)
    for workspace_id, parts in sorted(batches.items()):
        ledger.apply(connection, workspace_id, ledger.merged(parts), now)
    for workspace_id in silent:
        workspaces.note(connection, workspace_id, webhook_at=now)
