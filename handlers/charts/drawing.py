"""From what a picture shows to its PNG. Pure: values in, bytes out, each drawn once.

The pictures are made for a phone: Slack shows them some 320 pixels wide there, so nothing on the sheet is set smaller
than 48 of its 1080 pixels across. matplotlib is loaded with the first picture, here and nowhere else, for it is the one
slow import of the program.
"""

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeVar

from handlers.charts.values import Curve, Pair, Pie, States
from storage.statuses import LIFECYCLE

T = TypeVar("T")
#: One font cache and one renderer serve them all, so one picture at a time.
_AT_EASEL: Final = threading.Lock()


@lru_cache(maxsize=64)
def draw_pie(pie: Pie) -> bytes:
    """The picture as PNG, 1080×1350 pixels."""
    from handlers.charts import pie as painter  # noqa: PLC0415 - loads matplotlib

    return _draw(painter.draw, pie)


@lru_cache(maxsize=16)
def draw_curve(curve: Curve) -> bytes:
    """The picture as PNG, 1080×1350 pixels."""
    from handlers.charts import curve as painter  # noqa: PLC0415 - loads matplotlib

    return _draw(painter.draw, curve)


@lru_cache(maxsize=16)
def draw_pair(pair: Pair) -> bytes:
    """The picture as PNG, 1080 pixels wide and at most 1350 high."""
    from handlers.charts import pair as painter  # noqa: PLC0415 - loads matplotlib

    return _draw(painter.draw, pair)


@lru_cache(maxsize=16)
def draw_states(states: States) -> bytes:
    """The picture as PNG, 1080 pixels wide and at most 1350 high."""
    from handlers.charts import states as painter  # noqa: PLC0415 - loads matplotlib

    return _draw(painter.draw, states)


def _draw(draw: Callable[[T], Any], what: T) -> bytes:
    with _AT_EASEL:
        return bytes(draw(what))


def warm_up() -> None:
    """Loads matplotlib and its fonts, so that the first person who asks does not wait for it."""
    draw_pie(Pie("Ready", "", (1,) * len(LIFECYCLE), 0))
