"""Counts to a picture: the pie, drawn with matplotlib's object API. Pure: values in, PNG bytes out.

No Axes and no layout engine: every part has its fixed place, so nothing can overlap at any mix, and nothing is
measured twice. matplotlib is imported on the first drawing, for it is the one slow import of the program.
"""

import io
import threading
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from math import cos, radians, sin
from typing import TYPE_CHECKING, Any, Final

from handlers.forecast import model
from handlers.forecast.model import Forecast, Point
from handlers.text import formatting
from handlers.text.status_styles import INK, OTHER_COLOR, OTHER_LABEL, PAPER, QUIET, STYLES
from storage.records import Mix
from storage.statuses import LIFECYCLE, Status

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH: Final = 1280
HEIGHT: Final = 800
DPI: Final = 200
CENTER: Final = (330, 345)
RADIUS: Final = 262
LEGEND_TOP: Final = 574
ROW: Final = 58
SWATCH_LEFT, NAME_LEFT, COUNT_LEFT, COUNT_RIGHT, SHARE_RIGHT = 660, 708, 930, 1090, 1236
FONT: Final = "DejaVu Sans"
#: The size of the legend, and the square in which each of its characters is drawn, this far from its left edge.
NUMBERS: Final = 27
CELL: Final = 40
BEARING: Final = 3
#: Where a picture differs from another (left, top, right, bottom): its titles, its wedges, its total.
WINDOWS: Final = ((0, 0, WIDTH, 145), (60, 185, 600, 725), (SWATCH_LEFT, 145, WIDTH, 200))
#: One figure serves them all, so one picture at a time.
_AT_EASEL: Final = threading.Lock()
#: Below this share a wedge is too thin for a number inside; the legend has it.
LABELED: Final = 60
BLENDS: Final = 6
NEAR_WHITE: Final = 240
#: The bands of a curve: Delivered, far lighter. What is usual, and what is expected from today on.
BAND: Final = "#E3EEEB"
LIKELY: Final = "#A9CFC5"


@dataclass(frozen=True)
class Pie:
    """What a pie shows. `caption` is the line under the title: the range, and the moment of the numbers."""

    title: str
    caption: str
    counts: tuple[int, ...]
    other: int

    @classmethod
    def of(cls, title: str, caption: str, mix: Mix) -> "Pie":
        return cls(title, caption, tuple(number for _, number in mix.in_order()), mix.other)


@dataclass(frozen=True)
class Slice:
    """A row of the legend, and the wedge it belongs to."""

    label: str
    color: str
    number: int
    tenths: int
    share: str


def slices(pie: Pie) -> list[Slice]:
    """All statuses in reading order, and "Other" when there is any. Shares add up to a hundred."""
    rows = [(STYLES[s].label, STYLES[s].color, n) for s, n in zip(LIFECYCLE, pie.counts, strict=True)]
    if pie.other:
        rows.append((OTHER_LABEL, OTHER_COLOR, pie.other))
    numbers = [number for _, _, number in rows]
    parts = zip(rows, formatting.tenths(numbers), formatting.shares(numbers), strict=True)
    return [Slice(label, color, number, tenth, share) for (label, color, number), tenth, share in parts]


@lru_cache(maxsize=64)
def draw_pie(pie: Pie) -> bytes:
    """The picture as PNG, 1280×800 pixels. Drawn in one thread only, the cache is worth most; in several it is safe."""
    parts = slices(pie)
    with _AT_EASEL:
        sheet = _paper().copy()
        figure = _easel()
        _draw_titles(figure, pie, sum(part.number for part in parts))
        _draw_wedges(figure, parts)
        for window in WINDOWS:
            sheet.paste(_drawn(figure, window), window[:2])
        for artist in figure.get_children()[1:]:
            artist.remove()
        _set_legend(sheet, parts)
    out = io.BytesIO()
    sheet.save(out, "png", compress_level=4)
    return out.getvalue()


def _canvas(width: int, height: int) -> "Figure":
    from matplotlib import rcParams  # noqa: PLC0415 - slow import, on first use
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow import, on first use
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow import, on first use

    # A third of the drawing is hinting glyphs, which at twice the size nobody sees. The setting is the process's own.
    rcParams["text.hinting"] = "no_hinting"
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


@lru_cache(maxsize=1)
def _paper() -> Any:
    """An empty sheet."""
    return _drawn(_canvas(WIDTH, HEIGHT), (0, 0, WIDTH, HEIGHT))


@lru_cache(maxsize=1)
def _easel() -> "Figure":
    """The figure that every picture is drawn on: to make and throw away one each would take as long as the wedges."""
    return _canvas(WIDTH, HEIGHT)


@lru_cache(maxsize=32)
def _name(label: str, color: str, ink: str) -> Any:
    """The beginning of a row of the legend, drawn once: its swatch and its name."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - slow import, on first use

    width = COUNT_LEFT - SWATCH_LEFT
    figure = _canvas(width, CELL)
    swatch = Rectangle((1, CELL / 2 - 15), 30, 30, facecolor=color, edgecolor="#8A8D91", linewidth=0.4, transform=None)
    figure.add_artist(swatch)
    _write(figure, NAME_LEFT - SWATCH_LEFT, CELL / 2, label, NUMBERS, color=ink)
    return _drawn(figure, (0, 0, width, CELL))


def _drawn(figure: "Figure", window: tuple[int, int, int, int]) -> Any:
    """What is drawn within these pixels (left, top, right, bottom), in the few colors of the palette."""
    from PIL import Image  # noqa: PLC0415 - comes with matplotlib, on first use

    canvas: Any = figure.canvas
    if figure.stale:
        canvas.draw()
    size = canvas.get_width_height()
    pixels = Image.frombuffer("RGBA", size, canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
    return pixels.crop(window).convert("RGB").quantize(palette=_palette(), dither=Image.Dither.NONE)


def _write(figure: "Figure", x: float, y: float, text: str, size: float, **style: Any) -> None:
    """Text at a pixel, never read as mathematics. Sizes are in pixels, too."""
    from matplotlib.text import Text  # noqa: PLC0415 - slow import, on first use
    from matplotlib.transforms import IdentityTransform  # noqa: PLC0415 - slow import, on first use

    shown = Text(
        x, y, text, fontsize=size * 72 / DPI, parse_math=False, transform=IdentityTransform(),
        **{"color": INK, "va": "center_baseline", "family": FONT, **style},
    )  # fmt: skip
    figure.add_artist(shown)


def _write_titles(figure: "Figure", title: str, caption: str) -> None:
    _write(figure, 44, 742, fit(drawable(title), 42), 40, weight="bold", va="center")
    _write(figure, 44, 682, fit(drawable(caption), 74), 25, color=QUIET, va="center")


def _draw_titles(figure: "Figure", pie: Pie, total: int) -> None:
    _write_titles(figure, pie.title, pie.caption)
    text = formatting.pieces(total) if total else "No pieces"
    _write(figure, SHARE_RIGHT, 628, text, 28, weight="bold", ha="right", va="center")


def _draw_wedges(figure: "Figure", parts: list[Slice]) -> None:
    from matplotlib.patches import Circle, Wedge  # noqa: PLC0415 - slow import, on first use

    total = sum(part.number for part in parts)
    if not total:
        ring = Circle(CENTER, RADIUS, facecolor="#F3F4F6", edgecolor="#D5D9DE", linewidth=1, transform=None)
        figure.add_artist(ring)
        _write(figure, *CENTER, "No pieces in this range", 26, color=QUIET, ha="center")
        return
    start = 90.0
    alone = sum(part.number > 0 for part in parts) == 1
    for part in parts:
        if not part.number:
            continue
        sweep = 360 * part.number / total
        # A white line parts neighbors, but must not eat up a sliver.
        line = 0 if alone or sweep < 3 else 0.9  # noqa: PLR2004 - degrees
        end = start - sweep
        wedge = Wedge(CENTER, RADIUS, end, start, facecolor=part.color, edgecolor=PAPER, linewidth=line, transform=None)
        figure.add_artist(wedge)
        if part.tenths >= LABELED:
            _label_wedge(figure, part, (start + end) / 2, alone=alone)
        start = end


def _label_wedge(figure: "Figure", part: Slice, angle: float, *, alone: bool) -> None:
    reach = 0 if alone else RADIUS * 0.66
    x, y = CENTER[0] + reach * cos(radians(angle)), CENTER[1] + reach * sin(radians(angle))
    # "100 %" is said only of everything.
    whole = round(part.tenths / 10)
    text = f"{whole} %" if whole < 100 or alone else "> 99 %"  # noqa: PLR2004 - per cent
    _write(figure, x, y, text, 26, weight="bold", ha="center", color=ink_on(part.color))


def _set_legend(sheet: Any, parts: list[Slice]) -> None:
    """The legend, set from names and single characters that were drawn once.

    It is most of the text, and drawing it anew was most of the time.
    """
    for row, part in enumerate(parts):
        # Rows of pixels are counted from above.
        y = HEIGHT - (LEGEND_TOP - row * ROW)
        ink = INK if part.number else QUIET
        sheet.paste(_name(part.label, part.color, ink), (SWATCH_LEFT, y - CELL // 2))
        _set(sheet, COUNT_RIGHT, y, formatting.count(part.number), ink)
        _set(sheet, SHARE_RIGHT, y, part.share, ink)


def _set(sheet: Any, right: int, y: int, text: str, ink: str) -> None:
    letters = [_letter(character, ink) for character in text]
    x = right - sum(advance for _, _, advance in letters)
    for image, mask, advance in letters:
        sheet.paste(image, (round(x) - BEARING, y - CELL // 2), mask)
        x += advance


@lru_cache(maxsize=128)
def _letter(character: str, ink: str) -> tuple[Any, Any, float]:
    """A character of the legend, where in its cell it is not paper, and how far the next stands from it, in pixels."""
    from matplotlib.font_manager import FontProperties, findfont, get_font  # noqa: PLC0415 - slow, on first use

    font = get_font(findfont(FontProperties(family=FONT)))
    font.set_size(NUMBERS * 72 / DPI, DPI)
    advance = font.load_char(ord(character)).linearHoriAdvance / 65536
    figure = _canvas(CELL, CELL)
    # Digits are 0.73 of the size high: so they stand in the middle of their row.
    _write(figure, BEARING, CELL / 2 - NUMBERS * 0.365, character, NUMBERS, color=ink, va="baseline")
    image = _drawn(figure, (0, 0, CELL, CELL))
    paper = _paper().getpixel((0, 0))
    return image, image.point([0 if index == paper else 255 for index in range(256)], "L"), advance


@dataclass(frozen=True)
class Curve:
    """The share delivered day by day, beside what is usual, and what is expected from today on."""

    title: str
    caption: str
    points: tuple[Point, ...]
    today: date
    #: What the pale band is.
    usual: str = "usual"

    @classmethod
    def of(cls, title: str, caption: str, told: Forecast) -> "Curve":
        usual = "usual" if told.outlook.is_own else "USPS's 4–7 days"
        return cls(title, caption, tuple(model.points(told)), told.today, usual)


#: Where the curve's field lies (left, bottom, right, top), in pixels from below.
FIELD: Final = (120, 110, 1220, 620)


@lru_cache(maxsize=16)
def draw_curve(curve: Curve) -> bytes:
    """The picture as PNG, 1280×800 pixels."""
    with _AT_EASEL:
        figure = _canvas(WIDTH, HEIGHT)
        _write_titles(figure, curve.title, curve.caption)
        _draw_field(figure, curve)
        return _sheet(figure)


def _draw_field(figure: "Figure", curve: Curve) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415 - slow import, on first use
    from matplotlib.patches import Polygon  # noqa: PLC0415 - slow import, on first use

    left, bottom, right, top = FIELD
    across = [left + (right - left) * n / max(len(curve.points) - 1, 1) for n in range(len(curve.points))]

    def height(share: float) -> float:
        return bottom + (top - bottom) * share

    for tenth in range(0, 11, 2):
        y = height(tenth / 10)
        figure.add_artist(Line2D((left, right), (y, y), color="#D5D9DE", linewidth=0.6, transform=None))
        _write(figure, left - 16, y, f"{tenth * 10} %", 22, color=QUIET, ha="right")
    placed = list(zip(across, curve.points, strict=True))
    pale = [(x, p.usual) for x, p in placed]
    # From what is known today to where it may go.
    ahead = [(x, (p.low, p.high)) for x, p in placed if p.day >= curve.today - timedelta(days=1)]
    for band, color in ((pale, BAND), (ahead, LIKELY)):
        if len(band) > 1 and any(high > 0 for _, (_, high) in band):
            edge = [(x, height(low)) for x, (low, _) in band] + [(x, height(high)) for x, (_, high) in reversed(band)]
            figure.add_artist(Polygon(edge, facecolor=color, edgecolor="none", transform=None))
    for x, _ in [one for one in placed if one[1].day == curve.today]:
        figure.add_artist(Line2D((x, x), (bottom, top), color=QUIET, linewidth=1, linestyle=":", transform=None))
        _write(figure, x, top + 22, "today", 22, color=QUIET, ha="center")
    seen = [(x, height(p.actual)) for x, p in zip(across, curve.points, strict=True) if p.actual is not None]
    color = STYLES[Status.DELIVERED].color
    marks = {"marker": "o", "markersize": 4} if len(seen) < 30 else {}  # noqa: PLR2004 - they would touch
    xs, ys = zip(*seen, strict=True) if seen else ((), ())
    figure.add_artist(Line2D(xs, ys, color=color, linewidth=2.4, transform=None, **marks))  # type: ignore[arg-type]
    step = max(len(curve.points) // 8, 1)
    for x, point in list(zip(across, curve.points, strict=True))[::step]:
        _write(figure, x, bottom - 36, f"{point.day.day} {point.day:%b}", 22, color=QUIET, ha="center")
    legend = f"Line: delivered by then. Pale: {curve.usual}. Darker: expected now."
    _write(figure, left, 36, legend, 22, color=INK)


@dataclass(frozen=True)
class Bars:
    """Counts by name, the largest first: at most a dozen."""

    title: str
    caption: str
    rows: tuple[tuple[str, int], ...]
    color: str


BAR_LEFT, BAR_RIGHT, BAR_TOP, BAR_STEP = 300, 1120, 610, 46


@lru_cache(maxsize=16)
def draw_bars(bars: Bars) -> bytes:
    """The picture as PNG, 1280×800 pixels."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - slow import, on first use

    with _AT_EASEL:
        figure = _canvas(WIDTH, HEIGHT)
        _write_titles(figure, bars.title, bars.caption)
        most = max((number for _, number in bars.rows), default=1) or 1
        for index, (name, number) in enumerate(bars.rows):
            y = BAR_TOP - index * BAR_STEP
            width = max((BAR_RIGHT - BAR_LEFT) * number / most, 2)
            figure.add_artist(Rectangle((BAR_LEFT, y - 14), width, 28, facecolor=bars.color, transform=None))
            _write(figure, BAR_LEFT - 18, y, fit(drawable(name), 16), 25, ha="right")
            _write(figure, BAR_LEFT + width + 14, y, formatting.count(number), 25, color=QUIET)
        return _sheet(figure)


def _sheet(figure: "Figure") -> bytes:
    from PIL import Image  # noqa: PLC0415 - comes with matplotlib, on first use

    canvas: Any = figure.canvas
    canvas.draw()
    pixels = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
    out = io.BytesIO()
    pixels.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(out, "png", compress_level=4)
    return out.getvalue()


def fit(text: str, limit: int) -> str:
    """The text, cut to a number of characters that fits the picture's width."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font  # noqa: PLC0415 - slow, on first use

    return frozenset(get_font(findfont(FontProperties(family=FONT))).get_charmap())


def drawable(text: str) -> str:
    """The text without characters that the font lacks (emoji, some scripts): the message beside it has them all."""
    kept = "".join(c for c in text if ord(c) in _glyphs())
    return " ".join(kept.split()) or "Campaign"


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def lightness(color: str) -> float:
    """How light a color is, from 0 to 1 (relative luminance, WCAG 2)."""

    def linear(channel: int) -> float:
        part = channel / 255
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - WCAG 2

    red, green, blue = (linear(channel) for channel in _rgb(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ink_on(color: str) -> str:
    """Black or white, whichever reads better on this color."""
    return PAPER if lightness(color) < 0.19 else INK  # noqa: PLR2004 - where both read equally well


@lru_cache(maxsize=1)
def _palette() -> Any:
    """The few colors that occur: each status and its blends into white and ink, and grays. 90 in all."""
    from PIL import Image  # noqa: PLC0415 - comes with matplotlib, on first use

    colors = [(0, 0, 0), (255, 255, 255), _rgb("#F3F4F6"), _rgb("#D5D9DE"), _rgb("#8A8D91")]
    for base in [*(style.color for style in STYLES.values()), OTHER_COLOR, INK, QUIET]:
        colors += [
            tuple(round(c + (255 - c) * step / BLENDS) for c in _rgb(base))  # type: ignore[misc]
            for step in range(BLENDS)
        ]
    for style in STYLES.values():
        over = _rgb(ink_on(style.color))
        colors += [
            tuple(round(c + (o - c) * step / 5) for c, o in zip(_rgb(style.color), over, strict=True))  # type: ignore[misc]
            for step in range(1, 5)
        ]
    # Pillow matches coarsely: an entry close to white would tint the paper.
    kept = [c for c in colors if c == (255, 255, 255) or min(c) < NEAR_WHITE]
    image = Image.new("P", (1, 1))
    image.putpalette([channel for color in kept for channel in color])
    return image


def warm_up() -> None:
    """Loads matplotlib and its fonts, so that the first person who asks does not wait for it."""
    draw_pie(Pie("Ready", "", (1,) * len(LIFECYCLE), 0))
