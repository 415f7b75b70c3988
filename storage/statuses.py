"""What the statuses of a piece mean, and which of two is the later truth. All that follows from a status stands here.

A new status is one entry: its rank, somewhere between those of two others, and its traits. Its looks stand in
`handlers.text.status_styles`, and the words that mean it in each platform's folder.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Phase(IntEnum):
    """What a status says of a piece's way, in the order in which people read: the way, then the two ways out."""

    #: Nothing but paperwork: the carrier does not have it.
    BEFORE = 1
    #: In the carrier's hands, and not yet seen by its scanners.
    HANDED = 2
    #: Seen on its way.
    SCANNED = 3
    #: At its recipient.
    LANDED = 4
    #: It came back.
    BACK = 5
    #: It was never mailed.
    STOPPED = 6


@dataclass(frozen=True)
class Traits:
    """What else is to be known of a status. `meaning` is for people, and goes on after a colon."""

    phase: Phase
    meaning: str
    #: May be asked to be cancelled; the platform has the last word (it refuses once work has begun).
    is_cancellable: bool = False
    #: A channel may be told that a piece rose to it.
    is_notable: bool = False


class Status(IntEnum):
    """Where a piece is. The number is its rank: a piece's status is the highest rank known about it.

    Physical evidence beats paperwork, so anything from Handed Over on outranks Cancelled; and a return
    may follow an estimated delivery, so Returned outranks Delivered. The numbers are stored: never renumber.
    So are the names, and in lower case. The gaps are for statuses to come.
    """

    traits: Traits

    def __new__(cls, rank: int, traits: Traits) -> "Status":
        made = int.__new__(cls, rank)
        made._value_ = rank
        made.traits = traits
        return made

    RECEIVED = 10, Traits(Phase.BEFORE, "ordered, waiting for its production date", is_cancellable=True)
    PRODUCING = 20, Traits(Phase.BEFORE, "being printed")
    CANCELLED = 30, Traits(Phase.STOPPED, "stopped before it was handed over", is_notable=True)
    HANDED_OVER = 40, Traits(Phase.HANDED, "given to USPS; can stay here a long time until the first scan")
    IN_TRANSIT = 50, Traits(Phase.SCANNED, "scanned by USPS on its way; some pieces skip this scan")
    LOCAL_DELIVERY = 60, Traits(Phase.SCANNED, "at the local post office; some pieces skip this scan")
    DELIVERED = 70, Traits(Phase.LANDED, "USPS reports it delivered (an estimate)", is_notable=True)
    RETURNED = 80, Traits(Phase.BACK, "USPS couldn't deliver it to this address", is_notable=True)

    @property
    def word(self) -> str:
        """Its name where it is written down: in addresses, buttons, and what is kept."""
        return self.name.lower()


#: Where a piece is of which the platform says a word that we do not know, or of which nothing was said yet. Such a word
#: is stronger than paperwork (see `ledger.changes`): who says "error" no longer waits for production, and is not
#: stoppable; a cancellation and what the carrier saw are stronger.
OTHER: Final = 0


def _in(*phases: Phase) -> tuple[Status, ...]:
    return tuple(status for status in Status if status.traits.phase in phases)


#: The order in which people read them.
LIFECYCLE: Final = tuple(sorted(Status, key=lambda status: (status.traits.phase, status)))

#: No carrier has it, and it waits for no cancellation.
PAPERWORK: Final = _in(Phase.BEFORE)

#: Seen by the carrier's scanners, and not at its end.
SCANNED: Final = _in(Phase.SCANNED)

#: In the carrier's hands.
UNDER_WAY: Final = _in(Phase.HANDED, Phase.SCANNED)

#: Nothing more is expected of a piece in one of these (though a delivered one may still come back).
FINAL: Final = frozenset(_in(Phase.LANDED, Phase.BACK, Phase.STOPPED))

#: A piece that is, or has been, in the carrier's hands.
MAILED: Final = frozenset((*UNDER_WAY, *_in(Phase.LANDED, Phase.BACK)))

CANCELLABLE: Final = frozenset(status for status in Status if status.traits.is_cancellable)

NOTABLE: Final = tuple(status for status in Status if status.traits.is_notable)

#: By their stored rank, and by the name that is written down.
BY_RANK: Final = {int(status): status for status in Status}
BY_WORD: Final = {status.word: status for status in Status}


def status_of(rank: int) -> Status | None:
    """The status with this stored rank, or None for a piece known only by foreign words."""
    return BY_RANK[rank] if rank else None
