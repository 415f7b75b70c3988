"""Two pies side by side, and each status's two shares below them. Pure: values in, PNG bytes out."""

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from handlers.charts.drawing import DPI, FONT, drawable, fit
from handlers.text import formatting
from handlers.text.status_styles import INK, OTHER_COLOR, OTHER_LABEL, PAPER, QUIET, STYLES
from storage.statuses import LIFECYCLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Square, with large type: on a phone it is shown some 320 pixels wide.
SIDE: Final = 1080
CENTERS: Final = ((290, 690), (790, 690))
RADIUS: Final = 205
#: Where the legend begins, from below, and its columns.
TOP, LEFT, RIGHTS = 400, 60, (760, 1010)
NAMES: Final = 17


@dataclass(frozen=True)
class Pair:
    """Two names with how many pieces stand at each status, in reading order, the unknown ones last."""

    names: tuple[str, str]
    counts: tuple[tuple[int, ...], tuple[int, ...]]


@lru_cache(maxsize=16)
def draw_pair(pair: Pair) -> bytes:
    """The picture as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow import, on first use
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow import, on first use
    from PIL import Image  # noqa: PLC0415 - comes with matplotlib, on first use

    figure = Figure(figsize=(SIDE / DPI, SIDE / DPI), dpi=DPI, facecolor=PAPER)
    canvas: Any = FigureCanvasAgg(figure)
    for center, name, counts in zip(CENTERS, pair.names, pair.counts, strict=True):
        _pie(figure, center, name, counts)
    _legend(figure, pair)
    canvas.draw()
    pixels = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
    out = io.BytesIO()
    pixels.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(out, "png", compress_level=6)
    return out.getvalue()


def rows(pair: Pair) -> list[tuple[str, str, tuple[str, str]]]:
    """Label, color and the two shares of each status that holds a piece on either side."""
    looks = [(STYLES[status].label, STYLES[status].color) for status in LIFECYCLE] + [(OTHER_LABEL, OTHER_COLOR)]
    shares = [formatting.shares(counts) for counts in pair.counts]
    found = zip(looks, zip(*pair.counts, strict=True), zip(*shares, strict=True), strict=True)
    return [(label, color, both) for (label, color), numbers, both in found if any(numbers)]


def _pie(figure: "Figure", center: tuple[int, int], name: str, counts: tuple[int, ...]) -> None:
    from matplotlib.patches import Circle, Wedge  # noqa: PLC0415 - slow import, on first use

    total, start = sum(counts), 90.0
    x, y = center
    _write(figure, x, SIDE - 60, fit(drawable(name), NAMES), 46, weight="bold", ha="center")
    _write(figure, x, SIDE - 122, formatting.pieces(total) if total else "No pieces", 40, color=QUIET, ha="center")
    if not total:
        figure.add_artist(Circle(center, RADIUS, facecolor="#F3F4F6", edgecolor="#D5D9DE", transform=None))
    colors = [*(STYLES[status].color for status in LIFECYCLE), OTHER_COLOR]
    for color, number in zip(colors, counts, strict=True):
        if number:
            end = start - 360 * number / total
            wedge = Wedge((x, y), RADIUS, end, start, facecolor=color, edgecolor=PAPER, linewidth=0.8, transform=None)
            figure.add_artist(wedge)
            start = end


def _legend(figure: "Figure", pair: Pair) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - slow import, on first use

    shown = rows(pair)
    step = min(62, (TOP - 30) // max(len(shown), 1))
    for index, (label, color, shares) in enumerate(shown):
        y = TOP - step * index
        figure.add_artist(Rectangle((LEFT, y - 18), 36, 36, facecolor=color, edgecolor="#8A8D91", transform=None))
        _write(figure, LEFT + 56, y, label, min(44, step - 8))
        for right, share in zip(RIGHTS, shares, strict=True):
            _write(figure, right, y, share, min(44, step - 8), ha="right")


def _write(figure: "Figure", x: float, y: float, text: str, size: float, **style: Any) -> None:
    """Text at a pixel, never read as mathematics. Sizes are in pixels, too."""
    from matplotlib.text import Text  # noqa: PLC0415 - slow import, on first use
    from matplotlib.transforms import IdentityTransform  # noqa: PLC0415 - slow import, on first use

    look: dict[str, Any] = {"color": INK, "va": "center_baseline", "family": FONT, **style}
    figure.add_artist(
        Text(x, y, text, fontsize=size * 72 / DPI, parse_math=False, transform=IdentityTransform(), **look)
    )
