"""What `make test` tries today of more than it has time for: the same all day, something else tomorrow.

`PIECEWISE_DAY` plays the sample of that day again.
"""

import os
import zlib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final, TypeVar

T = TypeVar("T")
# Workers are started by the process that set it: at midnight they must not choose another sample than it did.
DAY: Final = os.environ.setdefault("PIECEWISE_DAY", str(datetime.now(UTC).date()))


def turn(name: str, choices: int, day: str = DAY) -> int:
    """Whose turn it is today, from 0: each choice's comes once in as many days, and not on the same day for all names."""
    return (zlib.crc32(name.encode()) + date.fromisoformat(day).toordinal()) % choices


def one_a_day(things: Iterable[tuple[str, T]]) -> list[T]:
    """Of the things of one name, the one whose turn it is; in their order."""
    kept = list(things)
    named: dict[str, list[T]] = {}
    for name, thing in kept:
        named.setdefault(name, []).append(thing)
    chosen = {id(same[turn(name, len(same))]) for name, same in named.items()}
    return [thing for _, thing in kept if id(thing) in chosen]
