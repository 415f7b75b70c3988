"""Plays seeds, in as many processes as there are cores, and tells what they came to."""

import gc
import itertools
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sqlalchemy import make_url

from storage.database import open_database
from tests.simulation import neighbors
from tests.simulation.cures import without
from tests.simulation.script import Event, script
from tests.simulation.shrink import kind_of, shrink
from tests.simulation.store import OnPostgres, Store
from tests.simulation.world import World

#: The order of a set of texts changes from one process to the next unless this is set.
HASHES = "PYTHONHASHSEED"
#: Of so many seeds, one is played with and without its other customers, too.
ALONE = 5


@dataclass(frozen=True)
class Ended:
    """What became of a seed."""

    seed: int
    hash: str
    faults: tuple[str, ...]
    seconds: float


def _of_its_own(url: str) -> str:
    """A new database of this process on the server at this address."""
    name = f"simulated_{os.getpid()}_{next(_NUMBERS)}"
    admin = open_database(url)
    with admin.reader.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    admin.close()
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@contextmanager
def _unswept() -> Iterator[None]:
    """Garbage is swept up between two stories: a tenth of the time, and what is swept runs in nobody's story."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Player:
    """Plays seeds one after the other, on one database: in memory, or a PostgreSQL at this address, of which nothing
    else stays. `lacking`: cures that are taken out."""

    def __init__(self, lacking: str = "", url: str = "") -> None:
        self.store = OnPostgres(_of_its_own(url)) if url else Store()
        self.lacking = lacking

    def play(self, seed: int, events: Sequence[Event] | None = None) -> World:
        """The story of this seed, or of these of its events."""
        with without(self.lacking), _unswept():
            return World(seed, list(script(seed) if events is None else events), self.store).tell()

    def shortest(self, seed: int, world: World) -> list[Event]:
        """The fewest events in which the first thing that is broken in this story is still broken."""
        kind = kind_of(world.faults[0])

        def still(events: Sequence[Event]) -> bool:
            return any(kind_of(fault) == kind for fault in self.play(seed, events).faults)

        return shrink(world.events, still)

    def ended(self, seed: int) -> Ended:
        began = time.process_time()
        world = self.play(seed)
        faults = [*world.faults, *(self.neighbors(seed, world.events) if seed % ALONE == 0 else [])]
        return Ended(seed, world.hash, tuple(faults), time.process_time() - began)

    def neighbors(self, seed: int, events: Sequence[Event]) -> list[str]:
        """What becomes of a customer only because of the others."""
        whole = neighbors.calm(events)
        if len(neighbors.customers(whole)) < 2:
            return []
        together = neighbors.outcome(self.play(seed, whole), 0)
        by_itself = neighbors.outcome(self.play(seed, neighbors.alone(whole, 0)), 0)
        differing = [name for name in together if together[name] != by_itself[name]]
        return [f"{one} of T0 depend on the others: {together[one]} / {by_itself[one]}" for one in differing]


_NUMBERS = itertools.count(1)
_PLAYERS: list[Player] = []


def _ended(seed: int, lacking: str, url: str) -> Ended:
    if not _PLAYERS:
        _PLAYERS.append(Player(lacking, url))
    return _PLAYERS[0].ended(seed)


def several(seeds: Sequence[int], workers: int = 2, lacking: str = "", url: str = "") -> Iterator[Ended]:
    """What became of these seeds, as they end. `url`: of a PostgreSQL on which they are played; else in memory."""
    with ExitStack() as stack:
        if workers == 1:
            yield from (_ended(seed, lacking, url) for seed in seeds)
            return
        # A worker that dies is told: a pool of `multiprocessing` would wait for it for ever.
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
        stack.callback(pool.shutdown, cancel_futures=True)
        for done in as_completed([pool.submit(_ended, seed, lacking, url) for seed in seeds]):
            yield done.result()


def with_fixed_hashes(module: str) -> None:
    """Begins this program anew where the order of sets is not the same each time."""
    if os.environ.get(HASHES) != "0":
        os.environ[HASHES] = "0"
        os.execv(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]])  # noqa: S606 - itself
