"""A poll of an account where nothing moved, and one piece in a hundred; and how long the loop stands still meanwhile.

Measured is this process's own processor time, which another program's load does not lengthen: what PostgreSQL does in
its processes is not in it.
"""

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
from sqlalchemy import delete, func, select, update

from bot.app import App, running
from bot.sandbox.slack import SlackDouble
from handlers.ingest import poll as polling
from storage.database import open_database
from storage.ledger import tallies as tally
from storage.queries.recognized import Print
from storage.schema import revision as schema
from storage.schema.tables import due_details, pieces
from storage.statuses import Status
from tests.benchmarks.harness import Result, helper, judged
from tests.benchmarks.ledger import named
from tests.journeys.conftest import people_and_places, settings_for

#: One piece in so many moves.
EVERY = 100


class Stalls:
    """The longest stretch of this process's work between two turns of the loop, in milliseconds."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        while True:
            before = time.process_time()
            await asyncio.sleep(0)
            self.longest = max(self.longest, (time.process_time() - before) * 1000)
            await asyncio.sleep(0.001)


async def spent(work: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds of processor time."""
    before = time.process_time()
    await work()
    return (time.process_time() - before) * 1000


async def watched(work: Callable[[], Awaitable[object]], stalls: Stalls) -> None:
    """The same under the probe, which costs time itself."""
    task = asyncio.create_task(stalls.watch())
    await work()
    task.cancel()


async def bench_poll(url: str, size: int, kind: str) -> list[Result]:
    """Raises AssertionError unless what moved was moved, and nothing else was written."""
    database = open_database(url)
    schema.migrate(database)
    database.close()
    slack = SlackDouble()
    await slack.start()
    people_and_places(slack)
    with helper("fakestannp", str(size)) as (_process, ready):
        base = f"http://127.0.0.1:{ready['port']}"
        stannp: Any = SimpleNamespace(url=f"{base}/v1", api_key="key", webhook_secret="a secret of ours")
        async with running(settings_for(slack, stannp, url, "http")) as app, aiohttp.ClientSession() as session:
            # Its own timetable would read the account in the middle of ours.
            app.scheduler.pause()
            await app.in_flight.drain(60)
            await polling.poll(app.services, app.workspace.id)
            # As `run` does: what is loaded is not walked through again.
            gc.collect()
            gc.freeze()
            found = await measured(app, session, base, size)
            report = await bench_report(app)
            gc.unfreeze()
    await slack.stop()
    whole, idle, moving, stalls = found
    name, unit = f"{named(size)} open pieces, {kind}", "ms of CPU"
    return [
        judged(f"poll where 1% moved ÷ merging all, {name}", moving, whole, moving / whole, 0.05, unit=unit),
        judged(f"poll where nothing moved ÷ merging all, {name}", idle, whole, idle / whole, 0.05, unit=unit),
        judged(
            f"longest stall of the loop in a poll that merges all ÷ 50 ms, {name}",
            stalls.longest,
            50,
            stalls.longest / 50,
            1,
        ),
        judged(
            f"longest stall while a report of {named(size)} comes in one answer ÷ 50 ms, {kind}",
            report,
            50,
            report / 50,
            1,
        ),
    ]


async def measured(
    app: App, session: aiohttp.ClientSession, base: str, size: int
) -> tuple[float, float, float, Stalls]:
    """Medians of merging all, nothing, and one in a hundred, in milliseconds; and the stalls of the first."""
    services, key, stalls = app.services, app.workspace.id, Stalls()
    times: dict[str, list[float]] = {"whole": [], "idle": [], "moving": []}

    async def poll() -> None:
        await polling.poll(services, key)

    async def landed() -> int:
        counted = select(func.count()).where(pieces.c.workspace_id == key, pieces.c.status > int(Status.PRODUCING))
        return await services.memory.read(lambda c: int(c.execute(counted).scalar_one()))

    assert await services.memory.read(lambda c: c.execute(select(func.count(pieces.c.id))).scalar_one()) == size
    for turn in range(3):
        await services.memory.write(lambda c: c.execute(delete(due_details)))
        # As if each had been told of otherwise before: all are read and merged, as every poll did.
        await services.memory.write(lambda c: c.execute(update(pieces).values({f"{Print.LISTED}_print": None})))
        times["whole"].append(await spent(poll))
        before, learned = await landed(), services.memory.learned
        times["idle"].append(await spent(poll))
        merged = services.memory.learned - learned
        assert merged <= 1, f"measured nothing: {merged} were merged"
        async with session.get(f"{base}/move?first={turn}&every={EVERY}") as answer:
            moved = int(await answer.text())
        times["moving"].append(await spent(poll))
        assert await landed() == before + moved, "measured nothing: not what moved was merged"
    assert await services.memory.read(tally.drift, key) == []
    await services.memory.write(lambda c: c.execute(update(pieces).values({f"{Print.LISTED}_print": None})))
    await watched(poll, stalls)
    whole, idle, moving = (statistics.median(one) for one in times.values())
    return whole, idle, moving, stalls


async def bench_report(app: App) -> float:
    """The longest stall while the whole account comes in one answer, as of one campaign."""
    stalls, read = Stalls(), 0

    async def work() -> None:
        nonlocal read
        async for batch in app.services.platform.campaign_pieces("2"):
            read += len(batch.pieces)

    await watched(work, stalls)
    assert read, "measured nothing: no piece was read"
    return stalls.longest
