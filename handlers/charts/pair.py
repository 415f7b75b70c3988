"""Two pies side by side, and each status's two shares below them."""

from typing import Final

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle, Wedge

from handlers.charts import canvas
from handlers.charts.canvas import EDGE, HAIR, HEIGHT, SMALL, WIDTH, write
from handlers.charts.values import Pair
from handlers.text import formatting
from handlers.text.status_styles import OTHER_COLOR, PAPER, QUIET, STYLES
from storage.statuses import LIFECYCLE

CENTERS: Final = (WIDTH * 0.27, WIDTH * 0.73)
RADIUS: Final = 205
NAME: Final = WIDTH * 0.42
#: A line of the legend, where it begins, and where its two shares end.
LINE: Final = 62
SWATCH: Final = 42
NAME_LEFT: Final = EDGE + SWATCH + 20
RIGHTS: Final = (WIDTH * 0.76, WIDTH - EDGE)


def draw(pair: Pair) -> bytes:
    """The picture as PNG."""
    figure = canvas.sheet()
    compose(figure, pair)
    return canvas.png(canvas.pixels_of(figure))


def compose(figure: Figure, pair: Pair) -> None:
    """Names, pies and legend, from above."""
    top = HEIGHT - EDGE - SMALL / 2
    for x, name, counts in zip(CENTERS, pair.names, pair.counts, strict=True):
        _draw_pie(figure, x, top, name, counts)
    y = top - 3 * SMALL * canvas.LEADING - 2 * RADIUS - SMALL
    for label, color, shares in pair.rows():
        corner = (EDGE, y - SWATCH / 2)
        swatch = Rectangle(corner, SWATCH, SWATCH, facecolor=color, edgecolor="#8A8D91", linewidth=0.4, transform=None)
        figure.add_artist(swatch)
        write(figure, NAME_LEFT, y, label, SMALL)
        for right, share in zip(RIGHTS, shares, strict=True):
            write(figure, right, y, share, SMALL, ha="right")
        y -= LINE
    canvas.write_foot(figure, pair.caption)


def _draw_pie(figure: Figure, x: float, top: float, name: str, counts: tuple[int, ...]) -> None:
    total, y = sum(counts), top
    for line in canvas.lines_of(canvas.drawable(name, "Campaign"), SMALL, NAME, 2, "bold"):
        write(figure, x, y, line, SMALL, weight="bold", ha="center")
        y -= SMALL * canvas.LEADING
    said = formatting.pieces(total) if total else "No pieces"
    said = said if canvas.width_of(said, SMALL) <= NAME else f"{formatting.compact(total)} pieces"
    write(figure, x, top - 2 * SMALL * canvas.LEADING, said, SMALL, color=QUIET, ha="center")
    center = (x, top - 3 * SMALL * canvas.LEADING - RADIUS)
    if not total:
        figure.add_artist(Wedge(center, RADIUS, 0, 360, facecolor=HAIR, transform=None))
    start, colors = 90.0, [*(STYLES[status].color for status in LIFECYCLE), OTHER_COLOR]
    for color, number in zip(colors, counts, strict=True):
        if number:
            end = start - 360 * number / total
            wedge = Wedge(center, RADIUS, end, start, facecolor=color, edgecolor=PAPER, linewidth=0.8, transform=None)
            figure.add_artist(wedge)
            start = end
