"""What every benchmark uses: turns between ours and the floor, medians with their spread, and processes to measure."""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).parent.parent.parent
#: Work that was acknowledged must be done within so many seconds.
PATIENCE = 60.0


@dataclass
class Result:
    """A promise: ours and its floor in `unit`, their ratio, how far the rounds were apart, and the goal."""

    promise: str
    ours: float
    floor: float | None
    ratio: float
    goal: str
    held: bool | None
    unit: str = "ms"
    spread: float = 0.0


def turns(number: int, *works: Callable[[int], object]) -> list[list[float]]:
    """Milliseconds of each work, in turns, so that a noisy moment meets all of them."""
    times: list[list[float]] = [[] for _ in works]
    for turn in range(number):
        for index, work in enumerate(works):
            begin = time.perf_counter()
            work(turn)
            times[index].append((time.perf_counter() - begin) * 1000)
    return times


def spread(values: list[float]) -> float:
    """The distance between the quartiles, as a share of the median."""
    if len(values) < 4:
        return (max(values) - min(values)) / statistics.median(values)
    low, middle, high = statistics.quantiles(values, n=4)
    return (high - low) / middle


def compared(
    promise: str, ours: list[float], floor: list[float], goal: float | None, *, at_least: bool = False, unit: str = "ms"
) -> Result:
    """Medians and their ratio, against a goal."""
    mine, theirs = statistics.median(ours), statistics.median(floor)
    return judged(promise, mine, theirs, mine / theirs, goal, at_least=at_least, unit=unit, apart=spread(ours))


def judged(
    promise: str, ours: float, floor: float | None, ratio: float, goal: float | None,
    *, at_least: bool = False, unit: str = "ms", apart: float = 0.0,
) -> Result:  # fmt: skip
    """A result whose ratio is known."""
    held = None if goal is None else (ratio >= goal if at_least else ratio <= goal)
    said = "–" if goal is None else f"{'≥' if at_least else '≤'} {goal:g}"
    return Result(promise, ours, floor, ratio, said, held, unit, apart)


def timed_process(code: str) -> Callable[[int], object]:
    return lambda _turn: subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


@contextmanager
def helper(
    module: str, *words: str, env: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A helper process, and the line of JSON that it prints when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", f"tests.benchmarks.{module}", *words],
        cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, env=env,
    )  # fmt: skip
    try:
        assert process.stdout
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


async def load(port: int, requests: list[bytes], connections: int) -> tuple[float, list[float]]:
    """Sends them over so many kept-alive connections as fast as they are answered; gives req/s and each milliseconds.

    Raises AssertionError for any answer but 200.
    """
    waiting = iter(requests)
    times: list[float] = []

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for raw in waiting:
            begin = time.perf_counter()
            writer.write(raw)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head[:80]
            length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), b":0")
            await reader.readexactly(int(length.split(b":")[1]))
            times.append((time.perf_counter() - begin) * 1000)
        writer.close()

    begin = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    return len(requests) / (time.perf_counter() - begin), times


async def paced(port: int, requests: list[bytes], per_second: float) -> None:
    """Sends so many a second, each on its own kept-alive connection of a few. Raises AssertionError for any but 200."""
    pauses = 16 / per_second

    async def some(mine: list[bytes]) -> None:
        for raw in mine:
            due = time.perf_counter() + pauses
            await load(port, [raw], 1)
            await asyncio.sleep(max(due - time.perf_counter(), 0))

    await asyncio.gather(*(some(requests[first::16]) for first in range(16)))


async def done(ready: dict[str, Any]) -> dict[str, int]:
    """What a helper's server says was really done."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{ready['floor']}/done") as answer:
        return dict(await answer.json())


async def until_done(ready: dict[str, Any], what: str, number: int) -> None:
    """Returns when so much was done; raises AssertionError when it is more, or is not that much in time."""
    end = time.perf_counter() + PATIENCE
    while (found := (await done(ready)).get(what, 0)) < number and time.perf_counter() < end:
        await asyncio.sleep(0.05)
    assert found == number, f"measured nothing: {what} {found:,} of {number:,}"


def p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


def http(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """The bytes of a POST."""
    lines = [f"POST {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Taken:
    """What one server's rounds took: requests a second, milliseconds of each request of each round, and the server's own
    processor microseconds a request, which another program's load does not lengthen."""

    rates: list[float] = field(default_factory=list)
    times: list[list[float]] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)


def processor_seconds(pid: int) -> float:
    """What the main thread of a process has spent so far (Linux: Documentation/scheduler/sched-stats)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


async def alternate(
    ready: dict[str, Any],
    calls: Callable[[int], list[bytes]],
    connections: int,
    rounds: int,
    settle: Callable[[], Awaitable[None]] | None = None,
    places: Sequence[str] = ("port", "floor"),
) -> list[Taken]:
    """Sends so many rounds to a helper's servers, ours first, in turns.

    `settle`: returns when what the server took is also done. What that takes is counted, and the floor waits for it.
    """
    found = [Taken() for _ in places]
    for turn in range(rounds + 1):
        for index, place in enumerate(places):
            requests, begin, before = calls(turn), time.perf_counter(), processor_seconds(ready["pid"])
            rate, took = await load(ready[place], requests, connections)
            if settle is not None and index == 0:
                await settle()
                rate = len(requests) / (time.perf_counter() - begin)
            # The first round warms up.
            if turn:
                found[index].rates.append(rate)
                found[index].times.append(took)
                found[index].spent.append((processor_seconds(ready["pid"]) - before) * 1e6 / len(requests))
    return found
