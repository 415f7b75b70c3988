"""The curve: the name of its pale band never stands on the line, however the campaign goes."""

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib.lines import Line2D
from matplotlib.text import Text

from handlers.charts import curve
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
