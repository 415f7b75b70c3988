"""While a long report is read, the event loop goes on: what arrives meanwhile is acknowledged in time."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.sandbox.stannp import Trouble
from tests.journeys.conftest import Stage

PIECES = 20_000
#: Of the process's own processor time, which another program's load does not lengthen. Reading the report whole takes
#: three times this.
ALLOWED = 0.15


@dataclass
class Probe:
    """How much this process did at most between two turns of its loop, in seconds of processor time."""

    longest: float = 0.0


@asynccontextmanager
async def probed() -> AsyncIterator[Probe]:
    """Watches the loop."""
    probe = Probe()

    async def watch() -> None:
        while True:
            before = time.process_time()
            await asyncio.sleep(0)
            probe.longest = max(probe.longest, time.process_time() - before)
            await asyncio.sleep(0.001)

    task = asyncio.create_task(watch())
    try:
        yield probe
    finally:
        task.cancel()


async def test_a_report_of_twenty_thousand_pieces_does_not_stop_the_loop(stage: Stage) -> None:
    first = stage.stannp.pieces_of(222)[0].id
    rows = [{"id": first + n, "status": "delivered", "dispatched": "2026-11-01 08:00:00"} for n in range(PIECES)]
    body = json.dumps({"success": True, "data": rows})
    stage.stannp.troubles.append(Trouble("reporting/campaignSingles/222", 200, body))
    async with probed() as probe:
        assert "17 pieces" in (await stage.say("/mailstatus", "Spring lapsed")).text
    assert probe.longest < ALLOWED
