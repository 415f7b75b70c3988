"""What comes in by HTTP: webhooks that are kept before they are answered, and commands that are acknowledged."""

import asyncio
import itertools
import json
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.platforms.stannp import wire
from bot.sandbox.slack import encode, sign
from storage.database import open_database
from storage.ledger import tallies as tally
from storage.records import Source
from tests.benchmarks.data import START, STRIDE, TEAM, Account, ref_of, strays, told_by
from tests.benchmarks.harness import (
    PATIENCE,
    Result,
    alternate,
    compared,
    done,
    helper,
    http,
    judged,
    load,
    p99,
    paced,
    until_done,
)

STATUSES = ("printing", "handed_over", "in_transit", "local_delivery", "delivered")
#: Adds a millisecond to each fsync, which here costs a tenth of that, and on real disks one to five.
SLOW_DISK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
int fsync(int fd) { static int (*f)(int); if (!f) f = dlsym(RTLD_NEXT, "fsync"); usleep(1000); return f(fd); }
int fdatasync(int fd) { static int (*f)(int); if (!f) f = dlsym(RTLD_NEXT, "fdatasync"); usleep(1000); return f(fd); }
"""


#: Whose turn it is: no piece is told of twice, for what is known already costs nothing to keep.
turn_of = itertools.count()


def webhooks(account: Account, number: int, secret: str) -> list[bytes]:
    """Signed calls, each of another piece at one of its stages, with what Stannp repeats about it each time."""
    made = []
    for n in itertools.islice(turn_of, number):
        piece, stage = n * STRIDE % account.pieces, n % len(STATUSES)
        handed_over = START + timedelta(minutes=piece * 37 % 100_000)
        row = {
            "id": ref_of(piece), "timestamp": "2026-02-01 09:00:00", "status": STATUSES[stage],
            "dispatched": handed_over.strftime("%Y-%m-%d %H:%M:%S") if stage else None,
            "type": "postcard", "format": "6x9", "cost": "0.84",
        }  # fmt: skip
        body = json.dumps({"webhook_id": n, "event": "mailpiece_status", "mailpieces": [row]}).encode()
        headers = {"X-Stannp-Signature": wire.sign(body, secret), "Content-Type": "application/json"}
        made.append(http("/webhooks/stannp", body, headers))
    return made


async def merged(ready: dict[str, Any]) -> None:
    """Returns when no call waits in the inbox of a helper's server."""
    end = time.perf_counter() + PATIENCE
    while waiting := (await done(ready))["waiting"]:
        assert time.perf_counter() < end, f"measured nothing: {waiting:,} calls are not merged"
        await asyncio.sleep(0.005)


async def rates(
    account: Account, connections: int, number: int, rounds: int, *words: str, env: dict[str, str] | None = None
) -> tuple[list[float], list[float], float, float]:
    """Webhooks a second of ours, answered and merged, and of the floor, in turns; and the 99th percentile of the
    answers of each in milliseconds.

    Raises AssertionError unless each call was kept: its piece was told of in this account, and has moved.
    """
    told, moved = told_by(account, Source.WEBHOOK)
    with helper("server", account.url, *words, env=env) as (_process, ready):
        sent: dict[int, list[bytes]] = {}

        def calls(turn: int) -> list[bytes]:
            # Asked for twice a turn, for ours and for the floor.
            if turn not in sent:
                sent[turn] = webhooks(account, number, secret=ready["secrets"][1])
            return sent[turn]

        before = (await done(ready)).get("merged", 0)
        ours, floor = await alternate(ready, calls, connections, rounds, lambda: merged(ready))
        assert "bulk" not in str(words) or (await done(ready)).get("merged", 0) > before, "measured nothing: no bulk"
    number_sent, (told_now, moved_now) = sum(map(len, sent.values())), told_by(account, Source.WEBHOOK)
    assert told_now - told == moved_now - moved == number_sent, (
        f"measured nothing: of {number_sent:,} pieces that were told of {told_now - told:,} were kept, "
        f"and {moved_now - moved:,} moved"
    )
    late, bare = (statistics.median(map(p99, one.times)) for one in (ours, floor))
    return ours.rates, floor.rates, late, bare


async def bench_webhooks(account: Account, quick: bool, folder: Path) -> list[Result]:
    results = []
    kind, rounds, number = account.kind, 2 if quick else 5, 800 if quick else 4000
    goals = {64: 0.25, 256: 0.25}
    together = 0.0
    for connections, goal in goals.items():
        ours, floor, _, _ = await rates(account, connections, number, rounds)
        mine, theirs = statistics.median(ours), statistics.median(floor)
        if connections == 64:
            together = mine
        results.append(
            judged(
                f"webhook kept before the 200, and merged, {connections} connections, {kind}",
                mine,
                theirs,
                mine / theirs,
                goal,
                at_least=True,
                unit="req/s",
            )
        )
    _, _, late, bare = await rates(account, 16, number, rounds)
    results.append(judged(f"webhook p99 at 16 connections ÷ the floor's, {kind}", late, bare, late / bare, 4))
    results.append(await bench_lag(account, together / 2, number))
    if kind == "PostgreSQL":
        with helper("server", account.url, "work"):
            ours, floor, _, _ = await rates(account, 64, number, rounds, "serve")
        mine, theirs = statistics.median(ours), statistics.median(floor)
        name = "webhook kept before the 200, and merged by another process, 64 connections, PostgreSQL"
        results.append(judged(name, mine, theirs, mine / theirs, 0.35, at_least=True, unit="req/s"))
    alone, _, _, _ = await rates(account, 64, number // 4, rounds, "alone")
    each = statistics.median(alone)
    results.append(
        judged(
            f"group commit ÷ one transaction each, 64 connections, {kind}",
            together,
            each,
            together / each,
            4,
            at_least=True,
            unit="req/s",
        )
    )
    shim = slow_disk(folder) if kind == "SQLite" and not quick else None
    if shim:
        env = os.environ | {"LD_PRELOAD": shim}
        ours, _, _, _ = await rates(account, 64, number, 3, env=env)
        alone, _, _, _ = await rates(account, 64, number // 8, 3, "alone", env=env)
        mine, each = statistics.median(ours), statistics.median(alone)
        results.append(
            judged(
                "group commit with 1 ms added to each fsync, SQLite",
                mine,
                each,
                mine / each,
                7,
                at_least=True,
                unit="req/s",
            )
        )
    results.append(await bench_beside_bulk(account, late, number, rounds))
    with closing(open_database(account.url)) as database:
        assert database.read(tally.drift, account.workspace_id) == []
    assert strays(account) == 0, f"measured nothing: {strays(account):,} changes wait for pieces that we know"
    return results


async def bench_lag(account: Account, per_second: float, number: int) -> Result:
    """How late calls are merged at half the load that is kept up with; the 99th percentile."""
    with helper("server", account.url) as (_process, ready):
        calls = webhooks(account, number, ready["secrets"][1])
        await paced(ready["port"], calls, per_second)
        await merged(ready)
        late = float((await done(ready))["late"])
    name = f"webhook to ledger at {per_second:,.0f} a second, p99 ÷ 150 ms, {account.kind}"
    return judged(name, late, 150, late / 150, 1)


async def bench_beside_bulk(account: Account, alone: float, number: int, rounds: int) -> Result:
    """The bulk is merged by the same process on SQLite, and by another on PostgreSQL."""
    goal = 3
    if account.kind == "SQLite":
        _, _, beside, _ = await rates(account, 16, number // 2, rounds, f"bulk={account.pieces}")
    else:
        with helper("server", account.url, f"bulk={account.pieces}") as (_process, other):
            before = (await done(other)).get("merged", 0)
            _, _, beside, _ = await rates(account, 16, number // 2, rounds)
            assert (await done(other)).get("merged", 0) > before, "measured nothing: no bulk"
    return judged(f"webhook p99 beside a bulk import ÷ without, {account.kind}", beside, alone, beside / alone, goal)


def slow_disk(folder: Path) -> str | None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    (folder / "slow.c").write_text(SLOW_DISK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / "slow.so", folder / "slow.c", "-ldl"], check=True)
    return str(folder / "slow.so")


def commands(number: int, seed: int, secret: str) -> list[bytes]:
    """Signed slash commands."""
    made = []
    for n in range(number):
        body, kind = encode("slash_commands", {
            "command": "/mailstatus", "text": "Spring", "user_id": f"U0P{n % 50}", "channel_id": "C0OPS", "team_id": TEAM,
            "trigger_id": f"{seed}.{n}", "response_url": "https://hooks.slack.com/commands/T/1/x",
        })  # fmt: skip
        headers = sign(secret, body, int(time.time())) | {"Content-Type": kind}
        made.append(http("/slack/events", body if isinstance(body, bytes) else body.encode(), headers))
    return made


def calls_to(ready: dict[str, Any], connections: int, number: int) -> Callable[[int], list[bytes]]:
    return lambda turn: commands(number, turn * 100 + connections, ready["secrets"][0])


def faster(promise: str, ours: list[float], floor: list[float], goal: float) -> Result:
    return compared(promise, ours, floor, goal, at_least=True, unit="req/s")


async def acknowledged(ready: dict[str, Any], connections: int, number: int, rounds: int, goal: float) -> list[Result]:
    """Ours beside aiohttp with the signature alone, and beside plain Bolt with the same listener."""
    ours, floor, plain = await alternate(
        ready, calls_to(ready, connections, number), connections, rounds, places=("port", "floor", "plain")
    )
    at = f"{connections} connection{'s' if connections > 1 else ''}"
    results = [
        faster(f"slash command to ack, {at}", ours.rates, floor.rates, goal),
        faster(f"slash command to ack ÷ plain Bolt with the same listener, {at}", ours.rates, plain.rates, 1.0),
        compared(f"slash command to ack, processor time ÷ plain Bolt, {at}", ours.spent, plain.spent, 1.0, unit="µs"),
    ]
    if connections == 1:
        half = statistics.median(map(statistics.median, ours.times))
        results.append(judged("slash command to ack, median ÷ 1 ms", half, 1, half, 1))
    return results


async def bench_ack(account: Account, quick: bool) -> list[Result]:
    results = []
    number, rounds = 400 if quick else 2000, 3 if quick else 7
    with helper("server", account.url, "bare") as (_process, ready):
        for connections, goal in {1: 0.60, 16: 0.45}.items():
            results += await acknowledged(ready, connections, number, rounds, goal)
        # Asked in both cases, with the round that warms up; plain Bolt takes as many.
        await until_done(ready, "taken", 2 * 2 * number * (rounds + 1))
    with helper("server", account.url, "queries") as (_process, ready):
        ours, floor = await alternate(ready, calls_to(ready, 16, number), 16, rounds)
        await until_done(ready, "looked", number * (rounds + 1))
        results.append(faster(f"ack and two queries, {account.kind}, 16 connections", ours.rates, floor.rates, 0.25))
    with helper("server", account.url, "queries") as (_process, ready):
        await load(ready["port"], commands(50, 7, ready["secrets"][0]), 5)
        late: list[float] = []
        for turn in range(3 if quick else 9):
            _, taken = await load(ready["port"], commands(200, 100 + turn, ready["secrets"][0]), 200)
            late.append(p99(taken))
            await until_done(ready, "looked", 50 + 200 * len(late))
    worst = statistics.median(late)
    results.append(judged("burst of 200 commands at once, all acknowledged: p99 ÷ 500 ms", worst, 500, worst / 500, 1))
    return results
