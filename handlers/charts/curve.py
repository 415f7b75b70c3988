"""The delivery curve: how much has arrived by the end of each day, beside what was expected."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon

from handlers.charts import canvas
from handlers.charts.canvas import EDGE, HAIR, SMALL, WIDTH, write
from handlers.charts.values import Curve
from handlers.forecast.model import Point
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
#: With more points than this their marks would touch.
MARKED: Final = 30


def draw(curve: Curve) -> bytes:
    """The picture as PNG."""
    figure = canvas.sheet()
    top = canvas.write_head(figure, curve.title, curve.message) - 60
    across = [LEFT + (RIGHT - LEFT) * n / max(len(curve.points) - 1, 1) for n in range(len(curve.points))]

    def height(share: float) -> float:
        return BOTTOM + (top - BOTTOM) * share

    _draw_grid(figure, height)
    placed = list(zip(across, curve.points, strict=True))
    # From what is known today to where it may go.
    ahead = [(x, (p.low, p.high)) for x, p in placed if p.day >= curve.today - timedelta(days=1)]
    _draw_band(figure, [(x, p.usual) for x, p in placed], USUAL, curve.usual, height)
    _draw_band(figure, ahead, LIKELY, "", height)
    _draw_line(figure, curve.points, across, height)
    _name_days(figure, curve, across)
    return canvas.png(canvas.pixels_of(figure))


def _draw_grid(figure: Figure, height: Height) -> None:
    for tenth in (0, 5, 10):
        y = height(tenth / 10)
        figure.add_artist(Line2D((LEFT, RIGHT), (y, y), color=HAIR, linewidth=0.8, transform=None))
        write(figure, LEFT - 18, y, f"{tenth * 10}%", SMALL, color=QUIET, ha="right")


def _draw_band(figure: Figure, band: Band, color: str, name: str, height: Height) -> None:
    if len(band) < 2 or not any(high > 0 for _, (_, high) in band):  # noqa: PLR2004 - an area has two ends
        return
    edge = [(x, height(low)) for x, (low, _) in band] + [(x, height(high)) for x, (_, high) in reversed(band)]
    figure.add_artist(Polygon(edge, facecolor=color, edgecolor="none", transform=None))
    if name:
        # Named under its end.
        x, (low, _) = band[-1]
        write(figure, x, max(height(low) - SMALL * 0.8, BOTTOM + SMALL), name, SMALL, color=QUIET, ha="right")


def _draw_line(figure: Figure, points: tuple[Point, ...], across: list[float], height: Height) -> None:
    seen = [(x, height(p.actual), p.actual) for x, p in zip(across, points, strict=True) if p.actual is not None]
    if not seen:
        return
    color = STYLES[Status.DELIVERED].color
    marks = {"marker": "o", "markersize": 5} if len(seen) < MARKED else {}
    xs, ys = [one[0] for one in seen], [one[1] for one in seen]
    figure.add_artist(Line2D(xs, ys, color=color, linewidth=3, transform=None, **marks))  # type: ignore[arg-type]
    x, y, share = seen[-1]
    # Today's mark, and how far it is, directly at the line's end.
    figure.add_artist(Line2D((x, x), (BOTTOM, y), color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)), transform=None))
    side = "right" if x > (LEFT + RIGHT) / 2 else "left"
    shift = -20 if side == "right" else 20
    y = max(y - SMALL * 0.9, BOTTOM + SMALL)
    write(figure, x + shift, y, f"{round(100 * share)}%", SMALL, weight="bold", color=color, ha=side)


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
