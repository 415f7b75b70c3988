"""The program dies at one exact point on a webhook's road, by its own hand: before or after a call is kept, in the middle of
a merge, or between its commit and what follows. And the story of its many lives.

`python -m tests.chaos.doomed` is the program; DOOM says where it dies, and at which passage: "merging 7".
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from bot.__main__ import app as program
from handlers.ingest import merging
from storage.inbox import InFile, InTable
from tests.chaos.story import Story

POINTS = ("before keeping", "after keeping", "in a merge", "after a merge")
#: A life that does not come to its point in time is ended from outside.
LONGEST_LIFE = 45.0


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def doomed(point: str, passage: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Dies before or after the function's work, when it has had something to do this often."""
    left = passage

    def wrapped(work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*words: Any, **more: Any) -> Any:
            nonlocal left
            if left == 1 and point.startswith("before"):
                die()
            result = work(*words, **more)
            # A merge that found nothing to merge is none.
            left -= result != 0
            if left == 0:
                die()
            return result

        return run

    return wrapped


def meet_doom(doom: str) -> None:
    """Lets this process die there."""
    point, passage = doom.rsplit(" ", 1)
    wrap = doomed(point, int(passage))
    if "keeping" in point:
        for kind in (InFile, InTable):
            kind.append = wrap(kind.append)  # type: ignore[method-assign]
    elif point == "in a merge":
        # The rows are written, and not committed.
        merging.merge = wrap(merging.merge)
    else:
        # SQLite: committed, and still in the inbox. PostgreSQL: both are one, so a moment later.
        InFile.drop = doomed("before", int(passage))(InFile.drop)  # type: ignore[method-assign]
        InTable.merge = wrap(InTable.merge)  # type: ignore[method-assign]


class Doomed(Story):
    """Each life ends at another point of a webhook's road."""

    doom = ""

    def _program(self) -> tuple[str, ...]:
        return ("tests.chaos.doomed", "run") if self.doom else super()._program()

    def _environment(self, port: int) -> dict[str, str]:
        return super()._environment(port) | {"DOOM": self.doom}

    async def _torment(self) -> None:
        while self.verdict.kills < self.kills:
            await self._stop(signal.SIGKILL)
            point = self.dice.choice(POINTS)
            self.doom = f"{point} {self.dice.randrange(1, 12)}"
            await self._start()
            assert self.process is not None
            try:
                await asyncio.wait_for(self.process.wait(), LONGEST_LIFE)
                self.verdict.outages[f"died {point}"] += 1
            except TimeoutError:
                self.verdict.outages["killed from outside"] += 1
            self.verdict.kills += 1
        self.doom = ""


if __name__ == "__main__":
    meet_doom(os.environ["DOOM"])
    sys.argv[0] = "piecewise"
    program()
