"""The bounded form of `make simulate`: the same seed is the same story, and in none of these is anything broken."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.runs import Player

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def player() -> Player:
    return Player()


@pytest.mark.parametrize("seed", [2, 3])
def test_a_seed_is_the_same_story_each_time(player: Player, seed: int) -> None:
    first, again = player.play(seed), Player().play(seed)
    assert first.trace == again.trace
    assert first.hash == again.hash
    assert player.play(seed + 1).hash != first.hash


def test_seeds_hold_what_must_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "seeds=20", "first=1", "workers=1"],
        cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
