"""An event loop whose time is made up: it jumps to the next timer, and never waits.

Everything that runs belongs to a lane: one for each process of the bot, and one for the world outside. A lane keeps its
own order, as a real loop does; between lanes a die decides. A lane can be paused (what it would do piles up, as under
SIGSTOP, its threads included) and can die (what it would have done never happens).
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: Seconds that a hop to a thread and back takes at most, each way.
HOP = 0.01


@dataclass(eq=False)
class Lane:
    """What runs in one process, in its order."""

    name: str
    ready: deque[asyncio.Handle] = field(default_factory=deque)
    paused: bool = False
    dead: bool = False


LANE: ContextVar[Lane | None] = ContextVar("lane", default=None)


class Stuck(RuntimeError):
    """Nothing is left that could ever happen, and the story has not ended."""


class Thread(Executor):
    """Stands for threads; what is given to it is done by the loop, one after the other."""

    def __init__(self) -> None:
        self.free_at = 0.0


class Loop(asyncio.AbstractEventLoop):
    """See the module. `time` begins at 0."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.moment = 0.0
        self.outside = Lane("world")
        self.lanes = [self.outside]
        self.timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self.made = 0
        self.broken: list[dict[str, Any]] = []
        #: So that what a dead process left open is not collected, and so run to its end, half-way through the story.
        self.tasks: list[asyncio.Task[Any]] = []

    # ---- What asyncio asks of a loop -----------------------------------------------------------------------------

    def time(self) -> float:
        return self.moment

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[T]:
        task: asyncio.Task[T] = asyncio.Task(coro, loop=self, name=name, context=context)
        self.tasks.append(task)
        return task

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._into_lane(handle)
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self.made += 1
        heapq.heappush(self.timers, (max(when, self.moment), self.made, handle))
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.moment + delay, callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """What would be done on a thread is done in this lane a moment later, and told another moment later."""
        done = self.create_future()
        begins = self.moment + self.dice.random() * HOP
        if isinstance(executor, Thread):
            begins = executor.free_at = max(begins, executor.free_at)

        def work() -> None:
            try:
                settle: Callable[..., object] = done.set_result
                result: Any = func(*args)
            except Exception as error:
                settle, result = done.set_exception, error
            self.call_later(self.dice.random() * HOP, lambda: None if done.done() else settle(result))

        self.call_at(begins, work)
        return done

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.broken.append(context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.broken.append(context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are passed over when their time comes."""

    # ---- What a story asks of it ---------------------------------------------------------------------------------

    def lane(self, name: str) -> tuple[Lane, Context]:
        """A new lane, and the context in which what belongs to it is begun."""
        made, context = Lane(name), copy_context()
        context.run(LANE.set, made)
        self.lanes.append(made)
        return made, context

    def outdoors(self) -> Context:
        """A context of the world's own lane."""
        context = copy_context()
        context.run(LANE.set, self.outside)
        return context

    def kill(self, lane: Lane) -> None:
        """Nothing of this lane happens any more."""
        lane.dead = True
        lane.ready.clear()
        self.lanes.remove(lane)

    def run(self, story: Coroutine[Any, Any, T]) -> T:
        """The result of this, told in the world's lane. Raises Stuck when nothing can happen any more."""
        asyncio._set_running_loop(self)
        try:
            task = self.create_task(story, context=self.outdoors())
            while not task.done():
                self._step()
            return task.result()
        finally:
            asyncio._set_running_loop(None)

    def close(self) -> None:
        """Forgets what was left open, without a word."""
        for task in self.tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            # Now, and not when it is collected half-way through the next story. What it would still await is not done.
            with suppress(RuntimeError):
                if not task.done() and (work := task.get_coro()) is not None:
                    work.close()
        self.tasks.clear()
        self.timers.clear()
        for lane in self.lanes:
            lane.ready.clear()

    def _into_lane(self, handle: asyncio.Handle) -> None:
        context: Context = handle._context  # type: ignore[attr-defined]
        lane = context.get(LANE) or self.outside
        if not lane.dead:
            lane.ready.append(handle)

    def _step(self) -> None:
        able = [lane for lane in self.lanes if lane.ready and not lane.paused]
        if not able:
            self._jump()
            return
        lane = able[0] if len(able) == 1 else able[int(self.dice.random() * len(able))]
        handle = lane.ready.popleft()
        if not handle.cancelled():
            handle._run()

    def _jump(self) -> None:
        if not self.timers:
            raise Stuck(Stuck.__doc__)
        while True:
            when, _, handle = heapq.heappop(self.timers)
            if handle.cancelled():
                if not self.timers:
                    raise Stuck(Stuck.__doc__)
                continue
            self.moment = max(self.moment, when)
            self._into_lane(handle)
            if not self.timers or self.timers[0][0] > self.moment:
                return


def made_up(dice: Random) -> Loop:
    """A new loop: of what asyncio's own can, ours does what needs no sockets."""
    return Loop(dice)  # type: ignore[abstract]
