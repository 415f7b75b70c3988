"""How each status looks and is called. Exhaustive: a test walks all statuses."""

from dataclasses import dataclass
from typing import Final

from storage.statuses import Status


@dataclass(frozen=True)
class Style:
    """A status's name for people, its mark in Slack text, its color in pictures, and the square of a like color."""

    label: str
    emoji: str
    color: str
    square: str


#: Made for color-blind readers and for print: neighbors in the pie differ in lightness (as gray) by a wide step,
#: and no two are told apart by red against green alone. Order and labels in the legend carry the meaning; color helps.
#: Where a picture cannot be shown, Slack's squares stand for it: each color is one of theirs.
STYLES: Final[dict[Status, Style]] = {
    Status.RECEIVED: Style("Received", ":inbox_tray:", "#BFC7D1", ":white_large_square:"),
    Status.PRODUCING: Style("Producing", ":printer:", "#6B7785", ":black_large_square:"),
    Status.HANDED_OVER: Style("Handed Over", ":handshake:", "#C492E8", ":large_purple_square:"),
    Status.IN_TRANSIT: Style("In Transit", ":truck:", "#2F83C5", ":large_blue_square:"),
    Status.LOCAL_DELIVERY: Style("Local Delivery", ":post_office:", "#F2C84B", ":large_yellow_square:"),
    Status.DELIVERED: Style("Delivered", ":mailbox_with_mail:", "#0B5D4E", ":large_green_square:"),
    Status.RETURNED: Style("Returned", ":leftwards_arrow_with_hook:", "#E0672B", ":large_orange_square:"),
    Status.CANCELLED: Style("Cancelled", ":no_entry_sign:", "#573219", ":large_brown_square:"),
}


OTHER_LABEL: Final = "Other"
OTHER_EMOJI: Final = ":grey_question:"
OTHER_SQUARE: Final = ":white_square_button:"
OTHER_COLOR: Final = "#E8E4D8"
#: Around what is pale: without it three of the colors end somewhere in the paper.
FRAME: Final = "#8A8D91"
INK: Final = "#1D1C1D"
QUIET: Final = "#5E5D60"
PAPER: Final = "#FFFFFF"


def label(status: Status | None) -> str:
    """The status's name for people."""
    return STYLES[status].label if status is not None else OTHER_LABEL


def emoji(status: Status | None) -> str:
    """The status's mark in Slack text."""
    return STYLES[status].emoji if status is not None else OTHER_EMOJI


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
