"""The curve: the name of its pale band never stands on the line, however the campaign goes."""

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib.lines import Line2D
from matplotlib.text import Text

from handlers.charts import curve
from handlers.charts.canvas import SMALL
from handlers.charts.curve import BOTTOM, GAP, LEFT, RIGHT
from handlers.charts.values import Curve
from handlers.forecast.model import Point
from tests.strategies import GENTLE

FIRST = date(2026, 11, 2)
#: USPS's window: nothing before the fourth day, nearly all after the seventh.
WINDOW = [(0.0, 0.0)] * 3 + [(0.0, 0.3), (0.1, 0.6), (0.4, 0.9), (0.8, 0.97)] + [(0.9, 0.97)] * 23


@GENTLE
@given(st.integers(9, 30), st.integers(0, 12), st.data())
@example(10, 0, None)
def test_the_bands_name_stands_clear_of_the_line(days: int, ahead: int, data: st.DataObject | None) -> None:
    number = max(days - ahead, 1)
    shares = st.lists(st.floats(0, 0.97), min_size=number, max_size=number)
    # Where nothing is drawn at random: a slow campaign, whose line ends where the name stood once.
    known = sorted(data.draw(shares)) if data else [0.085 * n for n in range(number)]
    points = tuple(
        Point(FIRST + timedelta(days=n), known[n] if n < len(known) else None, *WINDOW[n], WINDOW[n])
        for n in range(days)
    )
    today = FIRST + timedelta(days=len(known) - 1)
    drawn = curve.figure_of(Curve("Spring", "Half is there.", points, today, "USPS's 4–7 days")).get_children()
    (name,) = [one for one in drawn if isinstance(one, Text) and one.get_text() == "USPS's 4–7 days"]
    thick = [one for one in drawn if isinstance(one, Line2D) and one.get_linewidth() == 3]
    box = name.get_window_extent()
    assert box.x0 >= 0
    for line in thick:
        ends: list[tuple[float, float]] = line.get_xydata().tolist()  # type: ignore[union-attr]
        for (x, y), (next_x, next_y) in pairwise(ends):
            for part in range(11):
                at, up = x + (next_x - x) * part / 10, y + (next_y - y) * part / 10
                assert not (box.x0 <= at <= box.x1 and box.y0 <= up <= box.y1)


#: Where a band ends, and the upper end of the field.
LOW, HIGH = BOTTOM + 400, BOTTOM + 700
TOP = BOTTOM + 900


def spot(*line: tuple[float, float], low: float = LOW, high: float = HIGH) -> tuple[float, float]:
    """Where "usual" stands on a band that widens to these heights."""
    band = [(float(LEFT), (BOTTOM + 0.0, BOTTOM + 0.0)), (float(RIGHT), (low, high))]
    return curve.spot_of_name(band, line, "usual", TOP)


def test_the_bands_name_stands_under_its_end() -> None:
    assert spot() == (RIGHT, LOW - SMALL * 0.8)
    # Where the band ends at the foot there is no room below it: the name stands in the field.
    assert spot(low=BOTTOM) == (RIGHT, BOTTOM + SMALL)


def test_the_bands_name_stands_beside_todays_mark_where_that_runs_down_through_it() -> None:
    at_end = spot((LEFT, BOTTOM), (RIGHT - 1, HIGH))
    assert at_end == (RIGHT - 1 - 2 * GAP, LOW - SMALL * 0.8)
    assert spot((LEFT, BOTTOM), (RIGHT - 1, BOTTOM + 30)) == spot(), "the mark ends below it"
    assert spot((LEFT, BOTTOM), ((LEFT + RIGHT) / 2, HIGH)) == spot(), "or stands far from it"


def test_the_bands_name_stands_neither_on_the_line_nor_on_its_per_cent() -> None:
    under_end = LOW - SMALL * 0.8
    on_line = spot((LEFT, under_end), (RIGHT, under_end))
    assert abs(on_line[1] - under_end) > SMALL / 2 + GAP
    # The per cent stands over the line's end, just where the name would.
    on_share = spot((LEFT, BOTTOM), (RIGHT, under_end - SMALL * 0.8))
    assert on_share[1] != under_end


def test_the_per_cent_stands_above_the_line_at_the_right_and_below_it_at_the_left_or_where_there_is_no_room() -> None:
    left, right = LEFT + 100.0, RIGHT - 100.0
    assert curve.height_of_share(right, LOW, TOP) > LOW
    assert curve.height_of_share(left, LOW, TOP) < LOW
    assert curve.height_of_share((LEFT + RIGHT) / 2, LOW, TOP) < LOW, "in the middle it is as at the left"
    assert curve.height_of_share(right, TOP - 10, TOP) < TOP - 10
    assert curve.height_of_share(left, BOTTOM, TOP) == BOTTOM + SMALL, "never under the field"
