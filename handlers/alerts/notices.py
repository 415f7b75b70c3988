"""Which news deserves a message, and which only moves the card. Pure policy over claimed outbox rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from storage.outbox import Item
from storage.records import PieceId, StoredPiece, Want
from storage.statuses import Status

#: In this order: a return asks for something to be done.
ORDER: Final = (Status.RETURNED, Status.CANCELLED, Status.DELIVERED)
ASKED: Final = {
    Status.RETURNED: Want.RETURNED,
    Status.CANCELLED: Want.CANCELLED,
    Status.DELIVERED: Want.DELIVERED,
}


@dataclass(frozen=True)
class Plan:
    """What to do with a parcel: rows told by the card alone, and rows that deserve a message, grouped by status."""

    quiet: tuple[Item, ...]
    groups: tuple[tuple[Status, tuple[Item, ...]], ...]


def plan(items: Sequence[Item], wants: frozenset[Want], pieces: Mapping[PieceId, StoredPiece]) -> Plan:
    """Sorts a parcel's rows. A delivery that was overtaken by a return is not announced as a delivery."""
    loud = [item for item in items if _is_loud(item, wants, pieces.get(item.piece_id))]
    groups = [(status, tuple(item for item in loud if item.status is status)) for status in ORDER]
    return Plan(
        quiet=tuple(item for item in items if item not in loud),
        groups=tuple((status, found) for status, found in groups if found),
    )


def _is_loud(item: Item, wants: frozenset[Want], piece: StoredPiece | None) -> bool:
    return piece is not None and ASKED[item.status] in wants and piece.status is item.status
