"""The bounded form of `make simulate`: the same seed is the same story, and in none of these is anything broken."""

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.simulation.runs import Player
from tests.simulation.script import Event
from tests.simulation.shrink import shrink

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def player() -> Player:
    return Player()


@pytest.mark.parametrize("seed", [1])
def test_a_seed_is_the_same_story_each_time(player: Player, seed: int) -> None:
    first, again = player.play(seed), Player().play(seed)
    assert first.trace == again.trace
    assert first.hash == again.hash
    assert player.play(seed + 1).hash != first.hash


def played(*words: str) -> subprocess.CompletedProcess[str]:
    """What `make simulate` says to this."""
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", "workers=1", *words],
        cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_always_the_same_seeds_hold_what_must_hold() -> None:
    done = played("seeds=6", "first=1")
    assert done.returncode == 0, done.stdout + done.stderr


def test_new_seeds_each_day_hold_what_must_hold() -> None:
    first = 1000 * (datetime.now(UTC).date().toordinal() % 100_000)
    print(f"Seeds from {first} on: make simulate ARGS='seeds=4 first={first}'")
    done = played("seeds=4", f"first={first}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_some_seeds_on_postgresql_hold_what_must_hold(postgres: str) -> None:
    done = played("seeds=2", "first=2", f"database={postgres}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_story_is_shortened_to_what_it_needs() -> None:
    events = [Event(float(number), number, "tick", (number,)) for number in range(40)]

    def still(some: Sequence[Event]) -> bool:
        return {7, 23} <= {event.number for event in some}

    assert [event.number for event in shrink(events, still)] == [7, 23]
