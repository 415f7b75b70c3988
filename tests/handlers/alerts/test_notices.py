"""Which news deserves a message."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.alerts.notices import plan
from storage.outbox import Item
from storage.records import (
    NotifyOn,
    PieceId,
    StoredPiece,
)
from storage.statuses import Status
from tests.strategies import GENTLE, ids, stored


@GENTLE
@given(
    items=st.lists(
        st.builds(
            Item,
            ids,
            st.sampled_from([PieceId(1), PieceId(2)]),
            st.sampled_from([Status.DELIVERED, Status.RETURNED, Status.CANCELLED]),
        ),
        unique=True,
    ),
    notify_on=st.frozensets(st.sampled_from(NotifyOn)),
    piece=stored,
)
def test_no_row_is_dropped_and_none_is_told_twice(
    items: list[Item], notify_on: frozenset[NotifyOn], piece: StoredPiece
) -> None:
    done = plan(items, notify_on, {PieceId(1): piece})
    told_rows = [item for _, group in done.groups for item in group]
    assert sorted(told_rows + list(done.quiet), key=str) == sorted(items, key=str)
    assert all(item.status is piece.status for item in told_rows)
