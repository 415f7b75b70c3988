"""Two pies side by side, and each status's two shares below them."""

from collections.abc import Sequence
from typing import Final

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle, Wedge

from handlers.charts import canvas
from handlers.charts.canvas import EDGE, HAIR, HEIGHT, SMALL, WIDTH, write
from handlers.charts.values import Pair
from handlers.text import formatting
from handlers.text.status_styles import OTHER, PAPER, QUIET, STYLES
from storage.statuses import LIFECYCLE

CENTERS: Final = (WIDTH * 0.27, WIDTH * 0.73)
#: Of the pies: as large as the width and the legend let them be.
LARGEST: Final = 236
NAME: Final = WIDTH * 0.42
#: A line of the legend, where it begins, and where its two shares end.
LINE: Final = 62
SWATCH: Final = 42
NAME_LEFT: Final = EDGE + SWATCH + 20
RIGHTS: Final = (WIDTH * 0.76, WIDTH - EDGE)


def draw(pair: Pair) -> bytes:
    """The picture as PNG."""
    figure = canvas.sheet()
    lowest = compose(figure, pair)
    return canvas.png(canvas.closed_up(canvas.pixels_of(figure), lowest, pair.caption))


def compose(figure: Figure, pair: Pair) -> float:
    """Names, pies and legend, from above; gives the height at which they end."""
    top, rows = HEIGHT - EDGE - SMALL / 2, pair.rows()
    names = [canvas.lines_of(canvas.drawable(name, "Campaign"), SMALL, NAME, 2, "bold") for name in pair.names]
    head = top - (max(map(len, names)) + 1) * SMALL * canvas.LEADING
    radius = min(LARGEST, (head - SMALL - (len(rows) - 0.5) * LINE - canvas.CLEAR - canvas.FOOT) / 2)
    for x, lines, counts in zip(CENTERS, names, pair.counts, strict=True):
        _draw_name(figure, x, (top, head), lines, sum(counts))
        _draw_pie(figure, (x, head - radius), radius, counts)
    y = head - 2 * radius - SMALL
    for label, color, shares in rows:
        corner = (EDGE, y - SWATCH / 2)
        swatch = Rectangle(corner, SWATCH, SWATCH, facecolor=color, edgecolor="#8A8D91", linewidth=0.4, transform=None)
        figure.add_artist(swatch)
        write(figure, NAME_LEFT, y, label, SMALL)
        for right, share in zip(RIGHTS, shares, strict=True):
            write(figure, right, y, share, SMALL, ha="right")
        y -= LINE
    canvas.write_foot(figure, pair.caption)
    return y + LINE / 2


def _draw_name(figure: Figure, x: float, ends: tuple[float, float], lines: Sequence[str], total: int) -> None:
    """The name, from the upper of these heights, and over the lower one how many pieces it has."""
    y, foot = ends
    for line in lines:
        write(figure, x, y, line, SMALL, weight="bold", ha="center")
        y -= SMALL * canvas.LEADING
    said = formatting.pieces(total) if total else "No pieces"
    said = said if canvas.width_of(said, SMALL) <= NAME else f"{formatting.compact(total)} pieces"
    write(figure, x, foot + SMALL * canvas.LEADING, said, SMALL, color=QUIET, ha="center")


def _draw_pie(figure: Figure, center: tuple[float, float], radius: float, counts: tuple[int, ...]) -> None:
    total = sum(counts)
    if not total:
        figure.add_artist(Wedge(center, radius, 0, 360, facecolor=HAIR, transform=None))
    start, colors = 90.0, [*(STYLES[status].color for status in LIFECYCLE), OTHER.color]
    for color, number in zip(colors, counts, strict=True):
        if number:
            end = start - 360 * number / total
            wedge = Wedge(center, radius, end, start, facecolor=color, edgecolor=PAPER, linewidth=0.8, transform=None)
            figure.add_artist(wedge)
            start = end
