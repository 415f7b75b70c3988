"""The database, off the event loop: one hop to a thread per unit of work, and none is long."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast

import structlog
from sqlalchemy import Connection

from handlers.context.grouped_commits import Group, Queued, settled
from handlers.context.ports import Known
from storage import aside
from storage.aside import POISON, Sieve, own_faults
from storage.database import Database
from storage.failures import is_outage
from storage.inbox import Inbox, Merging, Turn
from storage.ledger import apply as ledger
from storage.ledger.apply import Applied, Heard
from storage.queries.recognized import Print, recognized
from storage.records import Batch, WorkspaceId

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger()

#: Pieces in one transaction: a webhook that arrives meanwhile waits for one portion (some 50 ms), not a whole report.
PORTION: Final = 1000
#: Small works in one transaction.
TOGETHER: Final = 200


@dataclass(eq=False)
class Asked:
    """A small work that waits for its transaction, and then its result."""

    work: Callable[[Connection], Any]
    result: Any = None


@dataclass
class Memory:
    """Runs plain functions over a connection on threads of their own."""

    database: Database
    readers: Executor
    writer: Executor
    group: Group[Asked] = field(init=False)
    #: Objects that were merged into the ledger since the start.
    learned: int = 0

    def __post_init__(self) -> None:
        self.group = Group(self._do_together, TOGETHER)

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work(connection, …)`, on a reading thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.readers, lambda: self.database.read(work, *args, **kwargs))

    async def read_long(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what reads much and nobody waits for."""
        loop, patient = asyncio.get_running_loop(), self.database.patient
        return await loop.run_in_executor(self.readers, lambda: patient.read(work, *args, **kwargs))

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work(connection, …)` in one transaction, on the writing thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.writer, lambda: self.database.write(work, *args, **kwargs))

    async def write_grouped(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The same for something small: what is asked for meanwhile shares its transaction.

        When one of them fails, in whatever way, each is done again by itself.
        """
        asked = Asked(lambda connection: work(connection, *args, **kwargs))
        await self.group.enqueue(asked).done
        return cast("T", asked.result)

    async def _do_together(self, taken: list[Queued[Asked]]) -> None:
        def work(connection: Connection) -> list[Any]:
            return [queued.what.work(connection) for queued in taken]

        results, error = await settled(self.write(work))
        if error is None:
            for queued, result in zip(taken, results or [], strict=True):
                queued.what.result = result
                queued.succeed()
        elif len(taken) == 1 or is_outage(error):
            for queued in taken:
                queued.fail(error)
        else:
            for queued in taken:
                await self._do_together([queued])

    async def on_writer(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a plain call that writes, on the writing thread."""
        return await asyncio.get_running_loop().run_in_executor(self.writer, lambda: work(*args, **kwargs))

    async def on_reader(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a plain call that reads, on a reading thread."""
        return await asyncio.get_running_loop().run_in_executor(self.readers, lambda: work(*args, **kwargs))

    async def merge(self, inbox: Inbox, turn: Turn, work: Merging) -> int:
        """See `storage.inbox.Inbox.merge`; on the writing thread."""
        return await self.on_writer(inbox.merge, turn, work)

    async def checkpoint(self) -> None:
        """See `Database.checkpoint`."""
        await asyncio.get_running_loop().run_in_executor(self.readers, self.database.checkpoint)

    async def clear_log(self) -> bool | None:
        """See `Database.clear_log`."""
        return await self.on_reader(self.database.clear_log)

    def recognizing(self, workspace_id: WorkspaceId, of: Print) -> Known:
        """Tells of a report's pieces which said exactly this when they were last merged."""

        async def known(prints: Mapping[str, int]) -> Collection[str]:
            return await self.read(recognized, workspace_id, of, prints)

        return known

    async def learn(self, workspace_id: WorkspaceId, batch: Batch, now: datetime) -> Applied:
        """Merges a batch of any size into the ledger, in portions. What else is to be written goes in between.

        Stopped half-way, it is partly known; told again, it is known once.
        """
        total = Applied()
        if batch == Batch():
            return total
        for portion in ledger.portions(batch, PORTION):
            total += await self.sift(workspace_id, portion, now)
            self.learned += len(portion.pieces) + len(portion.changes) + len(portion.campaigns)
        return total

    async def learn_heard(self, workspace_id: WorkspaceId, told: Sequence[Heard], now: datetime) -> Applied:
        """Merges what was heard at these moments (aware, UTC) at once; each alone where the database refuses it so.

        It is to be of about a portion's size.
        """
        parts = [(at, batch) for at, batch in told if batch != Batch()]
        if not parts:
            return Applied()
        try:
            total = await self.write(_apply, workspace_id, parts, now)
        except POISON:
            total = Applied()
            for at, part in parts:
                total += await self.sift(workspace_id, part, now, heard_at=at)
        self.learned += sum(len(one.pieces) + len(one.changes) + len(one.campaigns) for _, one in parts)
        return total

    async def sift(
        self, workspace_id: WorkspaceId, batch: Batch, now: datetime, heard_at: datetime | None = None
    ) -> Applied:
        """Merges a batch at once, or, where the database refuses something in it for good or we fail over it, all but
        that.

        What is refused is kept aside with its reason. `heard_at`: when it was heard, if that was before now.
        """
        total, sieve = Applied(), Sieve([batch])
        while sieve.todo:
            part = sieve.todo.pop()
            try:
                total += await self.write(_apply, workspace_id, [(heard_at or now, part)], now)
            except POISON as error:
                sieve.refuse(part, error)
        if sieve.refused:
            log.warning("ledger.refused", number=len(sieve.refused), reason=sieve.refused[-1].reason)
            await self.write(aside.keep, workspace_id, sieve.refused, now)
        return total


def _apply(connection: Connection, workspace_id: WorkspaceId, told: Sequence[Heard], now: datetime) -> Applied:
    with own_faults():
        return ledger.apply_heard(connection, workspace_id, told, now)
