"""What the eight statuses of a piece mean, and which of two is the later truth."""

from enum import IntEnum
from typing import Final


class Status(IntEnum):
    """Where a piece is. The number is its rank: a piece's status is the highest rank known about it.

    Physical evidence beats paperwork, so anything from Handed Over on outranks Cancelled; and a return
    may follow an estimated delivery, so Returned outranks Delivered. The numbers are stored: never renumber.
    """

    #: Ordered; waiting for its production date.
    RECEIVED = 1
    #: Being printed and finished.
    PRODUCING = 2
    #: Stopped before it was handed to the carrier.
    CANCELLED = 3
    #: Given to USPS; often stays here until the first scan.
    HANDED_OVER = 4
    #: Scanned on its way. May never be scanned.
    IN_TRANSIT = 5
    #: At the local post office. May never be scanned.
    LOCAL_DELIVERY = 6
    #: Delivered, by USPS's estimate.
    DELIVERED = 7
    #: Came back: USPS could not deliver it to this address.
    RETURNED = 8


#: Where a piece is of which the platform says a word that we do not know, or of which nothing was said yet. Such a word
#: is stronger than paperwork (see `movements`): who says "error" no longer waits for production, and is not stoppable;
#: a cancellation and what the carrier saw are stronger.
OTHER: Final = 0

#: The order in which people read them: the way of a piece, then the two ways out.
LIFECYCLE: Final = (
    Status.RECEIVED,
    Status.PRODUCING,
    Status.HANDED_OVER,
    Status.IN_TRANSIT,
    Status.LOCAL_DELIVERY,
    Status.DELIVERED,
    Status.RETURNED,
    Status.CANCELLED,
)

#: Nothing more is expected of a piece in one of these (though a delivered one may still come back).
FINAL: Final = frozenset({Status.CANCELLED, Status.DELIVERED, Status.RETURNED})

#: A piece that is, or has been, in the carrier's hands.
MAILED: Final = frozenset(s for s in Status if s >= Status.HANDED_OVER)

#: Only these may be asked to be cancelled; the platform has the last word (it refuses once work has begun).
CANCELLABLE: Final = frozenset({Status.RECEIVED})

#: Changes that a channel may be told about.
NOTABLE: Final = (Status.DELIVERED, Status.RETURNED, Status.CANCELLED)

MEANINGS: Final[dict[Status, str]] = {
    Status.RECEIVED: "ordered, waiting for its production date",
    Status.PRODUCING: "being printed",
    Status.HANDED_OVER: "given to USPS; can stay here a long time until the first scan",
    Status.IN_TRANSIT: "scanned by USPS on its way; may never be scanned",
    Status.LOCAL_DELIVERY: "at the local post office; may never be scanned",
    Status.DELIVERED: "delivered, by USPS's estimate",
    Status.RETURNED: "came back: USPS could not deliver it to this address",
    Status.CANCELLED: "stopped before it was handed over",
}


def status_of(rank: int) -> Status | None:
    """The status with this stored rank, or None for a piece known only by foreign words."""
    return Status(rank) if rank else None
