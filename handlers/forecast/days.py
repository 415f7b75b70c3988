"""On which days mail is delivered: not on Sundays and federal holidays, and more slowly in December.

Days are counted as delivery days: a campaign that was handed over on the Friday before Labor Day would else look late.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from handlers.text import holidays as named

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
else:
    from handlers.forecast.later import Later

    np = Later("numpy")

SUNDAY: Final = 6
MONDAY: Final = 0
DECEMBER: Final = 12
#: Of which days it is known whether mail is delivered.
FIRST: Final = date(1999, 1, 1)
LAST: Final = date(2101, 12, 31)
#: Federal holidays that stay on their day: New Year's, Juneteenth, Independence, Veterans and Christmas Day.
FIXED: Final = ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25))
#: And those that stay on a weekday: month, weekday, and the earliest day that it may be.
#: King, Presidents, Memorial, Labor, Columbus, Thanksgiving.
MOVING: Final = (
    (1, MONDAY, 15),
    (2, MONDAY, 15),
    named.MEMORIAL,
    named.LABOR,
    (10, MONDAY, 8),
    named.THANKSGIVING,
)


@lru_cache(maxsize=256)
def holidays(year: int) -> frozenset[date]:
    """The days of a year on which USPS keeps a federal holiday. One that falls on a Sunday is kept on the Monday."""
    found = {date(year, month, day) for month, day in FIXED}
    found |= {one + timedelta(days=1) for one in found if one.weekday() == SUNDAY}
    return frozenset(found | {named.nth(year, *one) for one in MOVING})


def is_open(day: date) -> bool:
    """Whether mail is delivered on this day."""
    return day.weekday() != SUNDAY and day not in holidays(day.year)


@lru_cache(maxsize=1)
def _counted() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many delivery days there were until each day, and how many of them in a December."""
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    opened = np.array([is_open(day) for day in days])
    busy = opened & np.array([day.month == DECEMBER for day in days])
    return np.cumsum(opened), np.cumsum(busy)


def _place(day: date) -> int:
    return (min(max(day, FIRST), LAST) - FIRST).days


def delivery_days(first: date, last: date) -> int:
    """The days after the one until the other on which mail is delivered; below zero when it lies before."""
    counted, _ = _counted()
    return int(counted[_place(last)] - counted[_place(first)])


def later(first: date, days: int) -> date:
    """The day so many delivery days after this one."""
    counted, _ = _counted()
    begin = _place(first)
    if days <= 0:
        return first
    place = int(np.searchsorted(counted, counted[begin] + days))
    return FIRST + timedelta(days=min(place, len(counted) - 1))


def pace(first: date, offsets: NDArray[np.int64]) -> tuple[Numbers, Numbers]:
    """Delivery days from this day to those so many days after it: plain ones, and those of a December."""
    counted, busy = _counted()
    begin = _place(first)
    places = np.clip(begin + offsets, 0, len(counted) - 1)
    slow = (busy[places] - busy[begin]).astype(float)
    return (counted[places] - counted[begin]) - slow, slow


def spans(firsts: NDArray[np.int64], days: NDArray[np.int64]) -> NDArray[np.int64]:
    """`delivery_days` of many at once: from days given as ordinals, so many days on."""
    counted, _ = _counted()
    begin = np.clip(firsts - FIRST.toordinal(), 0, len(counted) - 1)
    end = np.clip(begin + days, 0, len(counted) - 1)
    return np.asarray(counted[end] - counted[begin])
