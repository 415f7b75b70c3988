"""What is drawn, part by part: each text with its place, size and color, each wedge, tile, band and line.

`drawn.txt` holds it for some pictures, to be read beside them. Who changes how a picture looks, looks at it, and writes
the parts anew: `PIECEWISE_PIN=1 pytest tests/handlers/charts/test_drawn.py`.
"""

import io
import os
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyBboxPatch, Polygon, Rectangle, Wedge
from matplotlib.text import Text
from PIL import Image, ImageChops

from handlers.charts import canvas, curve, pair, pie, states
from handlers.charts.values import Curve, Pair, Pie, States
from handlers.forecast import model
from handlers.forecast.model import Point
from handlers.text.mixes import rows_of
from handlers.text.status_styles import INK, PAPER, QUIET
from storage.records import Mix
from storage.statuses import LIFECYCLE, Status
from tests.handlers.forecast.test_model import LETTER, MONDAY, a_campaign, history, told_of

DRAWN = Path(__file__).parent / "drawn.txt"
#: Less than a pixel: what is measured is rounded to whole ones. What has a decimal, the width of a line, is not measured.
OFF, OFF_DECIMAL = 0.9, 0.05
ORDER = {status: number for number, status in enumerate(LIFECYCLE)}


def counts(**numbers: int) -> tuple[int, ...]:
    found = [0] * len(LIFECYCLE)
    for name, number in numbers.items():
        found[ORDER[Status[name.upper()]]] = number
    return tuple(found)


def day(ahead: int) -> date:
    return date(2026, 11, 2) + timedelta(days=ahead)


def points(number: int, known: int) -> tuple[Point, ...]:
    """A curve of so many days, the first of which are known."""
    return tuple(
        Point(
            day(n),
            n / number if n < known else None,
            n / number,
            min((n + 2) / number, 1),
            (n / number / 2, n / number),
        )
        for n in range(number)
    )


def a_curve(title: str, message: str, points: tuple[Point, ...], today: date, usual: str = "usual") -> Curve:
    """With the share at its line's end."""
    known = [point.actual for point in points if point.actual is not None]
    return Curve(title, message, points, today, usual, f"{100 * known[-1]:.0f}%" if known else "")


MIXED = Pie(
    "Spring lapsed", "Nov 2, 2026, 5:42 PM CST", counts(handed_over=200, delivered=899, returned=30, cancelled=1), 9
)
BOTH = counts(received=3, delivered=900, returned=97), counts(delivered=12_345_678)
PICTURES: dict[str, tuple[Callable[[Any], bytes], Any]] = {
    "a pie": (pie.draw, MIXED),
    "a pie of one status": (pie.draw, Pie("A name that is so long that it takes all of two lines of its sheet", "", counts(delivered=240), 0)),
    "a pie of nothing": (pie.draw, Pie("Spring", "now", counts(), 0)),
    "a pie of millions": (pie.draw, Pie("🎄", "now", counts(delivered=61_234_567, in_transit=61_234_567), 0)),
    "a pair": (pair.draw, Pair(("Spring", "Fall, which has a long name that is cut"), ((*BOTH[0], 0), (*BOTH[1], 4)))),
    "a pair of nothing": (pair.draw, Pair(("Spring", "Fall"), ((*counts(), 0), (*counts(delivered=1), 0)), "Nov 27, 2026, 2:47 PM CST")),
    "a curve": (curve.draw, a_curve("Spring", "40% delivered, ahead of usual", points(12, 6), day(5))),
    "a curve on its first day": (curve.draw, a_curve("Spring", "Nothing yet", points(9, 1), day(0), "USPS's 4–7 days")),
    "a curve on its last day": (curve.draw, a_curve("Spring", "All there", points(9, 9), day(8))),
    "a long curve": (curve.draw, a_curve("Spring", "Long", points(40, 35), day(34))),
    "a curve of the past": (curve.draw, a_curve("Spring", "Long over", points(5, 5), day(60))),
    "a curve of one day": (curve.draw, a_curve("Spring", "One day", points(1, 0), day(0))),
    "states": (states.draw, States("Returns", "Texas leads", (("TX", 9, 100), ("NY", 1, 100), ("CA", 0, 50), ("", 3, 10), ("FL", 0, 0), ("WA", 1, 1000), ("OR", 2, 1000)))),
    "states of few returns": (states.draw, States("Returns", "Hardly any", (("TX", 1, 100), ("OR", 0, 90)), "Nov 27, 2026")),
}  # fmt: skip


def parts(figure: Any) -> Iterator[str]:
    """A line for each thing on the sheet."""
    for one in figure.get_children()[1:]:
        match one:
            case Text():
                x, y = (float(part) for part in one.get_position())
                size = float(one.get_fontsize()) * canvas.DPI / 72
                style = f"{one.get_color()} {one.get_horizontalalignment()} {one.get_fontweight()} {one.get_verticalalignment()}"
                yield f"text {x:.0f},{y:.0f} {size:.0f} {style} “{one.get_text()}”"
            case Wedge():
                turn, width = f"{one.theta1:.0f}..{one.theta2:.0f}", one.width or one.r
                at = f"{one.center[0]:.0f},{one.center[1]:.0f} {one.r:.0f} {width:.0f}"
                yield f"wedge {at} {turn} {_colors(one)}"
            case Circle():
                x, y = one.center
                yield f"circle {x:.0f},{y:.0f} {one.get_radius():.0f} {to_hex(one.get_edgecolor())} {one.get_linewidth()}"
            case FancyBboxPatch():
                box = f"{one.get_x():.0f},{one.get_y():.0f} {one.get_width():.0f} {one.get_height():.0f}"
                yield f"tile {box} {_colors(one)}"
            case Rectangle():
                box = f"{one.get_x():.0f},{one.get_y():.0f} {one.get_width():.0f} {one.get_height():.0f}"
                yield f"box {box} {_colors(one)}"
            case Polygon():
                corners = _corners(one.get_xy())
                yield f"band {corners} {_colors(one)}"
            case Line2D():
                ends = _corners(one.get_xydata())
                yield f"line {ends} {one.get_color()} {one.get_linewidth():.1f} {one.get_linestyle()} {one.get_marker()} {one.get_markersize():.0f}"
            case _:
                yield f"something else: {one}"


def _corners(points: Any) -> str:
    return " ".join(f"{x:.0f},{y:.0f}" for x, y in points)


def _colors(one: Any) -> str:
    return f"{to_hex(one.get_facecolor())} {to_hex(one.get_edgecolor())} {one.get_linewidth():.1f}"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[str]]:
    """What was on each figure when its pixels were taken."""
    found: dict[int, list[str]] = {}
    real = canvas.pixels_of

    def spy(figure: Any, window: Any = None) -> Image.Image:
        found[id(figure)] = [*found.get(id(figure), []), *(parts(figure) if id(figure) not in found else [])]
        return real(figure, window)

    monkeypatch.setattr(canvas, "pixels_of", spy)
    return found


def same(one: str, other: str) -> bool:
    """Whether two lines say the same, but for a few pixels."""
    numbers = [re.findall(r"-?\d+\.?\d*", re.sub(r"#\w+|“.*”", "", line)) for line in (one, other)]
    words = [
        re.sub(r"(?<![#\w])-?\d+\.?\d*", "", line.partition("“")[0]) + line.partition("“")[2] for line in (one, other)
    ]
    close = len(numbers[0]) == len(numbers[1]) and all(
        abs(float(a) - float(b)) <= (OFF_DECIMAL if "." in a + b else OFF) for a, b in zip(*numbers, strict=True)
    )
    return words[0] == words[1] and close


def test_a_thicker_line_or_another_color_is_another_picture() -> None:
    line = "wedge 540,645 350 168 -270..90 #0b5d4e #ffffff 0.0"
    assert same(line.replace("540", "541"), line) is False, "a whole one is not"
    assert same(line, line)
    assert not same(line.replace(" 0.0", " 0.9"), line)
    assert not same(line.replace("0b5d4e", "0b5d4f"), line)
    assert not same(f"{line} 1", line)


def read_drawn() -> dict[str, list[str]]:
    text = DRAWN.read_text(encoding="utf-8") if DRAWN.exists() else ""
    return {head: body.splitlines() for head, _, body in (part.partition("\n") for part in text.strip().split("\n\n"))}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_made_of_these_parts(name: str, seen: dict[int, list[str]]) -> None:
    # Letters and names of a legend are drawn once a process, and are no part of this.
    pie._name.cache_clear()
    draw, shown = PICTURES[name]
    drawn = draw(shown)
    assert drawn.startswith(b"\x89PNG")
    main = canvas.easel() if draw is pie.draw else None
    found = max(seen.values(), key=len) if main is None else seen[id(main)]
    if os.environ.get("PIECEWISE_PIN"):
        kept = read_drawn() | {name: found}
        ordered = [f"{one}\n" + "\n".join(kept[one]) for one in PICTURES if one in kept]
        DRAWN.write_text("\n\n".join(ordered) + "\n", encoding="utf-8")
        return
    expected = read_drawn()[name]
    assert len(found) == len(expected), found
    for now, then in zip(found, expected, strict=True):
        assert same(now, then), f"{now}\nwas {then}"


def image_of(drawn: bytes) -> Image.Image:
    return Image.open(io.BytesIO(drawn)).convert("RGB")


def inked(image: Image.Image, box: tuple[int, int, int, int]) -> tuple[int, int] | None:
    """The first and the last column within this box that are not paper."""
    part = image.crop(box)
    columns = [
        x for x in range(part.width) if any(part.getpixel((x, y)) != (255, 255, 255) for y in range(part.height))
    ]
    return (columns[0] + box[0], columns[-1] + box[0]) if columns else None


def test_the_legend_of_a_pie_has_a_line_for_each_status_with_its_color_count_and_share() -> None:
    image = image_of(pie.draw(MIXED))
    rows, where = rows_of(MIXED.mix), pie.place(*_head(MIXED))
    for number, row in enumerate(rows):
        y = canvas.HEIGHT - round(where.first - number * pie.LINE)
        assert image.getpixel((canvas.EDGE + 2 + pie.SWATCH // 2, y)) == canvas.rgb(row.style.color), row.style.label
        swatch = inked(image, (0, y - 5, pie.NAME_LEFT - 4, y + 5))
        assert swatch == (canvas.EDGE + 1, canvas.EDGE + 3 + pie.SWATCH), "its frame is half outside"
        name = inked(image, (pie.NAME_LEFT, y - 20, 560, y + 20))
        assert name is not None
        assert abs(name[0] - pie.NAME_LEFT) < 8
        assert abs(name[1] - name[0] - canvas.width_of(row.style.label, canvas.SMALL)) < 12
        for right, text in ((pie.COUNT_RIGHT, f"{row.number:,}"), (pie.SHARE_RIGHT, row.share)):
            ink = inked(image, (right - 190, y - 20, min(right + 40, canvas.WIDTH), y + 20))
            assert ink is not None, text
            assert abs(ink[1] - right) < 10, text
            assert abs(ink[1] - ink[0] - canvas.width_of(text, canvas.SMALL)) < 12, text
    below = canvas.HEIGHT - round(where.first - (len(rows) - 0.5) * pie.LINE) + 4
    assert inked(image, (0, below, canvas.WIDTH, canvas.HEIGHT - canvas.FOOT - 12)) is None
    assert inked(image, (0, canvas.HEIGHT - canvas.FOOT, canvas.WIDTH, canvas.HEIGHT)) is not None, "the foot"


def _head(drawn: Pie) -> tuple[float, int]:
    figure = canvas.sheet()
    rows, where = pie.compose(figure, drawn)
    return where.head, len(rows)


def blank_rows(image: Image.Image) -> int:
    """The most rows of paper in one go, from edge to edge."""
    gray = ImageChops.invert(image.convert("L"))
    inked = [gray.crop((0, y, image.width, y + 1)).getbbox() is not None for y in range(image.height)]
    return max(len(run) for run in "".join("x" if one else " " for one in inked).split("x"))


ROWS = (
    counts(delivered=90), counts(delivered=90, returned=3), counts(in_transit=4, delivered=90, returned=3),
    counts(received=1, producing=2, handed_over=3, in_transit=4, local_delivery=5, delivered=90, returned=3, cancelled=1),
)  # fmt: skip


@pytest.mark.parametrize("caption", ["", "Nov 27, 2026, 2:47 PM CST"])
@pytest.mark.parametrize("names", [("Spring", "Fall"), ("Spring lapsed customers of the West", "Fall")])
@pytest.mark.parametrize("rows", ROWS)
def test_a_pair_ends_where_its_content_does(rows: tuple[int, ...], names: tuple[str, str], caption: str) -> None:
    image = image_of(pair.draw(Pair(names, ((*rows, 0), (*rows, 0)), caption)))
    assert blank_rows(image) <= 100
    assert image.width == canvas.WIDTH
    assert 0.8 <= image.width / image.height <= (1.25 if caption else 1.4), "portrait, or about square"


@pytest.mark.parametrize("caption", ["", "Nov 27, 2026, 2:47 PM CST"])
@pytest.mark.parametrize("title", ["Spring", "Spring lapsed customers of the West, and of the East beside them"])
@pytest.mark.parametrize("rows", [counts(), *ROWS])
def test_a_pie_ends_where_its_content_does(rows: tuple[int, ...], title: str, caption: str) -> None:
    image = image_of(pie.draw(Pie(title, caption, rows, 0)))
    assert blank_rows(image) <= 100
    assert image.width == canvas.WIDTH
    assert 0.8 <= image.width / image.height <= 1.15, "portrait, or about square"


@pytest.mark.parametrize("number", [1, 2, 4, 6])
def test_a_map_ends_where_its_content_does(number: int) -> None:
    rows = tuple((state, 3, 90) for state in ("TX", "OR", "CA", "NY", "FL", "WA")[:number])
    image = image_of(states.draw(States("Spring", "18 of 540 came back (3%)", rows, "Nov 27, 2026")))
    assert blank_rows(image) <= 100
    assert 0.8 <= image.width / image.height <= 1.05


def test_a_pie_is_the_same_when_it_is_drawn_after_others() -> None:
    first = pie.draw(MIXED)
    pie.draw(Pie("Other", "later", counts(received=1), 0))
    assert pie.draw(MIXED) == first


# ---- The sheet --------------------------------------------------------------------------------------------------


def test_a_text_that_does_not_fit_is_cut_as_late_as_possible() -> None:
    text = "The quick brown fox jumps over the lazy dog"
    whole = canvas.width_of(text, 48)
    assert canvas.fit(text, 48, whole) == text
    for room in (whole - 1, whole / 2, 200.0):
        cut = canvas.fit(text, 48, room)
        assert cut.endswith("…")
        assert canvas.width_of(cut, 48) <= room
        more = text[: len(cut.rstrip("…")) + 2].rstrip() + "…"
        assert canvas.width_of(more, 48) > room
    assert canvas.fit("Word", 48, 1) == "…"


def test_lines_break_between_words_and_the_last_is_cut() -> None:
    text = "one two three four five six"
    two_words = canvas.width_of("one two", 48)
    assert canvas.lines_of(text, 48, 10_000, 3) == [text]
    assert canvas.lines_of(text, 48, two_words, 2) == ["one two", canvas.fit("three four five six", 48, two_words)]
    assert canvas.lines_of("", 48, 500, 3) == []
    long = canvas.lines_of("Supercalifragilistic words", 48, 200, 3)
    assert len(long) == 1
    assert long[0].endswith("…")
    assert canvas.lines_of("one two three", 48, two_words, 1) == [canvas.fit("one two three", 48, two_words)]
    exactly = canvas.lines_of("one two three", 48, two_words, 3)
    assert exactly == ["one two", "three"]


def test_what_no_font_has_is_left_out_and_nothing_readable_has_another_name() -> None:
    assert canvas.drawable("Spring\u0000  sale\n now") == "Spring sale now"
    assert canvas.drawable("\U0010ffff\U0010ffff", "Campaign") == "Campaign"
    assert canvas.drawable("-- --", "Campaign") == "Campaign"
    assert canvas.drawable("", "Campaign") == "Campaign"
    assert canvas.drawable("A\u0308") == "Ä"


def test_colors_are_blended_with_white() -> None:
    assert canvas.rgb("#0A80FF") == (10, 128, 255)
    assert canvas.blend("#0A80FF", 1) == "#0A80FF"
    assert canvas.blend("#0A80FF", 0) == "#FFFFFF"
    assert canvas.blend("#00FF80", 0.5) == "#80FFC0"


def test_the_palette_holds_white_and_nothing_else_that_is_nearly_white() -> None:
    raw = canvas.palette().getpalette()
    assert raw is not None
    colors = {tuple(raw[n : n + 3]) for n in range(0, len(raw), 3)}
    assert (255, 255, 255) in colors
    assert {one for one in colors if min(one) >= canvas.NEAR_WHITE} == {(255, 255, 255)}
    assert {canvas.rgb(INK), canvas.rgb(QUIET), canvas.rgb(PAPER), (0, 0, 0)} <= colors
    assert len(colors) <= 256


@pytest.mark.parametrize(
    ("name", "said", "last"),
    [
        ("Holiday postcards for members", "50% delivered, 44% waiting for a scan, 12,900 came back, and so on and so on",
         "… · Ordered Oct 28 – Nov 27, 2026"),
        ("Holiday postcards for members " * 4, "50% delivered, 44% waiting for a scan", "Ordered Oct 28 – Nov 27, 2026"),
        ("Holiday postcards", "Half is there", "Nov 27, 2026"),
    ],
)  # fmt: skip
def test_where_a_title_is_too_long_its_days_are_kept(name: str, said: str, last: str) -> None:
    figure = canvas.sheet()
    canvas.write_head(figure, f"{name} · Ordered Oct 28 – Nov 27, 2026", said)
    shown = [
        one.get_text() for one in figure.get_children() if isinstance(one, Text) and one.get_fontweight() != "bold"
    ]
    title = [one for one in shown if one not in said]
    assert title[0].startswith("Holi")
    assert title[-1].endswith(last), title


def test_names_and_message_share_four_lines() -> None:
    words = "word " * 60
    for title, message, most in (("Short", "Short", 2), (words, "Short", 4), (words, words, 4), ("Short", words, 4)):
        figure = canvas.sheet()
        canvas.write_head(figure, title, message)
        assert len(list(parts(figure))) == most


def test_a_pie_of_fewer_statuses_than_there_are_is_none() -> None:
    with pytest.raises(ValueError, match="zip"):
        _ = Pie("Spring", "now", (1, 2), 0).mix


def test_a_pair_names_each_status_that_is_on_either_side() -> None:
    rows = Pair(("A", "B"), ((*BOTH[0], 0), (*BOTH[1], 4))).rows()
    assert [(label, shares) for label, _, shares in rows] == [
        ("Received", ("< 1%", "0%")), ("Delivered", ("90%", "> 99%")), ("Returned", ("10%", "0%")), ("Other", ("0%", "< 1%")),
    ]  # fmt: skip


def test_a_picture_takes_its_numbers_from_what_it_shows() -> None:
    mix = Mix({Status.DELIVERED: 3, Status.RETURNED: 1}, 2)
    made = Pie.of("Spring", "now", mix)
    assert (made.counts, made.other) == (counts(delivered=3, returned=1), 2)
    assert (made.mix.of(Status.DELIVERED), made.mix.other) == (3, 2)
    told = told_of(a_campaign(99, MONDAY - timedelta(days=5)), history(3))
    shown = Curve.of("Spring", "says", told, Mix({Status.DELIVERED: 3, Status.RETURNED: 1}))
    assert (shown.points, shown.today, shown.usual) == (tuple(model.points(told)), MONDAY, "usual")
    assert shown.now == "75%"
    bare = told_of(a_campaign(99, MONDAY - timedelta(days=5), form=LETTER), [])
    assert Curve.of("Spring", "says", bare, mix).usual == "USPS's 4–7 days"
