"""Whether what is foretold comes true, in short, and what it costs: `make foresight` is the long form."""

import statistics
import time

from tests.benchmarks.harness import Result, judged
from tests.foresight.judge import judge, learned, row
from tests.foresight.worlds import WORLDS, draw

LOOKED_AT = ("plain", "two campaigns of history", "twenty campaigns")
#: Milliseconds that a forecast may cost at twenty campaigns of history.
COST = 10.0


def bench_foresight(quick: bool) -> list[Result]:
    """How often a campaign's true share was inside the band that was foretold for that day, and the milliseconds."""
    results = []
    worlds = [one for one in WORLDS if one.name in LOOKED_AT]
    for world in worlds:
        for when, tally in zip(("at the start", "under way"), judge(world, 10 if quick else 40), strict=True):
            share = row(world, tally)["coverage"]
            name = f"80 % band {when}, {world}: true shares inside it"
            results.append(Result(name, share, 80.0, share / 80, "75–85%", 75 <= share <= 85, "%"))
    world = worlds[-1]
    before, made = draw(world, 1)
    took = []
    for _ in range(20):
        begun = time.process_time()
        learned(world, before, made, made.last)
        took.append(1000 * (time.process_time() - begun))
    cost = statistics.median(took)
    return [*results, judged("a forecast at 20 campaigns of history, of the processor", cost, COST, cost / COST, 1.0)]
