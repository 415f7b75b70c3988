"""The sandbox's story at speed for as long as wanted: that it goes on, and that its memory stays what it is.

`python -m tests.endless minutes=60 day=1` prints a line each half minute and, at the end, the slope of the memory over the
second half. It fails where the story stood still, or where the memory grew by more than `LIMIT` in that half.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np

from bot.sandbox.demo import Demo, sandbox
from bot.sandbox.people import ANA, OPS
from bot.telemetry import set_up_logging

#: Megabytes; and seconds between two looks, and two questions.
LIMIT: Final = 40.0
LOOK, ASK = 5.0, 20.0
SAID_EVERY: Final = 30.0
ASKED: Final = ("/mailstatus", "/mailstatus Trail guide", "/mailtrack Jane", "/mailstatus last month")


def resident() -> float:
    """This process's memory, in megabytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def chosen() -> tuple[float, float]:
    """Minutes, and seconds a day, as the command line says."""
    given = dict(one.split("=", 1) for one in sys.argv[1:])
    return float(given.get("minutes", 60)), float(given.get("day", 1))


async def ask(demo: Demo, turn: int) -> None:
    """Somebody asks something, and looks at the page."""
    name, _, rest = ASKED[turn % len(ASKED)].partition(" ")
    await demo.slack.command(ANA, OPS, name, rest)
    demo.page.seen_by(ANA)


async def main() -> int:
    minutes, day = chosen()
    seen = list[tuple[float, float]]()
    async with sandbox(0, day) as demo:
        # Nobody opens the page here.
        demo.calendar.seen = True
        began = said = asked = time.monotonic()
        while (now := time.monotonic()) - began < minutes * 60:
            await asyncio.sleep(LOOK)
            seen.append((now - began, resident()))
            if now - asked >= ASK:
                asked = now
                await ask(demo, len(seen))
            if now - said >= SAID_EVERY:
                said = now
                print(line(demo, *seen[-1]), flush=True)
        days, campaigns = demo.calendar.clock.jumped.days, len(demo.story.platform.campaigns)
        problems = demo.slack.problems[:3]
    half = np.array(seen[len(seen) // 2 :])
    slope = float(np.polyfit(half[:, 0], half[:, 1], 1)[0]) * 3600
    grown = slope * float(half[-1, 0] - half[0, 0]) / 3600
    print(
        f"{days} days, {campaigns} campaigns in the books; memory {slope:+.1f} MB an hour ({grown:+.1f} MB in the half)"
    )
    print(f"problems: {problems}")
    return int(days < minutes * 60 / day / 4 or grown > LIMIT or bool(problems))


def line(demo: Demo, at: float, memory: float) -> str:
    """How it stands."""
    slack, books = demo.slack, demo.story.platform
    return (
        f"{at:6.0f} s  {memory:7.1f} MB  day {demo.calendar.clock.jumped.days:4d}  {len(slack.messages)} messages  "
        f"{len(slack.files)} files  {len(books.pieces)} pieces  {len(demo.story.world.steps)} steps"
    )


if __name__ == "__main__":
    set_up_logging("console", level=40)
    sys.exit(asyncio.run(main()))
