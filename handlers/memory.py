"""The database, off the event loop: one hop to a thread per unit of work, and none is long."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from typing import Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Connection

from storage import mailings
from storage.database import Database
from storage.mailings import Applied
from storage.records import Batch, WorkspaceId

P = ParamSpec("P")
T = TypeVar("T")

#: Pieces in one transaction: a webhook that arrives meanwhile waits for one portion (some 50 ms), not a whole report.
PORTION: Final = 1000


@dataclass(frozen=True)
class Memory:
    """Runs plain functions over a connection on threads of their own."""

    database: Database
    readers: Executor
    writer: Executor

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work(connection, …)`, on a reading thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.readers, lambda: self.database.read(work, *args, **kwargs))

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work(connection, …)` in one transaction, on the writing thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.writer, lambda: self.database.write(work, *args, **kwargs))

    async def learn(self, workspace_id: WorkspaceId, batch: Batch, now: datetime) -> Applied:
        """Merges a batch of any size into the ledger, in portions. What else is to be written goes in between.

        Stopped half-way, it is partly known; told again, it is known once.
        """
        total = Applied()
        for portion in mailings.portions(batch, PORTION):
            total += await self.write(mailings.apply, workspace_id, portion, now)
        return total
