"""The pie: shares that add up, colors that stay apart, a legend that fits at any mix."""

import io
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from handlers.charts import drawing as charts
from handlers.charts.drawing import Pie, draw_pie, lightness
from handlers.text import formatting
from handlers.text.status_styles import STYLES
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
#: Statuses that came later have none.
MIXES = {name: (numbers + (0,) * len(LIFECYCLE))[: len(LIFECYCLE)] for name, numbers in MIXES.items()}


def pixels(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def rgb(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color[1:]))


@given(numbers=st.lists(st.integers(0, 10**9), min_size=1, max_size=9))
def test_shares_sum_to_the_total(numbers: list[int]) -> None:
    parts = formatting.tenths(numbers)
    assert sum(parts) == (1000 if sum(numbers) else 0)
    assert all(part >= 0 for part in parts)
    # No share is a whole tenth away from the truth.
    assert all(
        abs(part * sum(numbers) - number * 1000) < sum(numbers) or not number
        for part, number in zip(parts, numbers, strict=True)
    )


@given(numbers=st.lists(st.integers(0, 10**7), min_size=2, max_size=9))
def test_a_full_share_means_everything_and_none_means_nothing(numbers: list[int]) -> None:
    for text, number in zip(formatting.shares(numbers), numbers, strict=True):
        assert (text == "100.0 %") == (number == sum(numbers) > 0)
        assert (text == "0.0 %") == (number == 0)


@pytest.mark.parametrize("numbers", MIXES.values(), ids=MIXES)
def test_every_mix_draws_its_statuses_in_their_exact_colors(numbers: tuple[int, ...]) -> None:
    png = draw_pie(Pie("Spring lapsed", "Ordered in November 2026", numbers, 0))
    image = pixels(png)
    assert image.size == (1280, 800)
    assert len(png) <= 45 * 1024
    seen = Counter(image.crop((40, 160, 620, 760)).get_flattened_data())
    total = sum(numbers)
    for status, number in zip(LIFECYCLE, numbers, strict=True):
        share = seen[rgb(STYLES[status].color)] / (charts.RADIUS**2 * 3.1416)
        expected = number / total if total else 0
        # Labels and white lines take a little of each wedge.
        assert share == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("numbers", MIXES.values(), ids=MIXES)
def test_the_legend_never_overlaps_the_pie_or_itself(numbers: tuple[int, ...]) -> None:
    image = pixels(draw_pie(Pie("W" * 80, "W" * 120, numbers, 7)))
    paper = (255, 255, 255)
    # Between pie and legend, between names and counts of the longest name, and round the edge, there is only paper.
    gaps = [(600, 160, 655, 800), (1106, 90, 1110, 200), (0, 0, 36, 800), (1244, 150, 1280, 800), (0, 0, 1280, 20)]
    for gap in gaps[:1] + gaps[2:]:
        assert set(image.crop(gap).get_flattened_data()) == {paper}
    for row in range(len(LIFECYCLE)):
        y = 800 - (charts.LEGEND_TOP - row * charts.ROW) + charts.ROW // 2
        assert set(image.crop((655, y - 3, 1280, y + 3)).get_flattened_data()) == {paper}


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
