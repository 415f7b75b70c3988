"""Returns by state: a tile for each, on a map of tiles, its ink growing with the rate at which mail came back."""

from typing import Final

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from handlers.charts import canvas
from handlers.charts.canvas import EDGE, SMALL, WIDTH, blend, write
from handlers.charts.values import States
from handlers.text import formatting
from handlers.text.status_styles import QUIET, STYLES, ink_on
from storage.statuses import Status

#: The states as tiles, each near where it lies: row and column from the upper left. A form that newspapers use.
_ROWS: Final = (
    "AK .. .. .. .. .. .. .. .. .. ME",
    ".. .. .. .. .. .. .. .. .. VT NH",
    "WA ID MT ND MN IL WI MI NY RI MA",
    "OR NV WY SD IA IN OH PA NJ CT ..",
    "CA UT CO NE MO KY WV VA MD DE ..",
    ".. AZ NM KS AR TN NC SC DC .. ..",
    ".. .. .. OK LA MS AL GA .. .. ..",
    "HI .. .. TX .. .. .. .. FL .. ..",
)
TILES: Final = {
    state: (row, column) for row, line in enumerate(_ROWS) for column, state in enumerate(line.split()) if state != ".."
}
COLUMNS: Final = 11
TILE: Final = (WIDTH - 2 * EDGE) / COLUMNS
#: The worst states are named under the map, with their counts.
NAMED: Final = 4
#: What the tint of a state without returns means.
PALE: Final = "Palest: none came back"
#: A rate that shows the full color, if none is higher.
FULL: Final = 0.05


def draw(states: States) -> bytes:
    """The picture as PNG."""
    figure = canvas.sheet()
    top = canvas.write_head(figure, states.title, states.message) - 20
    rates = {state: returned / mailed for state, returned, mailed in states.rows if mailed}
    most = max([FULL, *rates.values()])
    for state, (row, column) in TILES.items():
        _draw_tile(figure, state, rates.get(state), most, EDGE + column * TILE, top - (row + 1) * TILE)
    y = top - 8 * TILE - SMALL
    # In the order in which they come: whose it is knows which rates say something.
    worst = [row for row in states.rows if row[1]]
    for state, returned, mailed in worst[:NAMED]:
        count, share = formatting.count(returned), formatting.share(returned, mailed)
        said = f"{canvas.drawable(state, 'Unknown')}: {count} of {formatting.count(mailed)} ({share})"
        write(figure, EDGE, y, canvas.fit(said, SMALL, WIDTH - 2 * EDGE), SMALL)
        y -= SMALL * canvas.LEADING
    canvas.write_foot(figure, " · ".join(part for part in (PALE, states.caption) if part))
    return canvas.png(canvas.closed_up(canvas.pixels_of(figure), y + SMALL * canvas.LEADING / 2, PALE))


def _draw_tile(figure: Figure, state: str, rate: float | None, most: float, x: float, y: float) -> None:
    """A state to which nothing was mailed is an empty frame."""
    base = STYLES[Status.RETURNED].color
    color = "#FFFFFF" if rate is None else blend(base, 0.12 + 0.88 * rate / most)
    frame = canvas.HAIR if rate is None else color
    figure.add_artist(
        FancyBboxPatch(
            (x + 3, y + 3), TILE - 6, TILE - 6, boxstyle="round,pad=0,rounding_size=8", facecolor=color,
            edgecolor=frame, linewidth=0.8, transform=None, mutation_aspect=1,
        )
    )  # fmt: skip
    ink = QUIET if rate is None else ink_on(color)
    write(figure, x + TILE / 2, y + TILE / 2, state, SMALL, ha="center", color=ink)
