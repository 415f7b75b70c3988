"""Plays seeds, in as many processes as there are cores, and tells what they came to."""

import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tests.simulation.script import Event, script
from tests.simulation.store import Store
from tests.simulation.world import World

#: The order of a set of texts changes from one process to the next unless this is set.
HASHES = "PYTHONHASHSEED"


@dataclass(frozen=True)
class Ended:
    """What became of a seed."""

    seed: int
    hash: str
    faults: tuple[str, ...]
    seconds: float


class Player:
    """Plays seeds one after the other, on one database."""

    def __init__(self) -> None:
        self.store = Store()

    def play(self, seed: int, events: Sequence[Event] | None = None) -> World:
        """The story of this seed, or of these of its events."""
        return World(seed, list(script(seed) if events is None else events), self.store).tell()

    def ended(self, seed: int) -> Ended:
        began = time.process_time()
        world = self.play(seed)
        return Ended(seed, world.hash, tuple(world.faults), time.process_time() - began)


_PLAYERS: list[Player] = []


def _ended(seed: int) -> Ended:
    if not _PLAYERS:
        _PLAYERS.append(Player())
    return _PLAYERS[0].ended(seed)


def several(seeds: Sequence[int], workers: int = 2) -> Iterator[Ended]:
    """What became of these seeds, as they end."""
    with ExitStack() as stack:
        if workers == 1:
            yield from map(_ended, seeds)
            return
        pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(workers))
        yield from pool.imap_unordered(_ended, seeds, chunksize=4)


def with_fixed_hashes(module: str) -> None:
    """Begins this program anew where the order of sets is not the same each time."""
    if os.environ.get(HASHES) != "0":
        os.environ[HASHES] = "0"
        os.execv(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]])  # noqa: S606 - itself
