"""Group commit: webhook calls that arrive together share one transaction, and each is answered after it.

There is no timer. What arrives while a transaction is under way rides in the next one, so a slow disk makes the
groups larger and not the queue longer. A call that cannot be kept fails alone.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from handlers.memory import Memory
from handlers.ports import Clock, Overloaded, PayloadRefused
from storage import mailings
from storage.records import Batch, WorkspaceId

log = structlog.get_logger()

#: Objects in one transaction: so many take some 30 ms.
GROUP: Final = 1000
#: Calls that may wait at once. With more, a new one waits for room first.
WAITING: Final = 5000
#: What a bad value raises, in the database or on the way to it.
POISON: Final = (SQLAlchemyError, ValueError, TypeError, ArithmeticError)


@dataclass(eq=False)
class Call:
    """One webhook call that is to be kept."""

    workspace_id: WorkspaceId
    batch: Batch
    kept: asyncio.Future[None]

    @property
    def weight(self) -> int:
        return len(self.batch.campaigns) + len(self.batch.pieces) + len(self.batch.changes)


@dataclass
class Intake:
    """Where calls wait for the transaction that they share. `patience` is how long one may wait to be begun."""

    memory: Memory
    clock: Clock
    patience: float = 8.0
    waiting: deque[Call] = field(default_factory=deque)
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WAITING))
    worker: asyncio.Task[None] | None = None

    async def keep(self, workspace_id: WorkspaceId, batch: Batch) -> None:
        """Returns when this is committed. Raises what the database raised, or Overloaded when it did not come to it."""
        call = Call(workspace_id, batch, asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(self.patience):
                async with self.room:
                    self.waiting.append(call)
                    if self.worker is None:
                        self.worker = asyncio.create_task(self._work())
                    await asyncio.shield(call.kept)
        except TimeoutError:
            if call in self.waiting:
                self.waiting.remove(call)
                raise Overloaded from None
            # Its transaction is under way: the answer must tell how that ends.
            await call.kept

    async def _work(self) -> None:
        try:
            while self.waiting:
                await self._keep_group(self._next_group())
        finally:
            self.worker = None

    def _next_group(self) -> list[Call]:
        group = [self.waiting.popleft()]
        weight = group[0].weight
        while self.waiting and weight + self.waiting[0].weight <= GROUP:
            weight += self.waiting[0].weight
            group.append(self.waiting.popleft())
        return group

    async def _keep_group(self, group: list[Call]) -> None:
        try:
            await self._keep_together(group)
        finally:
            for call in group:
                # Only when we are being stopped: nobody may wait for ever.
                call.kept.cancel()

    async def _keep_together(self, group: list[Call]) -> None:
        try:
            await self.memory.write(_apply_all, group, self.clock.now())
        except (OperationalError, InterfaceError) as outage:
            # The database itself is in trouble: none can be kept, and trying each would only take longer.
            log.warning("intake.outage", calls=len(group), reason=type(outage.orig).__name__)
            for call in group:
                _fail(call, outage)
        except POISON as poison:
            log.warning("intake.poisoned", calls=len(group), reason=type(poison).__name__)
            for call in group:
                await (self._keep_together([call]) if len(group) > 1 else self._keep_what_can_be(call))
        else:
            log.debug("intake.kept", calls=len(group))
            for call in group:
                if not call.kept.done():
                    call.kept.set_result(None)

    async def _keep_what_can_be(self, call: Call) -> None:
        """Something in this call is refused by the database: the rest of it is kept, piece by piece."""
        refused = 0
        for part in mailings.portions(call.batch, 1):
            try:
                await self.memory.write(mailings.apply, call.workspace_id, part, self.clock.now())
            except (OperationalError, InterfaceError) as outage:
                _fail(call, outage)
                return
            except POISON:
                refused += 1
        log.warning("intake.refused", objects=refused, of=call.weight)
        if refused == call.weight:
            _fail(call, PayloadRefused())
        elif not call.kept.done():
            call.kept.set_result(None)


def _fail(call: Call, error: Exception) -> None:
    if not call.kept.done():
        call.kept.set_exception(error)
        # Whoever asked may have gone; then nobody is to be told.
        call.kept.exception()


def _apply_all(connection: Connection, group: Sequence[Call], now: datetime) -> None:
    batches: dict[WorkspaceId, list[Batch]] = {}
    for call in group:
        batches.setdefault(call.workspace_id, []).append(call.batch)
    for workspace_id, parts in sorted(batches.items()):
        mailings.apply(connection, workspace_id, mailings.merged(parts), now)
