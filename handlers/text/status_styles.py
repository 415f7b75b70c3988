"""How each status looks and is called. Exhaustive: a test walks all statuses."""

from dataclasses import dataclass
from typing import Final

from storage.statuses import Status


@dataclass(frozen=True)
class Style:
    """A status's name for people, its mark in Slack text, its color in pictures, and the square of a like color.

    `said`: what is said of pieces that stand there, after their share or number.
    """

    label: str
    emoji: str
    color: str
    square: str
    said: str


#: Made for color-blind readers and for print: neighbors in the pie differ in lightness (as gray) by a wide step,
#: and no two are told apart by red against green alone. Order and labels in the legend carry the meaning; color helps.
#: Where a picture cannot be shown, Slack's squares stand for it: each color is one of theirs.
STYLES: Final[dict[Status, Style]] = {
    Status.RECEIVED: Style("Received", ":inbox_tray:", "#BFC7D1", ":white_large_square:", "waiting to be printed"),
    Status.PRODUCING: Style("Producing", ":printer:", "#6B7785", ":black_large_square:", "being printed"),
    # "Handed to USPS" is also what moved on: it would read as if the others were not.
    Status.HANDED_OVER: Style("Handed Over", ":handshake:", "#C492E8", ":large_purple_square:", "waiting for a scan"),
    Status.IN_TRANSIT: Style("In Transit", ":truck:", "#2F83C5", ":large_blue_square:", "in transit"),
    Status.LOCAL_DELIVERY: Style(
        "Local Delivery", ":post_office:", "#F2C84B", ":large_yellow_square:", "at the local post office"
    ),
    Status.DELIVERED: Style("Delivered", ":mailbox_with_mail:", "#0B5D4E", ":large_green_square:", "delivered"),
    Status.RETURNED: Style("Returned", ":leftwards_arrow_with_hook:", "#E0672B", ":large_orange_square:", "came back"),
    Status.CANCELLED: Style("Cancelled", ":no_entry_sign:", "#573219", ":large_brown_square:", "cancelled"),
}
#: Of pieces known only by foreign words.
OTHER: Final = Style("Other", ":grey_question:", "#E8E4D8", ":white_square_button:", "at a status I don't know")
#: Around what is pale: without it three of the colors end somewhere in the paper.
FRAME: Final = "#8A8D91"
INK: Final = "#1D1C1D"
QUIET: Final = "#5E5D60"
PAPER: Final = "#FFFFFF"


def style_of(status: Status | None) -> Style:
    """How it looks; None for a piece known only by foreign words."""
    return STYLES[status] if status is not None else OTHER


def label(status: Status | None) -> str:
    """The status's name for people."""
    return style_of(status).label


def emoji(status: Status | None) -> str:
    """The status's mark in Slack text."""
    return style_of(status).emoji


def lightness(color: str) -> float:
    """How light a color is, from 0 to 1 (relative luminance, WCAG 2)."""

    def linear(channel: int) -> float:
        part = channel / 255
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - WCAG 2

    red, green, blue = (linear(int(color[at : at + 2], 16)) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ink_on(color: str) -> str:
    """Black or white, whichever reads better on this color."""
    return PAPER if lightness(color) < 0.19 else INK  # noqa: PLR2004 - where both read equally well
