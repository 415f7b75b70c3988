"""How many workspaces a job works for at once: the quick ones never wait for the slow ones.

Who takes longer than some seconds gives up its place and goes on without; the next time it waits among the slow, which
have places of their own, until it is quick again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

#: Places of one job in this process: for the usual, for those that were slow the last time, and beyond their time.
AT_ONCE: Final = 8
SLOW: Final = 24
OVERTIME: Final = 24
#: A place is held for so many seconds.
PATIENCE: Final = 5.0


class TookTooLong(Exception):
    """A work's place was taken from it."""


@asynccontextmanager
async def _within(seconds: float | None) -> AsyncIterator[asyncio.Timeout]:
    """A limit whose end is told from a time-out of the work's own."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield limit
    except TimeoutError:
        if limit.expired():
            raise TookTooLong from None
        raise


@dataclass
class Lanes:
    """The places of one job."""

    quick: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    slow: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SLOW))
    known_slow: set[str] = field(default_factory=set)
    overtime: set[str] = field(default_factory=set)
    #: How many wait for a place among the quick.
    waiting: int = 0

    @asynccontextmanager
    async def place(self, key: str, seconds: float | None = None) -> AsyncIterator[None]:
        """A place for this one. `seconds`: how long its work may take, when it may be stopped anywhere.

        Raises TookTooLong for what took longer, or was slow when too many were.
        """
        if key in self.known_slow:
            async with self.slow, _within(seconds), self._timed(key):
                yield
            return
        self.waiting += 1
        try:
            await self.quick.acquire()
        finally:
            self.waiting -= 1
        with ExitStack() as held:
            held.callback(self.quick.release)
            async with _within(seconds) as limit, self._timed(key, held, limit if seconds else None):
                yield

    @asynccontextmanager
    async def _timed(
        self, key: str, held: ExitStack | None = None, limit: asyncio.Timeout | None = None
    ) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()

        def too_long() -> None:
            self.known_slow.add(key)
            if held is None:
                return
            if len(self.overtime) >= OVERTIME and limit is not None:
                limit.reschedule(loop.time())
                return
            self.overtime.add(key)
            held.close()

        timer = loop.call_later(PATIENCE, too_long)
        began = loop.time()
        try:
            yield
        finally:
            timer.cancel()
            self.overtime.discard(key)
            if loop.time() - began < PATIENCE:
                self.known_slow.discard(key)
