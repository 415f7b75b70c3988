"""The pie: a ring with the total inside, and under it a line for each status that holds a piece."""

from dataclasses import dataclass
from functools import lru_cache
from math import cos, radians, sin
from typing import Final

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Circle, Rectangle, Wedge
from PIL import Image

from handlers.charts import canvas
from handlers.charts.canvas import DPI, EDGE, FONT, FOOT, HAIR, HEIGHT, SMALL, WIDTH, write
from handlers.charts.values import Pie
from handlers.text import formatting
from handlers.text.mixes import Row, headline, rows_of
from handlers.text.status_styles import FRAME, INK, PAPER, QUIET, ink_on

#: A line of the legend, and the square in which each of its characters is drawn, this far from its left edge.
LINE: Final = 58
CELL: Final = 64
BEARING: Final = 5
SWATCH: Final = 42
NAME_LEFT: Final = EDGE + SWATCH + 20
COUNT_RIGHT: Final = 820
SHARE_RIGHT: Final = WIDTH - EDGE
#: The hole's part of the radius.
HOLE: Final = 0.52
LARGEST: Final = 350
#: Degrees that the smallest status takes, so that it is seen; and from how many on its share stands in the ring.
SLIVER: Final = 6.0
LABELED: Final = 32.0
ROUND: Final = 360.0


@dataclass(frozen=True)
class Place:
    """Where things are, in pixels from below, for so many lines of the legend under such a head."""

    center: tuple[float, float]
    radius: float
    #: The middle of the legend's first line.
    first: float
    #: Where the head ends, and where the legend does.
    head: float
    lowest: float


def place(head: float, lines: int) -> Place:
    """The ring takes what head, legend and foot leave, up to its largest; the legend follows it."""
    top, bottom = head - 24, FOOT + 24 + lines * LINE + 24
    radius = min((top - bottom) / 2, LARGEST)
    below = top - 2 * radius - 24
    return Place((WIDTH / 2, top - radius), radius, below - LINE / 2, head, below - lines * LINE)


def sweeps(rows: list[Row]) -> list[float]:
    """The degrees of each: its share of the round, but never less than can be seen."""
    small: set[int] = set()
    while True:
        left = ROUND - SLIVER * len(small)
        total = sum(row.number for number, row in enumerate(rows) if number not in small)
        found = [SLIVER if number in small else left * row.number / total for number, row in enumerate(rows)]
        # What the small ones take makes others small.
        smaller = {number for number, sweep in enumerate(found) if sweep < SLIVER}
        if not smaller:
            return found
        small |= smaller


def compose(figure: Figure, pie: Pie) -> tuple[list[Row], Place]:
    """Everything but the legend, whose lines and place are given."""
    rows = rows_of(pie.mix)
    head = canvas.write_head(figure, pie.title, headline(pie.mix))
    canvas.write_foot(figure, pie.caption)
    where = place(head, len(rows))
    _draw_ring(figure, rows, where)
    return rows, where


def draw(pie: Pie) -> bytes:
    """The picture as PNG."""
    figure = canvas.easel()
    rows, where = compose(figure, pie)
    image = canvas.paper().copy()
    # The rest is paper, but for the legend, which is set from pieces that were drawn once.
    x, y, reach = round(where.center[0]), HEIGHT - round(where.center[1]), round(where.radius) + 3
    head, foot = HEIGHT - round(where.head) + 8, HEIGHT - FOOT - 12
    for window in ((0, 0, WIDTH, head), (x - reach, y - reach, x + reach, y + reach), (0, foot, WIDTH, HEIGHT)):
        image.paste(canvas.pixels_of(figure, window), window[:2])
    canvas.clear(figure)
    for number, row in enumerate(rows):
        _set_line(image, row, HEIGHT - round(where.first - number * LINE))
    # Of few statuses the sheet ends with them.
    return canvas.png(canvas.closed_up(image, where.lowest, pie.caption))


def _draw_ring(figure: Figure, rows: list[Row], where: Place) -> None:
    width = where.radius * (1 - HOLE)
    if not rows:
        empty = Wedge(
            where.center, where.radius, 0, ROUND, width=width, facecolor=HAIR, edgecolor="none", transform=None
        )
        figure.add_artist(empty)
    start = 90.0
    for row, sweep in zip(rows, sweeps(rows) if rows else [], strict=True):
        # A white line parts neighbors, but must not eat up a sliver.
        line = 0 if len(rows) == 1 else 0.9
        end = start - sweep
        figure.add_artist(
            Wedge(
                where.center, where.radius, end, start, width=width, facecolor=row.style.color, edgecolor=PAPER,
                linewidth=line, transform=None,
            )
        )  # fmt: skip
        if sweep >= LABELED and len(rows) > 1 and canvas.width_of(row.share, SMALL, "bold") < width - 8:
            angle, reach = radians((start + end) / 2), where.radius - width / 2
            x, y = where.center[0] + reach * cos(angle), where.center[1] + reach * sin(angle)
            write(figure, x, y, row.share, SMALL, weight="bold", ha="center", color=ink_on(row.style.color))
        start = end
    for radius in (where.radius, where.radius * HOLE):
        figure.add_artist(Circle(where.center, radius, fill=False, edgecolor=FRAME, linewidth=0.9, transform=None))
    _write_total(figure, sum(row.number for row in rows), where)


def _write_total(figure: Figure, total: int, where: Place) -> None:
    room = 2 * where.radius * HOLE * 0.84
    number = formatting.count(total)
    if canvas.width_of(number, SMALL, "bold") > room:
        number = formatting.compact(total)
    size = min(96.0, 96.0 * room / canvas.width_of(number, 96, "bold"))
    x, y = where.center
    write(figure, x, y + SMALL * 0.55, number, size, weight="bold", ha="center")
    write(figure, x, y - size / 2 - SMALL * 0.22, "piece" if total == 1 else "pieces", SMALL, color=QUIET, ha="center")


def _set_line(image: Image.Image, row: Row, y: int) -> None:
    image.paste(_name(row.style.label, row.style.color), (EDGE, y - CELL // 2))
    _set(image, COUNT_RIGHT, y, formatting.count(row.number))
    _set(image, SHARE_RIGHT, y, row.share)


def _set(image: Image.Image, right: int, y: int, text: str) -> None:
    letters = [_letter(character) for character in text]
    x = right - sum(advance for _, _, advance in letters)
    for drawn, mask, advance in letters:
        image.paste(drawn, (round(x) - BEARING, y - CELL // 2), mask)
        x += advance


@lru_cache(maxsize=32)
def _name(label: str, color: str) -> Image.Image:
    """The beginning of a line of the legend, drawn once: its swatch and its name."""
    width = 470
    figure = canvas.sheet(width, CELL)
    corner = (2, (CELL - SWATCH) / 2)
    figure.add_artist(
        Rectangle(corner, SWATCH, SWATCH, facecolor=color, edgecolor=FRAME, linewidth=0.4, transform=None)
    )
    write(figure, NAME_LEFT - EDGE, CELL / 2, label, SMALL)
    return canvas.pixels_of(figure, (0, 0, width, CELL))


@lru_cache(maxsize=64)
def _letter(character: str) -> tuple[Image.Image, Image.Image, float]:
    """A character of the legend, where in its cell it is not paper, and how far the next stands from it, in pixels."""
    font = get_font(findfont(FontProperties(family=FONT)))
    font.set_size(SMALL * 72 / DPI, DPI)
    advance = font.load_char(ord(character)).linearHoriAdvance / 65536
    figure = canvas.sheet(CELL, CELL)
    # Digits are 0.73 of the size high: so they stand in the middle of their line.
    write(figure, BEARING, CELL / 2 - SMALL * 0.365, character, SMALL, color=INK, va="baseline")
    image = canvas.pixels_of(figure, (0, 0, CELL, CELL))
    blank = canvas.paper().getpixel((0, 0))
    return image, image.point([0 if index == blank else 255 for index in range(256)], "L"), advance
