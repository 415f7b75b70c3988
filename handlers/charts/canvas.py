"""The sheet that every picture is drawn on: its size, its fonts and colors, text that is measured before it is set.

No Axes and no layout engine: every part has its place, computed from what is measured, so nothing can overlap.
"""

import io
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from matplotlib import rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text
from matplotlib.transforms import IdentityTransform
from PIL import Image

from handlers.text.status_styles import INK, OTHER, PAPER, QUIET, STYLES, ink_on

WIDTH: Final = 1080
HEIGHT: Final = 1350
DPI: Final = 200
#: Paper between the edge and anything.
EDGE: Final = 48
#: Sizes in pixels of the sheet. On a phone 48 of them are 14.
SMALL: Final = 48
BIG: Final = 58
#: The name and the message together have so many lines.
HEAD_LINES: Final = 4
LEADING: Final = 1.22
FONT: Final = "DejaVu Sans"
#: Fonts with the glyphs that ours lacks, where the machine has one: Chinese, Japanese, Korean, and what else there is.
FALLBACKS: Final = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans SC", "Noto Sans JP", "Noto Sans KR",
    "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Source Han Sans", "Hiragino Sans", "PingFang SC",
    "Apple SD Gothic Neo", "Yu Gothic", "MS Gothic", "Microsoft YaHei", "Malgun Gothic", "Droid Sans Fallback",
    "Unifont", "Noto Sans Arabic", "Noto Sans Hebrew",
)  # fmt: skip
BLENDS: Final = 6
NEAR_WHITE: Final = 240
#: Lines on the paper, and an empty ring.
HAIR: Final = "#D5D9DE"

# A third of the drawing is hinting glyphs, which at this size nobody sees. The setting is the process's own.
rcParams["text.hinting"] = "no_hinting"


def sheet(width: int = WIDTH, height: int = HEIGHT) -> Figure:
    """An empty one. Its pixels are counted from its lower left corner, as matplotlib does."""
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


@lru_cache(maxsize=1)
def easel() -> Figure:
    """The one figure for what is new in each picture: to make and throw away one each takes as long as the wedges."""
    return sheet()


def clear(figure: Figure) -> None:
    """Takes everything off it but the paper."""
    for artist in figure.get_children()[1:]:
        artist.remove()


@lru_cache(maxsize=1)
def families() -> tuple[str, ...]:
    """Our font, and after it those of the machine that have further glyphs."""
    there = {entry.name for entry in fontManager.ttflist}
    return (FONT, *(name for name in FALLBACKS if name in there))


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    found: set[int] = set()
    for name in families():
        found.update(get_font(findfont(FontProperties(family=name))).get_charmap())
    return frozenset(found)


def drawable(text: str, otherwise: str = "") -> str:
    """The text without characters that no font has; `otherwise` where nothing that can be read is left."""
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(c for c in composed if ord(c) in _glyphs() and (c == " " or c.isprintable()))
    line = " ".join(kept.split())
    return line if any(c.isalnum() for c in line) else otherwise


@lru_cache(maxsize=8)
def _face(size: float, weight: str) -> FontProperties:
    return FontProperties(family=list(families()), size=size * 72 / DPI, weight=weight)


@lru_cache(maxsize=4096)
def width_of(text: str, size: float, weight: str = "normal") -> float:
    """How wide a line of text is, in pixels, as the renderer itself measures it."""
    canvas: Any = easel().canvas
    return float(canvas.get_renderer().get_text_width_height_descent(text, _face(size, weight), False)[0])


def fit(text: str, size: float, width: float, weight: str = "normal") -> str:
    """The text, cut to what fits a width."""
    if width_of(text, size, weight) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width_of(text[:middle].rstrip() + "…", size, weight) <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def lines_of(text: str, size: float, width: float, most: int, weight: str = "normal") -> list[str]:
    """The text in lines that fit a width, broken between words; the last of them is cut if need be."""
    lines: list[str] = []
    words = text.split()
    while words and len(lines) < most - 1:
        taken = 1
        while taken < len(words) and width_of(" ".join(words[: taken + 1]), size, weight) <= width:
            taken += 1
        line = " ".join(words[:taken])
        if width_of(line, size, weight) > width:
            # A word that is longer than a line takes the last.
            break
        lines.append(line)
        words = words[taken:]
    return [*lines, fit(" ".join(words), size, width, weight)] if words else lines


def write(figure: Figure, x: float, y: float, text: str, size: float, **style: Any) -> None:
    """A line of text in the middle of which (from top to bottom) lies y. Never read as mathematics."""
    face = _face(size, style.pop("weight", "normal"))
    settings = {"color": INK, "va": "center_baseline", **style}
    shown = Text(
        x, y, text, fontproperties=face, parse_math=False, transform=IdentityTransform(), **settings
    )  # fmt: skip
    figure.add_artist(shown)


def write_head(figure: Figure, title: str, message: str) -> float:
    """Whose picture it is and what it says, at the top; gives the height (in pixels from below) at which that ends."""
    room = WIDTH - 2 * EDGE
    said = lines_of(drawable(message), BIG, room, HEAD_LINES - 1, "bold")
    y = HEIGHT - EDGE - SMALL / 2
    for line in _title_lines(drawable(title, "Campaign"), room, HEAD_LINES - len(said)):
        write(figure, EDGE, y, line, SMALL, color=QUIET)
        y -= SMALL * LEADING
    y -= 8
    for line in said:
        write(figure, EDGE, y, line, BIG, weight="bold")
        y -= BIG * LEADING
    return y + BIG / 2


def _title_lines(title: str, room: float, most: int) -> list[str]:
    """In at most so many lines. Where it is too long for them, the name is cut, and not the days behind it."""
    lines, (name, dot, days) = lines_of(title, SMALL, room, most), title.rpartition(" · ")
    if not dot or not lines[-1].endswith("…"):
        return lines
    if most > 1:
        return [*lines_of(name, SMALL, room, most - 1), fit(days, SMALL, room)]
    kept = fit(name, SMALL, room - width_of(dot + days, SMALL))
    return [fit(kept + dot + days, SMALL, room)]


def write_foot(figure: Figure, caption: str) -> None:
    """The moment of the numbers, at the bottom."""
    write(figure, EDGE, EDGE, fit(drawable(caption), SMALL, WIDTH - 2 * EDGE), SMALL, color=QUIET)


#: The foot's line and the paper over it.
FOOT: Final = EDGE + SMALL


def pixels_of(figure: Figure, window: tuple[int, int, int, int] | None = None) -> Image.Image:
    """What is drawn within these pixels (left, top, right, bottom; None: all), in the few colors of the palette."""
    canvas: Any = figure.canvas
    if figure.stale:
        canvas.draw()
    image = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
    part = image.crop(window) if window else image
    return part.convert("RGB").quantize(palette=palette(), dither=Image.Dither.NONE)


#: Between what is drawn and the foot.
CLEAR: Final = 36


def closed_up(image: Image.Image, lowest: float, caption: str) -> Image.Image:
    """The sheet without the paper between what is drawn, down to this height, and the foot; at its end without one."""
    foot = image.crop((0, HEIGHT - FOOT, WIDTH, HEIGHT)) if caption else image.crop((0, HEIGHT - EDGE, WIDTH, HEIGHT))
    height = round(HEIGHT - lowest) + (CLEAR if caption else 0) + foot.height
    if height >= HEIGHT:
        return image
    cut = image.crop((0, 0, WIDTH, height))
    cut.paste(foot, (0, height - foot.height))
    return cut


@lru_cache(maxsize=1)
def paper() -> Image.Image:
    """An empty sheet, as pixels."""
    return pixels_of(sheet())


def png(image: Image.Image) -> bytes:
    """The picture as a file."""
    out = io.BytesIO()
    image.save(out, "png", compress_level=4)
    return out.getvalue()


def rgb(color: str) -> tuple[int, int, int]:
    """Its channels, from 0 to 255."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def blend(color: str, part: float) -> str:
    """This part of the color on white paper: 0 is white, 1 the color itself."""
    return "#" + "".join(f"{round(255 + (channel - 255) * part):02X}" for channel in rgb(color))


@lru_cache(maxsize=1)
def palette() -> Image.Image:
    """The few colors that occur: each status and its blends into white and into the ink on it, and grays."""
    colors: list[Sequence[int]] = [(0, 0, 0), (255, 255, 255), rgb("#F3F4F6"), rgb(HAIR), rgb("#8A8D91")]
    for base in [*(style.color for style in STYLES.values()), OTHER.color, INK, QUIET]:
        colors += [rgb(blend(base, 1 - step / BLENDS)) for step in range(BLENDS)]
    for style in STYLES.values():
        over = rgb(ink_on(style.color))
        colors += [
            [round(c + (o - c) * step / 5) for c, o in zip(rgb(style.color), over, strict=True)] for step in range(1, 5)
        ]
    # Pillow matches coarsely: an entry close to white would tint the paper.
    kept = [tuple(c) for c in colors if tuple(c) == (255, 255, 255) or min(c) < NEAR_WHITE]
    image = Image.new("P", (1, 1))
    image.putpalette([channel for color in dict.fromkeys(kept) for channel in color])
    return image
