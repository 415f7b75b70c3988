"""Two side by side: what is chance, and what is not."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.charts.drawing import draw_pair
from handlers.status import chance, compare_view
from handlers.status.compare_view import Side
from handlers.text.buttons import Comparing
from storage.records import Mix
from storage.statuses import Status
from tests.strategies import GENTLE, fine, mixes

TODAY = date(2026, 11, 26)


def side(name: str, delivered: int, returned: int, handed_on: date = date(2026, 11, 2)) -> Side:
    return Side(name, Mix({Status.DELIVERED: delivered, Status.RETURNED: returned}), handed_on)


def test_the_interval_is_newcombes() -> None:
    # 56 of 70 against 48 of 80: Newcombe (1998), table II, method 10, gives 0.0524 to 0.3339 for the first less the second.
    found = chance.difference(48, 80, 56, 70)
    assert found is not None
    assert found.low == pytest.approx(0.0524, abs=1e-4)
    assert found.high == pytest.approx(0.3339, abs=1e-4)


def test_a_large_difference_is_more_than_chance_and_a_small_one_may_be_chance() -> None:
    said = compare_view.differences(side("Spring", 950, 50), side("Fall", 880, 120), TODAY)
    assert "more than chance explains" in said[1]
    said = compare_view.differences(side("Spring", 97, 3), side("Fall", 95, 5), TODAY)
    assert "that may be chance" in said[1]


def test_small_campaigns_are_said_to_differ_by_luck() -> None:
    assert "luck alone" in compare_view.differences(side("Spring", 10, 2), side("Fall", 900, 100), TODAY)[-1]


def test_what_was_handed_over_later_is_not_called_worse() -> None:
    late = Side("Fall", Mix({Status.DELIVERED: 10, Status.IN_TRANSIT: 90}), date(2026, 11, 23))
    said = compare_view.differences(side("Spring", 97, 3), late, TODAY)
    assert "compare deliveries when both are complete" in said[0]
    assert "chance" not in said[0]


@given(one=mixes, other=mixes, names=st.tuples(st.text(max_size=200), st.text(max_size=200)))
@GENTLE
def test_any_two_are_compared(one: Mix, other: Mix, names: tuple[str, str]) -> None:
    first, second = Side(names[0], one, date(2026, 11, 2)), Side(names[1], other)
    fine(compare_view.answer(first, second, TODAY, b"png"), compare_view.choices([("Spring vs Fall", COMPARING)]))


COMPARING = Comparing(None, None, None, None, None, None)


def test_the_picture_is_square_and_says_each_share() -> None:
    pair = compare_view.pair_of(side("Spring lapsed", 91, 9), side("聖誕 🎄", 0, 0))
    assert [label for label, _, _ in pair.rows()] == ["Delivered", "Returned"]
    assert draw_pair(pair).startswith(b"\x89PNG")
