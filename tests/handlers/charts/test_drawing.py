"""The pie: shares that add up, colors that stay apart, a legend that fits at any mix."""

import io
import os
import random
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.patches import Circle
from matplotlib.text import Text
from PIL import Image

from handlers.charts import canvas, drawing, pie
from handlers.charts.drawing import draw_pie
from handlers.charts.values import Curve, Pair, Pie, States
from handlers.forecast.model import Point
from handlers.text import formatting
from handlers.text.mixes import rows_of
from handlers.text.status_styles import FRAME, PAPER, STYLES, lightness
from storage.statuses import LIFECYCLE

counts = st.lists(st.integers(0, 10_000_000) | st.just(0), min_size=len(LIFECYCLE), max_size=len(LIFECYCLE)).map(tuple)
MIXES = {
    "one status only": (0, 0, 0, 0, 0, 240, 0, 0),
    "every status": (10, 40, 200, 340, 120, 900, 30, 12),
    "slivers": (1, 1, 1, 1, 1, 994, 1, 0),
    "ten million": (1_000_000, 500_000, 2_500_000, 1_000_000, 1_000_000, 3_900_000, 99_999, 1),
    "nothing": (0,),
    "one in ten million": (0, 0, 0, 0, 0, 9_999_999, 1, 0),
    "halves": (1, 0, 0, 0, 0, 1, 0, 0),
}
DAY = date(2026, 11, 2)
#: Statuses that came later have none.
MIXES = {name: (numbers + (0,) * len(LIFECYCLE))[: len(LIFECYCLE)] for name, numbers in MIXES.items()}


def pixels(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def rgb(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color[1:]))


@given(numbers=st.lists(st.integers(0, 10**9), min_size=1, max_size=9))
def test_shares_sum_to_the_total(numbers: list[int]) -> None:
    parts = formatting.wholes(numbers)
    assert sum(parts) == (100 if sum(numbers) else 0)
    assert all(part >= 0 for part in parts)
    # No share is a whole per cent away from the truth.
    assert all(
        abs(part * sum(numbers) - number * 100) < sum(numbers) or not number
        for part, number in zip(parts, numbers, strict=True)
    )


@given(numbers=st.lists(st.integers(0, 10**7), min_size=2, max_size=9))
def test_a_full_share_means_everything_and_none_means_nothing(numbers: list[int]) -> None:
    for text, number in zip(formatting.shares(numbers), numbers, strict=True):
        assert (text == "100%") == (number == sum(numbers) > 0)
        assert (text == "0%") == (number == 0)


@pytest.mark.parametrize("numbers", MIXES.values(), ids=MIXES)
def test_every_status_that_holds_a_piece_is_seen_in_its_exact_color(numbers: tuple[int, ...]) -> None:
    drawn = Pie("Spring lapsed", "Nov 2, 2026, 5:42 PM CST", numbers, 0)
    png = draw_pie(drawn)
    image = pixels(png)
    assert image.width == 1080
    assert 1000 <= image.height <= 1350
    assert len(png) <= 64 * 1024
    where = pie.place(*head_and_lines(drawn))
    x, y = where.center[0], canvas.HEIGHT - where.center[1]
    ring = [int(x - where.radius), int(y - where.radius), int(x + where.radius), int(y + where.radius)]
    seen = Counter(image.crop((ring[0], ring[1], ring[2], ring[3])).get_flattened_data())
    area = where.radius**2 * 3.1416 * (1 - pie.HOLE**2)
    rows = rows_of(drawn.mix)
    for row, sweep in zip(rows, pie.sweeps(rows) if rows else [], strict=True):
        # Labels and white lines take a little of each wedge.
        assert seen[rgb(row.style.color)] / area == pytest.approx(sweep / 360, abs=0.035)
        assert seen[rgb(row.style.color)] > 200, row.style.label


def head_and_lines(drawn: Pie) -> tuple[float, int]:
    figure = canvas.sheet()
    rows, where = pie.compose(figure, drawn)
    return where.head, len(rows)


@given(numbers=counts.filter(any))
def test_no_wedge_is_too_small_to_be_seen_and_all_go_once_round(numbers: tuple[int, ...]) -> None:
    rows = rows_of(Pie("", "", numbers, 0).mix)
    found = pie.sweeps(rows)
    assert sum(found) == pytest.approx(360)
    assert min(found) >= pie.SLIVER - 1e-9 or len(rows) == 1


NAMES = (
    "Spring lapsed",
    "W" * 80,
    "i" * 400,
    "Äpfel & Söhne <3",
    "春のキャンペーン",
    "🎄 Holiday 🎄",
    "🎄" * 40,
    "",
    "a " * 120,
)
BLEED = 3


def boxes_fit(seed: int) -> None:
    """Whatever the title and the mix: nothing leaves the sheet, and no text runs into another."""
    chance = random.Random(seed)
    letters = "abcdefghij WMil.,-&ÄÖß漢字🎄\u0301\u202e$_^{}"
    name = chance.choice([*NAMES, "".join(chance.choices(letters, k=chance.randrange(90)))])
    numbers = tuple(chance.choice([0, 0, 1, chance.randrange(10 ** chance.randrange(1, 8))]) for _ in LIFECYCLE)
    drawn = Pie(name, "Ordered Nov 2–9, 2026 · Nov 9, 2026, 12:42 PM CST", numbers, chance.choice([0, 0, 3]))
    figure = canvas.easel()
    rows, where = pie.compose(figure, drawn)
    surface: Any = figure.canvas
    renderer = surface.get_renderer()
    found = [artist.get_window_extent(renderer) for artist in figure.get_children()[1:] if isinstance(artist, Text)]
    canvas.clear(figure)
    assert all(one.x0 >= 0 and one.y0 >= 0 and one.x1 <= canvas.WIDTH and one.y1 <= canvas.HEIGHT for one in found), (
        drawn
    )
    for one, other in combinations(found, 2):
        apart = one.x1 <= other.x0 or other.x1 <= one.x0 or one.y1 <= other.y0 + BLEED or other.y1 <= one.y0 + BLEED
        assert apart, (drawn, one, other)
    assert where.radius > 150, drawn
    # The ring ends over the legend, and that over the foot.
    assert where.center[1] - where.radius > where.first + pie.LINE / 2
    assert where.first - (len(rows) - 0.5) * pie.LINE >= canvas.FOOT


@pytest.mark.parametrize("part", range(4))
def test_no_text_is_clipped_or_runs_into_another(part: int) -> None:
    for seed in range(part * 2500, part * 2500 + (2500 if os.environ.get("PIECEWISE_LONG") else 20)):
        boxes_fit(seed)


@given(title=st.text(max_size=60), numbers=counts, other=st.integers(0, 100))
@settings(max_examples=25, deadline=None)
def test_no_title_makes_it_fail_or_warn(title: str, numbers: tuple[int, ...], other: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert draw_pie(Pie(title, title, numbers, other)).startswith(b"\x89PNG")


def test_neighbors_in_the_pie_stay_apart_in_gray_and_for_color_blind_eyes() -> None:
    used = [STYLES[status].color for status in LIFECYCLE]
    for first, second in zip(used, [*used[1:], used[0]], strict=True):
        assert contrast(first, second) >= 1.4, (first, second)
        for blindness in BLINDNESS.values():
            assert distance(blindness, first, second) >= 40, (first, second)


def test_each_color_ends_in_a_line_that_stands_out_from_the_paper() -> None:
    """WCAG 2.2, 1.4.11: three to one. Pale colors do not reach it by themselves; the legend's words need no color."""
    assert contrast(FRAME, PAPER) >= 3
    ring = canvas.easel()
    pie.compose(ring, Pie("Spring", "now", MIXES["every status"], 5))
    lines = [one for one in ring.artists if isinstance(one, Circle)]
    assert len(lines) == 2
    assert all(to_hex(one.get_edgecolor()).upper() == FRAME for one in lines)
    canvas.clear(ring)


def test_all_eight_stay_apart_for_color_blind_eyes() -> None:
    used = [STYLES[status].color for status in LIFECYCLE]
    for blindness in BLINDNESS.values():
        closest = min(distance(blindness, a, b) for i, a in enumerate(used) for b in used[i + 1 :])
        assert closest >= 25


def contrast(first: str, second: str) -> float:
    low, high = sorted((lightness(first), lightness(second)))
    return (high + 0.05) / (low + 0.05)


#: How the two common kinds see red, green and blue (Viénot, Brettel and Mollon 1999, simplified to sRGB).
BLINDNESS = {
    "deuteranopia": ((0.29, 0.71, 0.0), (0.29, 0.71, 0.0), (-0.02, 0.02, 1.0)),
    "protanopia": ((0.11, 0.89, 0.0), (0.11, 0.89, 0.0), (0.0, 0.0, 1.0)),
}


def distance(blindness: tuple[tuple[float, ...], ...], first: str, second: str) -> float:
    def seen(color: str) -> list[float]:
        return [sum(weight * part for weight, part in zip(row, rgb(color), strict=True)) for row in blindness]

    return float(sum((a - b) ** 2 for a, b in zip(seen(first), seen(second), strict=True)) ** 0.5)


def test_threads_draw_the_same_picture() -> None:
    pie = Pie("Spring", "now", MIXES["every status"], 0)
    plain = draw_pie.__wrapped__
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: plain(pie), range(8)))) == 1


@pytest.mark.parametrize(
    ("draw", "shown", "size"),
    [
        (drawing.draw_pie, Pie("Once", "now", MIXES["every status"], 0), (1080, 1350)),
        (drawing.draw_curve, Curve("Once", "now", (Point(DAY, 0.5, 0.4, 0.6),), DAY), (1080, 1350)),
        (drawing.draw_pair, Pair(("Once", "Twice"), ((*MIXES["halves"], 0), (*MIXES["halves"], 1))), None),
        (drawing.draw_states, States("Once", "now", (("TX", 1, 9),)), None),
    ],
)
def test_each_kind_of_picture_is_drawn_once_and_kept(draw: Any, shown: Any, size: tuple[int, int] | None) -> None:
    draw.cache_clear()
    png = draw(shown)
    assert draw(shown) is png
    width, height = pixels(png).size
    assert (width, height) == (size or (1080, height))
    assert height <= 1350


def test_who_asks_first_waits_for_no_fonts() -> None:
    draw_pie.cache_clear()
    drawing.warm_up()
    assert draw_pie.cache_info().misses == 1, "a picture was drawn"
