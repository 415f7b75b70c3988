"""The delivery curve: how much has arrived by the end of each day, beside what was expected."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon

from handlers.charts import canvas
from handlers.charts.canvas import EDGE, HAIR, SMALL, WIDTH, write
from handlers.charts.values import Curve
from handlers.text.status_styles import INK, QUIET, STYLES
from storage.statuses import Status

#: The bands: Delivered, far lighter. What is usual, and what is expected from today on.
USUAL: Final = "#E3EEEB"
LIKELY: Final = "#A9CFC5"
LEFT: Final = EDGE + 150
RIGHT: Final = WIDTH - EDGE - 40
BOTTOM: Final = EDGE + 2 * SMALL + 40
#: Two words under the field stand so far from each other, at least.
ROOM: Final = 260
#: From a share to a height on the sheet.
Height = Callable[[float], float]
#: Where across the sheet, and between which shares.
Band = list[tuple[float, tuple[float, float]]]
#: Between a name and the line (pixels), and how finely that is looked at between two days.
GAP: Final = 14
STEPS: Final = 12
#: With more points than this their marks would touch.
MARKED: Final = 30


def draw(curve: Curve) -> bytes:
    """The picture as PNG."""
    return canvas.png(canvas.pixels_of(figure_of(curve)))


def figure_of(curve: Curve) -> Figure:
    """All that is drawn."""
    figure = canvas.sheet()
    top = canvas.write_head(figure, curve.title, curve.message) - 60
    across = [LEFT + (RIGHT - LEFT) * n / max(len(curve.points) - 1, 1) for n in range(len(curve.points))]

    def height(share: float) -> float:
        return BOTTOM + (top - BOTTOM) * share

    _draw_grid(figure, height)
    placed = list(zip(across, curve.points, strict=True))
    # From what is known today to where it may go.
    ahead = [(x, (p.low, p.high)) for x, p in placed if p.day >= curve.today - timedelta(days=1)]
    usual = [(x, p.usual) for x, p in placed]
    _draw_band(figure, usual, USUAL, height)
    _draw_band(figure, ahead, LIKELY, height)
    if _is_area(usual):
        line = [(x, height(p.actual)) for x, p in placed if p.actual is not None]
        x, y = spot_of_name([(x, (height(low), height(high))) for x, (low, high) in usual], line, curve.usual, top)
        write(figure, x, y, curve.usual, SMALL, color=QUIET, ha="right")
    _draw_line(figure, curve, across, height, top)
    _name_days(figure, curve, across)
    return figure


def _draw_grid(figure: Figure, height: Height) -> None:
    for tenth in (0, 5, 10):
        y = height(tenth / 10)
        figure.add_artist(Line2D((LEFT, RIGHT), (y, y), color=HAIR, linewidth=0.8, transform=None))
        write(figure, LEFT - 18, y, f"{tenth * 10}%", SMALL, color=QUIET, ha="right")


def _is_area(band: Band) -> bool:
    return len(band) > 1 and any(high > 0 for _, (_, high) in band)


def spot_of_name(band: Band, line: Sequence[tuple[float, float]], name: str, top: float) -> tuple[float, float]:
    """Where the band's name stands (its right end, its middle), all in pixels: under the band's end; where the line,
    its per cent or today's mark would touch it there, at the foot, above the band, or farther to the left."""
    width, (end, (low, _)) = canvas.width_of(name, SMALL), band[-1]
    under_end = max(low - SMALL * 0.8, BOTTOM + SMALL)
    # Beside today's mark, where that stands at the end.
    beside = line[-1][0] - 2 * GAP if line else end
    spots = [(end, under_end), (beside, under_end), (end, BOTTOM + SMALL), (beside, BOTTOM + SMALL)]
    for x, (under, over) in reversed(band):
        if x - width > LEFT:
            spots += [(x, over + SMALL), (x, under - SMALL)]
    inside = [(x, y) for x, y in spots if BOTTOM + SMALL / 2 < y < top - SMALL / 2]
    return min(
        inside or spots, key=lambda spot: 2 * _touches(spot, width, line, top) + _crosses_mark(spot, width, line)
    )


def _crosses_mark(spot: tuple[float, float], width: float, line: Sequence[tuple[float, float]]) -> bool:
    """Whether a name there is on today's mark, below the line's end: better there than on the line, if need be."""
    x, y = spot
    return bool(line) and x - width - GAP <= line[-1][0] <= x + GAP and y - SMALL / 2 <= line[-1][1]


def _touches(spot: tuple[float, float], width: float, line: Sequence[tuple[float, float]], top: float) -> bool:
    """Whether a name there is on the line, or on the per cent at the line's end."""
    x, y = spot
    steps = [(a[0] + (b[0] - a[0]) * part / STEPS, a[1] + (b[1] - a[1]) * part / STEPS)
             for a, b in pairwise(line) for part in range(STEPS + 1)]  # fmt: skip
    on_line = any(x - width - GAP <= at <= x + GAP and abs(up - y) <= SMALL / 2 + GAP for at, up in (*steps, *line))
    if on_line or not line:
        return on_line
    at, up = line[-1]
    share = canvas.width_of("100%", SMALL, "bold") + 20
    return x - width - GAP < at + share and at - share < x + GAP and abs(height_of_share(at, up, top) - y) < SMALL + GAP


def height_of_share(x: float, y: float, top: float) -> float:
    """Where the per cent of the line's end stands: above where it stands to the left, for the line comes up from below;
    else, and where there is no room, below."""
    above = y + SMALL * 0.8
    if x > (LEFT + RIGHT) / 2 and above + SMALL / 2 < top:
        return above
    return max(y - SMALL * 0.9, BOTTOM + SMALL)


def _draw_band(figure: Figure, band: Band, color: str, height: Height) -> None:
    if not _is_area(band):
        return
    edge = [(x, height(low)) for x, (low, _) in band] + [(x, height(high)) for x, (_, high) in reversed(band)]
    figure.add_artist(Polygon(edge, facecolor=color, edgecolor="none", transform=None))


def _draw_line(figure: Figure, curve: Curve, across: list[float], height: Height, top: float) -> None:
    seen = [(x, height(p.actual)) for x, p in zip(across, curve.points, strict=True) if p.actual is not None]
    if not seen:
        return
    color = STYLES[Status.DELIVERED].color
    marks = {"marker": "o", "markersize": 5} if len(seen) < MARKED else {}
    xs, ys = [one[0] for one in seen], [one[1] for one in seen]
    figure.add_artist(Line2D(xs, ys, color=color, linewidth=3, transform=None, **marks))  # type: ignore[arg-type]
    x, y = seen[-1]
    # Today's mark, and how far it is, directly at the line's end.
    figure.add_artist(Line2D((x, x), (BOTTOM, y), color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)), transform=None))
    side = "right" if x > (LEFT + RIGHT) / 2 else "left"
    shift = -20 if side == "right" else 20
    y = height_of_share(x, y, top)
    write(figure, x + shift, y, curve.now, SMALL, weight="bold", color=color, ha=side)


def _name_days(figure: Figure, curve: Curve, across: list[float]) -> None:
    last, y = len(curve.points) - 1, BOTTOM - SMALL
    today = next((n for n, point in enumerate(curve.points) if point.day == curve.today), None)
    if today is not None:
        side = "left" if today == 0 else ("right" if today == last else "center")
        write(figure, across[today], y, "today", SMALL, weight="bold", ha=side)
    for number, side in ((0, "left"), (last, "right")):
        if today is None or abs(across[number] - across[today]) > ROOM:
            write(figure, across[number], y, _short(curve.points[number].day), SMALL, color=INK, ha=side)


def _short(day: date) -> str:
    return f"{day:%b} {day.day}"
