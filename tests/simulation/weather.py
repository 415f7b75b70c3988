"""What may go wrong with a call to something outside, and how likely that is at the moment."""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any, TypeVar

from tests.simulation.loop import LANE, Lane, Loop

T = TypeVar("T")

#: Seconds after which our clients give a call up.
PATIENCE = 15.0


class Fate(StrEnum):
    """How a call goes: well; it never arrives; it is done and the connection breaks; it is done and nothing answers."""

    WELL = "well"
    BEFORE = "never arrived"
    AFTER = "was done, and the connection broke"
    SILENT = "was done, and no answer came"


class Died(BaseException):
    """The process dies at this very place."""


@dataclass(eq=False)
class Trap:
    """Waits for some process to reach a place for the `left`th time, and then does something to it."""

    place: str
    left: int
    spring: Callable[[Lane], None]


@dataclass
class Weather:
    """How likely a call goes wrong, by whom it is asked of. `storms`: who is out altogether, until when."""

    loop: Loop
    dice: Random
    rates: dict[str, float] = field(default_factory=dict)
    storms: dict[str, float] = field(default_factory=dict)
    traps: list[Trap] = field(default_factory=list)
    fair: bool = False

    def reach(self, place: str) -> None:
        """A process is at this place: whoever waits for it there has it. Raises Died."""
        lane = LANE.get()
        if lane is None or self.fair:
            return
        for trap in [one for one in self.traps if one.place == place]:
            trap.left -= 1
            if trap.left <= 0:
                self.traps.remove(trap)
                trap.spring(lane)
        if lane.dead:
            raise Died

    def fate(self, whom: str) -> Fate:
        """How the next call to this one goes."""
        if self.fair:
            return Fate.WELL
        if self.storms.get(whom, 0.0) > self.loop.time():
            return Fate.BEFORE
        if self.dice.random() >= self.rates.get(whom, 0.0):
            return Fate.WELL
        return self.dice.choice((Fate.BEFORE, Fate.AFTER, Fate.SILENT))

    async def call(self, whom: str, down: Callable[[], Exception], work: Callable[[], T]) -> tuple[T, Fate]:
        """What `work` gives, done outside at some moment; raises what it raises, or `down()` where no answer comes.

        Once it is under way it is done, whatever becomes of the process that asked.
        """
        fate, loop = self.fate(whom), self.loop
        there, back = self.dice.random() * 0.3, self.dice.random() * 0.3
        self.reach(f"before {whom}")
        # Where it was stopped just now it goes on from here.
        await asyncio.sleep(0)
        if fate is Fate.BEFORE:
            await asyncio.sleep(there)
            raise down()
        answer: asyncio.Future[T] = loop.create_future()
        context = copy_context()

        def arrive() -> None:
            settle: Callable[[Any], object] = answer.set_result
            result: Any = None
            try:
                result = work()
            except Exception as error:
                settle, result = answer.set_exception, error
            if fate is Fate.AFTER:
                settle, result = answer.set_exception, down()
            if fate is not Fate.SILENT:
                loop.call_later(back, lambda: None if answer.done() else settle(result), context=context)

        loop.call_later(there, arrive, context=loop.outdoors())
        self.reach(f"after {whom}")
        try:
            async with asyncio.timeout(PATIENCE):
                return await answer, fate
        except TimeoutError:
            raise down() from None


def lane_name() -> str:
    """In which process this happens."""
    lane = LANE.get()
    return lane.name if lane else "world"
