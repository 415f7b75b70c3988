"""What may go wrong with a call to something outside, and how likely that is at the moment."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any, TypeVar

from tests.simulation.loop import LANE, Loop

T = TypeVar("T")

#: Seconds after which our clients give a call up.
PATIENCE = 15.0


class Fate(StrEnum):
    """How a call goes: well; it never arrives; it is done and the connection breaks; it is done and nothing answers."""

    WELL = "well"
    BEFORE = "never arrived"
    AFTER = "was done, and the connection broke"
    SILENT = "was done, and no answer came"


@dataclass
class Weather:
    """How likely a call goes wrong, by whom it is asked of. `storms`: who is out altogether, until when."""

    loop: Loop
    dice: Random
    rates: dict[str, float] = field(default_factory=dict)
    storms: dict[str, float] = field(default_factory=dict)
    fair: bool = False

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
        if fate is Fate.BEFORE:
            await asyncio.sleep(there)
            raise down()
        answer: asyncio.Future[T] = loop.create_future()
        context = _here()

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
        try:
            async with asyncio.timeout(PATIENCE):
                return await answer, fate
        except TimeoutError:
            raise down() from None


def _here() -> Any:
    from contextvars import copy_context

    return copy_context()


def lane_name() -> str:
    """In which process this happens."""
    lane = LANE.get()
    return lane.name if lane else "world"
