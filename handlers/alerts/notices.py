"""Which news deserves a message, and which only moves the card. Pure policy over claimed outbox rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from storage.outbox import Item
from storage.records import NotifyOn, PieceId, StoredPiece
from storage.statuses import Status

#: Which choice of a channel asks for which news, in the order in which they are told: a return asks for something to be
#: done. These are all that are notable.
ASKED: Final = {
    Status.RETURNED: NotifyOn.RETURNED,
    Status.CANCELLED: NotifyOn.CANCELLED,
    Status.DELIVERED: NotifyOn.DELIVERED,
}
#: Why a row ends that nobody asks for any more; an *Undo* opens it again.
SWITCHED_OFF: Final = "Alerts were switched off in this channel before this was told."


@dataclass(frozen=True)
class Plan:
    """What to do with a batch: rows told by the card alone, and rows that deserve a message, grouped by status."""

    quiet: tuple[Item, ...]
    groups: tuple[tuple[Status, tuple[Item, ...]], ...]


def plan(items: Sequence[Item], notify_on: frozenset[NotifyOn], pieces: Mapping[PieceId, StoredPiece]) -> Plan:
    """Sorts a batch's rows. A delivery that was overtaken by a return is not announced as a delivery."""
    loud: list[Item] = []
    quiet: list[Item] = []
    for item in items:
        (loud if _is_loud(item, notify_on, pieces.get(item.piece_id)) else quiet).append(item)
    groups = [(status, tuple(item for item in loud if item.status is status)) for status in ASKED]
    return Plan(
        quiet=tuple(quiet),
        groups=tuple((status, found) for status, found in groups if found),
    )


def _is_loud(item: Item, notify_on: frozenset[NotifyOn], piece: StoredPiece | None) -> bool:
    return piece is not None and ASKED[item.status] in notify_on and piece.status is item.status
