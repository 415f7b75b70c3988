"""Makes a failing story short: leaves out events for as long as the same thing stays broken."""

import re
from collections.abc import Callable, Sequence

from tests.simulation.script import Event

#: So many shorter stories are tried.
TRIES = 150


def kind_of(fault: str) -> str:
    """What is broken, without which piece, channel or number it is broken for."""
    return re.sub(r"[\d:./-]+|\b(C0\w+|U0\w+|T\d+)\b", "#", fault.splitlines()[0])[:90]


def shrink(events: Sequence[Event], still: Callable[[Sequence[Event]], bool], tries: int = TRIES) -> list[Event]:
    """The fewest events found of which `still` holds: halves are left out first, then less and less, at last each."""
    kept, size = list(events), max(1, len(events) // 2)
    while tries > 0:
        start, before = 0, len(kept)
        while start < len(kept) and tries > 0:
            shorter = kept[:start] + kept[start + size :]
            tries -= 1
            if shorter and still(shorter):
                kept = shorter
            else:
                start += size
        if size == 1 and len(kept) == before:
            break
        size = max(1, size // 2)
    return kept
