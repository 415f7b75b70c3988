"""The bounded form of `make foresight`: three worlds, a few campaigns each, always the same ones."""

import pytest

from tests.foresight.judge import judge, row
from tests.foresight.worlds import WORLDS, World

SEEDS = 6
LOOKED_AT = [one for one in WORLDS if one.name in ("plain", "December", "one campaign of history")]


@pytest.mark.parametrize("world", LOOKED_AT, ids=str)
def test_what_is_foretold_comes_true_and_never_falls(world: World) -> None:
    start, later = (row(world, tally) for tally in judge(world, SEEDS))
    # Of so few campaigns the share is rough: the long form holds it to 75 to 85%.
    assert start["coverage"] >= 60
    assert later["coverage"] >= 60
    assert later["width"] <= 3
    assert later["score"] < 0.9
    for numbers in (start, later):
        assert numbers["stale"] == 0
        assert numbers["falling"] == 0
        assert abs(numbers["bias"]) <= 2
