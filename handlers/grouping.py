"""Group commit: what arrives while a transaction is under way rides in the next one, all of it together.

There is no timer, so alone nothing waits; and a slow disk makes the groups larger, not the queue longer.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(eq=False)
class Rider(Generic[T]):
    """Something that waits for its transaction. `done` ends when that has been committed, or has failed."""

    what: T
    weight: int
    done: asyncio.Future[None]

    def succeed(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
            # Whoever asked may have gone; then nobody is to be told.
            self.done.exception()


@dataclass
class Group(Generic[T]):
    """Carries what it is given to `commit`, in groups of a weight up to `limit`. `commit` ends each rider."""

    commit: Callable[[list[Rider[T]]], Awaitable[None]]
    limit: int
    waiting: deque[Rider[T]] = field(default_factory=deque)
    worker: asyncio.Task[None] | None = None

    def board(self, what: T, weight: int = 1) -> Rider[T]:
        """Queues it for the next group."""
        rider = Rider(what, weight, asyncio.get_running_loop().create_future())
        self.waiting.append(rider)
        if self.worker is None:
            self.worker = asyncio.create_task(self._work())
        return rider

    def leave(self, rider: Rider[T]) -> bool:
        """Takes it out again; False when its transaction has begun."""
        if rider not in self.waiting:
            return False
        self.waiting.remove(rider)
        return True

    async def _work(self) -> None:
        try:
            while self.waiting:
                group = self._next()
                try:
                    await self.commit(group)
                finally:
                    for rider in group:
                        # Only when we are being stopped: nobody may wait for ever.
                        rider.done.cancel()
        finally:
            self.worker = None

    def _next(self) -> list[Rider[T]]:
        group = [self.waiting.popleft()]
        weight = group[0].weight
        while self.waiting and weight + self.waiting[0].weight <= self.limit:
            weight += self.waiting[0].weight
            group.append(self.waiting.popleft())
        return group
