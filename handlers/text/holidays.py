"""Holidays that people name in the place of a day: "since Thanksgiving", "in home by Christmas"."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

MONDAY, THURSDAY = 0, 3
#: Month, weekday, and the earliest day that it may be.
MEMORIAL: Final = (5, MONDAY, 25)
LABOR: Final = (9, MONDAY, 1)
THANKSGIVING: Final = (11, THURSDAY, 22)
_MOVING: Final = {"memorial": MEMORIAL, "labor": LABOR, "thanksgiving": THANKSGIVING}
_FIXED: Final = {
    "new years": (1, 1), "juneteenth": (6, 19), "independence": (7, 4), "4th of july": (7, 4), "fourth of july": (7, 4),
    "july fourth": (7, 4), "veterans": (11, 11), "christmas": (12, 25), "xmas": (12, 25),
}  # fmt: skip
#: How they are written.
NAMES: Final = (
    r"(?:(?:memorial|labor|independence|veteran['’]?s['’]?) day|(?:thanksgiving|christmas|new year['’]?s)(?: day)?"
    r"|juneteenth|xmas|(?:the )?(?:4th|fourth) of july|july fourth)"
)


def nth(year: int, month: int, weekday: int, earliest: int) -> date:
    """The first such weekday from this day of the year on."""
    first = date(year, month, earliest)
    return first + timedelta(days=(weekday - first.weekday()) % 7)


def days(name: str, years: range) -> Iterator[date]:
    """The holiday of this name in each of these years, in their order; none for what is no holiday."""
    key = re.sub(r"['’]|^the | day$", "", name.casefold())
    if key in _MOVING:
        yield from (nth(year, *_MOVING[key]) for year in years)
    if key in _FIXED:
        yield from (date(year, *_FIXED[key]) for year in years)


def last(name: str, today: date) -> date:
    """The last time that it was this holiday. Raises StopIteration for what is none."""
    return next(day for day in days(name, range(today.year, today.year - 2, -1)) if day <= today)
