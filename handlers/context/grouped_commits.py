"""Group commit: what arrives while a transaction is under way rides in the next one, all of it together.

There is no timer, so alone nothing waits; and a slow disk makes the groups larger, not the queue longer. Those for whom
it waits take turns: who sends much waits for nobody but themselves.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


class GroupStopped(RuntimeError):
    """What was asked for was stopped before it was done. Ask again."""


async def settled(work: Awaitable[T]) -> tuple[T | None, BaseException | None]:
    """What it gave, or whatever ended it: also a cancellation from within, which is no cancellation of the caller."""
    task = asyncio.ensure_future(work)
    await asyncio.wait([task])
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    return (task.result() if error is None else None), error


@dataclass(eq=False)
class Queued(Generic[T]):
    """Something that waits for its transaction. `done` ends when that has been committed, or has failed."""

    what: T
    weight: int
    #: In whose turn it goes.
    whose: Hashable
    done: asyncio.Future[None]

    def succeed(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def fail(self, error: BaseException) -> None:
        """Ends it with this error. Never as cancelled: whoever waits would end in silence."""
        if not self.done.done():
            # These two mean something else to whoever awaits.
            told = isinstance(error, Exception) and not isinstance(error, StopIteration)
            self.done.set_exception(error if told else GroupStopped(GroupStopped.__doc__))
            # Whoever asked may have gone; then nobody is to be told.
            self.done.exception()


@dataclass
class Group(Generic[T]):
    """Carries what it is given to `commit`, in groups of a weight up to `limit`. `commit` ends each that is queued.

    Whom it leaves open fails with what ended it, whatever that is.
    """

    commit: Callable[[list[Queued[T]]], Awaitable[None]]
    limit: int
    #: Whose turn is next stands first.
    waiting: dict[Hashable, deque[Queued[T]]] = field(default_factory=dict)
    worker: asyncio.Task[None] | None = None

    def enqueue(self, what: T, weight: int = 1, whose: Hashable = None) -> Queued[T]:
        """Queues it for the next group."""
        queued = Queued(what, weight, whose, asyncio.get_running_loop().create_future())
        self.waiting.setdefault(whose, deque()).append(queued)
        if self.worker is None:
            self.worker = asyncio.create_task(self._work())
        return queued

    def leave(self, queued: Queued[T]) -> bool:
        """Takes it out again; False when its transaction has begun."""
        theirs = self.waiting.get(queued.whose, deque())
        if queued not in theirs:
            return False
        theirs.remove(queued)
        if not theirs:
            del self.waiting[queued.whose]
        return True

    async def _work(self) -> None:
        try:
            while self.waiting:
                group, error = self._next(), None
                try:
                    _, error = await settled(self.commit(group))
                finally:
                    # Also when we are being stopped: nobody may wait for ever.
                    for queued in group:
                        queued.fail(error or GroupStopped(GroupStopped.__doc__))
        finally:
            self.worker = None

    def _next(self) -> list[Queued[T]]:
        group: list[Queued[T]] = []
        weight = 0
        while self.waiting:
            whose, theirs = next(iter(self.waiting.items()))
            if group and weight + theirs[0].weight > self.limit:
                break
            weight += theirs[0].weight
            group.append(theirs.popleft())
            del self.waiting[whose]
            if theirs:
                # Behind all others.
                self.waiting[whose] = theirs
        return group
