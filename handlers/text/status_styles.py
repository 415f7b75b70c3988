"""How each status looks and is called. Exhaustive: a test walks all statuses."""

from dataclasses import dataclass
from typing import Final

from storage.statuses import Status


@dataclass(frozen=True)
class Style:
    """A status's name for people, its mark in Slack text, and its color in pictures."""

    label: str
    emoji: str
    color: str


#: Made for color-blind readers and for print: neighbors in the pie differ in lightness (as gray) by a wide step,
#: and no two are told apart by red against green alone. Order and labels in the legend carry the meaning; color helps.
STYLES: Final[dict[Status, Style]] = {
    Status.RECEIVED: Style("Received", ":inbox_tray:", "#BFC7D1"),
    Status.PRODUCING: Style("Producing", ":printer:", "#6B7785"),
    Status.HANDED_OVER: Style("Handed Over", ":handshake:", "#A6D8F0"),
    Status.IN_TRANSIT: Style("In Transit", ":truck:", "#2F83C5"),
    Status.LOCAL_DELIVERY: Style("Local Delivery", ":post_office:", "#F2C84B"),
    Status.DELIVERED: Style("Delivered", ":mailbox_with_mail:", "#0B5D4E"),
    Status.RETURNED: Style("Returned", ":leftwards_arrow_with_hook:", "#E0672B"),
    Status.CANCELLED: Style("Cancelled", ":no_entry_sign:", "#3A2A4D"),
}


OTHER_LABEL: Final = "Other"
OTHER_COLOR: Final = "#E9DDF0"
INK: Final = "#1D1C1D"
QUIET: Final = "#5E5D60"
PAPER: Final = "#FFFFFF"


def label(status: Status | None) -> str:
    """The status's name for people."""
    return STYLES[status].label if status is not None else OTHER_LABEL


def emoji(status: Status | None) -> str:
    """The status's mark in Slack text."""
    return STYLES[status].emoji if status is not None else ":grey_question:"
