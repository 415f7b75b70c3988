"""`make bench`: prints one table of promises, each as a ratio to its floor in the same run, and writes bench.json.

Ours and the floor take turns, so that a noisy moment meets both. Medians; nothing is asserted but what was computed.
ARGS=quick takes under three minutes. ARGS="only=webhooks,find" runs what has these words in its name.
"""

import asyncio
import json
import logging
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bot.telemetry import set_up_logging
from tests.benchmarks import foresight, front, ledger, pages, pictures, polls, telling
from tests.benchmarks.data import Account, open_account, postgres
from tests.benchmarks.harness import Result

OUT = Path("bench.json")
MACHINE = f"{platform.machine()}, Python {platform.python_version()}, {platform.system()}"
console = Console(width=150)


class Bench:
    """The run: what is wanted, what was found, and where things lie."""

    def __init__(self, words: list[str], folder: Path) -> None:
        self.quick = "quick" in words
        self.only = next((word[5:].split(",") for word in words if word.startswith("only=")), [])
        self.folder = folder
        self.results: list[Result] = []
        #: What could not be measured, and why.
        self.failed: list[str] = []

    def wants(self, name: str) -> bool:
        return not self.only or any(word in name for word in self.only)

    def run(self, name: str, work: Callable[[], list[Result] | Coroutine[Any, Any, list[Result]]]) -> None:
        if not self.wants(name):
            return
        begun = time.perf_counter()
        try:
            found = work()
            self.results += found if isinstance(found, list) else asyncio.run(found)
        except Exception as error:
            # The others take half an hour, and are measured all the same.
            traceback.print_exc()
            self.failed.append(f"{name}: {type(error).__name__}: {error}")
        console.print(f"[dim]{name}: {time.perf_counter() - begun:.0f} s[/]")
        # After each: who ends it early has what was measured.
        self.write()

    def write(self) -> None:
        found = {"machine": MACHINE, "quick": self.quick, "results": [asdict(one) for one in self.results]}
        OUT.write_text(json.dumps(found, indent=2))


def everything(bench: Bench) -> None:
    quick, folder = bench.quick, bench.folder
    bench.run("pie", lambda: pictures.bench_pie(quick))
    bench.run("cold", lambda: pictures.bench_cold(quick))
    bench.run("start", lambda: pictures.bench_start(quick, folder))
    bench.run("foresight", lambda: foresight.bench_foresight(quick))
    with postgres(folder / "postgres") as create:
        bench.run("turns", lambda: telling.bench_turns(create("turns")))
        bench.run("pace", lambda: telling.bench_pace(create("pace"), quick))
        bench.run("fold", lambda: telling.bench_fold(create("fold"), quick))
        for size in (10_000,) if quick else (10_000, 100_000):
            lite = f"sqlite:///{folder}/polled_{size}.db"
            bench.run("poll", lambda lite=lite, size=size: polls.bench_poll(lite, size, "SQLite"))  # type: ignore[misc]
            bench.run("poll", lambda size=size: polls.bench_poll(create(f"polled_{size}"), size, "PostgreSQL"))  # type: ignore[misc]
        sizes = (10_000, 100_000) if quick else (10_000, 1_000_000, 10_000_000)
        on_one_database(bench, "SQLite", lambda name: f"sqlite:///{folder}/{name}.db", sizes)
        on_one_database(bench, "PostgreSQL", create, sizes)
    # Half of the time, and no row in which time counts.
    bench.run("memory of pies", lambda: pictures.bench_picture_memory(quick))
    bench.run("memory of imports", lambda: ledger.bench_import_memory(quick, folder))


def on_one_database(bench: Bench, kind: str, address: Callable[[str], str], sizes: tuple[int, ...]) -> None:
    made: dict[int, Account] = {}

    def account(size: int) -> Account:
        """Made once, and for a row that is wanted: ten million pieces take minutes."""
        if size not in made:
            begun = time.perf_counter()
            made[size] = open_account(address(f"account_{size}"), size)
            console.print(f"[dim]{size:,} pieces on {kind}: {time.perf_counter() - begun:.0f} s[/]")
        return made[size]

    least, middle, most = sizes[0], sizes[1], sizes[-1]
    bench.run("mix", lambda: ledger.bench_mix([account(size) for size in sizes]))
    bench.run("find", lambda: ledger.bench_find([account(size) for size in sizes]))
    bench.run("pages", lambda: pages.bench_pages(account(most)))
    bench.run("webhooks", lambda: front.bench_webhooks(account(middle), bench.quick, bench.folder))
    if kind == "SQLite":
        bench.run("ack", lambda: front.bench_ack(account(least), bench.quick))
    number = 40_000 if bench.quick else 300_000
    before = len(bench.results)
    if not bench.quick:
        bench.run("ingest", lambda: ledger.bench_ingest(account(least), 40_000))
    small = bench.results[before:]
    del bench.results[before:]
    bench.run("ingest", lambda: ledger.bench_ingest(account(most), number))
    if small and len(bench.results) > before:
        bench.results.append(growth(small[0], bench.results[before], account(most)))
    for one in made.values():
        one.database.close()


def growth(small: Result, now: Result, account: Account) -> Result:
    """How much more a row costs in the largest account than in the smallest."""
    share = now.ours / small.ours if account.kind == "SQLite" else small.ours / now.ours
    name = f"bulk ingest: growth of its cost from 10 k to {ledger.named(account.pieces)} pieces, {account.kind}"
    return Result(name, now.ours, small.ours, share, "–", None, now.unit)


def show(results: list[Result]) -> None:
    table = Table("promise", "ours", "floor", "unit", "ratio", "±", "goal", "")
    for one in results:
        floor = "–" if one.floor is None else f"{one.floor:,.2f}"
        held = {True: "held", False: "[red]short[/]", None: ""}[one.held]
        apart = f"{one.spread:.0%}" if one.spread else ""
        table.add_row(one.promise, f"{one.ours:,.2f}", floor, one.unit, f"{one.ratio:,.2f}", apart, one.goal, held)
    console.print(table)


def main() -> None:
    set_up_logging("console", logging.ERROR)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(sys.argv[1:], Path(folder))
        everything(bench)
    show(bench.results)
    bench.write()
    minutes = (time.perf_counter() - begun) / 60
    print(f"Medians; {MACHINE}; {minutes:.1f} minutes. ± is the distance of the quartiles. Written to {OUT}.")
    for one in bench.failed:
        print(f"✗ Not measured: {one}", file=sys.stderr)
    if bench.failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
