"""Seven faults that the bot once had, each with a story in which it shows: without the cure it is found, with it all is well."""

from typing import Any

import pytest

from tests.simulation.runs import Player
from tests.simulation.script import DAY, HOUR, Event

pytestmark = pytest.mark.timeout(600)
#: The dice with which each of these stories is told, until one tells it so that it matters who comes first.
SEEDS = range(1, 9)
Lines = list[tuple[float, str, tuple[Any, ...]]]

BEGUN: Lines = [
    (0, "processes", (2,)),
    (1, "install", (0,)),
    (30, "connect", (0,)),
    (60, "type", (0, "U0ANA", "C0OPS", "on")),
    (700, "book", (0, 0, 2)),
    (2000, "moment", ()),
]
CAME_BACK: Lines = [(5000, "move", (0, "100", "RETURNED", (1.0,)))]
NINE = DAY + HOUR


def moments(*at: float) -> Lines:
    return [(one, "moment", ()) for one in at]


STORIES: dict[str, tuple[Lines, str]] = {
    "fence": (
        [
            *BEGUN,
            *CAME_BACK,
            (5001, "trap", ("read gather", 1, "pause", 400.0)),
            *moments(5100, 5130, 5230, 5300, 5390, 5480),
        ],
        "has 2 cards",
    ),
    "digest": (
        [
            *BEGUN,
            *CAME_BACK,
            (NINE - 300, "move", (0, "101", "HANDED_OVER", (1.0,))),
            (NINE + 1, "trap", ("read _account", 1, "pause", 400.0)),
            *moments(NINE + 2, *(NINE + 60 * minute for minute in range(1, 12))),
        ],
        "read the same digest twice",
    ),
    "news": (
        [
            (0, "processes", (2,)),
            (0, "book", (0, 0, 4)),
            *[(DAY + number, "move", (0, f"10{number}", "RETURNED", ())) for number in range(4)],
            (5 * DAY, "install", (0,)),
            (5 * DAY + 60, "connect", (0,)),
            (5 * DAY + 120, "type", (0, "U0ANA", "C0OPS", "on")),
            *moments(6 * DAY, 6.5 * DAY),
        ],
        "was told of old mail",
    ),
    "jobs": (
        [
            *BEGUN,
            (5000, "trap", ("written _begin", 1, "crash", 5.0)),
            (5001, "press", (0, "U0ANA", "cancel_piece", "100")),
            *moments(5010, 5100, 5300),
        ],
        "has not ended",
    ),
    "singles": (
        [
            *BEGUN,
            (2500, "install", (1,)),
            *[
                line
                for at in (4000, 8000, 12000)
                for line in (
                    (at, "install", (1,)),
                    (at + 98, "crowd", (True,)),
                    (at + 99, "crowd", (True,)),
                    (at + 104.5, "leave", (1, (0.5,))),
                    (at + 107, "crowd", (True,)),
                    (at + 113, "crowd", (True,)),
                    (at + 119, "crowd", (True,)),
                )
            ],
        ],
        "reads what is true of another",
    ),
    "facts": (
        [
            *BEGUN,
            *[(90, "clock", (number, HOUR)) for number in range(2)],
            *[(2100, "clock", (number, 0.0)) for number in range(2)],
            (2200, "move", (0, "100", "HANDED_OVER", ())),
            *moments(2900, 3600, 4300, 5000),
        ],
        "known as (Decimal('0.84')",
    ),
    "unblock": (
        [
            *BEGUN,
            (2500, "close", (0, "C0OPS", "archived", 3 * HOUR)),
            (3000, "move", (0, "100", "RETURNED", (1.0,))),
            *moments(3100, 8000),
            (20_000, "move", (0, "101", "RETURNED", (1.0,))),
            *moments(20_100, 30_000),
        ],
        "was never told that 101 is returned",
    ),
}


def events_of(lines: Lines) -> list[Event]:
    ordered = sorted(lines, key=lambda one: one[0])
    return [Event(at, number, kind, facts) for number, (at, kind, facts) in enumerate(ordered)]


#: What was found in the bot by a seed, and mended: the shortest story of each.
FOUND: dict[str, Lines] = {
    # The database was away for a moment just when a digest had been posted: it was posted again.
    "a digest whose record is late": [
        *BEGUN,
        *CAME_BACK,
        (NINE - 300, "move", (0, "101", "HANDED_OVER", (1.0,))),
        (NINE + 1, "trap", ("before told", 1, "cut", 40.0)),
        *moments(NINE + 2, *(NINE + 60 * minute for minute in range(1, 12))),
    ],
}


@pytest.mark.parametrize("story", FOUND)
def test_what_was_found_stays_mended(story: str) -> None:
    world = Player().play(SEEDS[0], events_of(FOUND[story]))
    assert any("loses the database" in line for line in world.trace)
    assert world.faults == [], world.trace


@pytest.mark.parametrize("cure", STORIES)
def test_without_its_cure_a_fault_is_found(cure: str) -> None:
    lines, found = STORIES[cure]
    events = events_of(lines)
    sick, well, seen = Player(cure), Player(), list[str]()
    for seed in SEEDS:
        assert well.play(seed, events).faults == []
        seen = sick.play(seed, events).faults
        if any(found in fault for fault in seen):
            return
    pytest.fail(f"without {cure} nothing is found: {seen}")
