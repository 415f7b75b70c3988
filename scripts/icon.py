"""Draws docs/icon.png, the app in Slack: an envelope whose seal is a pie. 1024 × 1024; Slack wants 512 at least."""

from pathlib import Path

from PIL import Image, ImageDraw

SIDE = 1024
#: Drawn larger and made small again, so that edges are smooth.
FINE = 4
GREEN, PAPER, FOLD, RED, AMBER = "#0B5D4E", "#FFFFFF", "#C9DDD8", "#D1495B", "#F2B134"
TARGET = Path(__file__).resolve().parent.parent / "docs" / "icon.png"


def draw():
    """The picture."""
    picture = Image.new("RGB", (SIDE * FINE, SIDE * FINE), GREEN)
    pen = ImageDraw.Draw(picture)

    def at(*points):
        return [value * FINE for value in points]

    pen.rounded_rectangle(at(152, 262, 872, 782), radius=56 * FINE, fill=PAPER)
    for start, end in (((190, 742), (420, 510)), ((834, 742), (604, 510))):
        pen.line(at(*start, *end), fill=FOLD, width=22 * FINE)
    pen.line(at(190, 306, 512, 566, 834, 306), fill=FOLD, width=26 * FINE, joint="curve")
    # The seal: most of it delivered, some on its way, a little came back.
    pen.ellipse(at(352, 372, 672, 692), fill=PAPER)
    for start, end, color in ((-90, 150, GREEN), (150, 235, AMBER), (235, 270, RED)):
        pen.pieslice(at(372, 392, 652, 672), start, end, fill=color, outline=PAPER, width=10 * FINE)
    return picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    draw().save(TARGET, optimize=True)
