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


def test_what_reads_the_same_is_said_once_and_chance_only_where_it_is_judged() -> None:
    one, other = side("Spring", 98, 2), side("Fall", 196, 4)
    said = compare_view.differences(one, other, TODAY)
    assert said[:2] == ["98% of both delivered.", "2% of both came back."]
    assert compare_view.CHANCE not in str(compare_view.answer(one, other, TODAY, None).blocks)
    assert compare_view.CHANCE in str(
        compare_view.answer(side("Spring", 97, 3), side("Fall", 90, 10), TODAY, None).blocks
    )


def test_a_campaign_that_is_called_chance_is_no_verdict() -> None:
    one, other = open_side("Second chance", 20, 80), open_side("Last chance", 95, 5)
    assert compare_view.CHANCE not in str(compare_view.answer(one, other, TODAY, None).blocks)


@pytest.mark.parametrize(
    ("mine", "theirs", "said"),
    [
        (Mix(), Mix(), "Neither side has any pieces"),
        (Mix({Status.DELIVERED: 9}), Mix(), "There are no pieces of Fall"),
        (Mix({Status.RECEIVED: 9}), Mix(), "Nothing of Spring has been handed to USPS yet"),
        (Mix({Status.CANCELLED: 9}), Mix({Status.DELIVERED: 9}), "Nothing of Spring was handed to USPS"),
    ],
)
def test_why_there_is_nothing_to_compare(mine: Mix, theirs: Mix, said: str) -> None:
    one, other = Side("Spring", mine), Side("Fall", theirs)
    assert compare_view.differences(one, other, TODAY) == [f"{said}, so there is nothing to compare."]
    fine(compare_view.answer(one, other, TODAY, None))


def test_small_campaigns_are_said_to_differ_by_luck() -> None:
    assert "luck alone" in compare_view.differences(side("Spring", 10, 2), side("Fall", 900, 100), TODAY)[-1]


def test_what_was_handed_over_later_is_not_called_worse() -> None:
    late = Side("Fall", Mix({Status.DELIVERED: 10, Status.IN_TRANSIT: 90}), date(2026, 11, 23))
    said = compare_view.differences(side("Spring", 97, 3), late, TODAY)
    assert "compare deliveries when both are complete" in said[0]
    assert "chance" not in said[0]


def open_side(
    name: str, delivered: int, under_way: int, *, handed: tuple[date | None, date | None] = (None, None)
) -> Side:
    return Side(name, Mix({Status.DELIVERED: delivered, Status.IN_TRANSIT: under_way}), *handed)


def test_what_is_still_under_way_for_an_unknown_time_is_too_early_to_compare() -> None:
    said = compare_view.differences(open_side("November 2026", 20, 80), open_side("October 2026", 95, 5), TODAY)
    assert "80% of November 2026 is still on its way: too early to compare deliveries" in said[0]
    assert not [one for one in said if "chance" in one]


def test_where_each_may_yet_be_the_better_one_it_is_too_early() -> None:
    one, other = open_side("November 2026", 1, 99), open_side("October 2026", 2, 98)
    for said in (compare_view.differences(one, other, TODAY), compare_view.differences(other, one, TODAY)):
        assert "too early to compare deliveries" in said[0]


def test_of_nothing_no_difference_is_said() -> None:
    assert chance.difference(0, 0, 3, 4) is None
    assert chance.difference(3, 4, 0, 0) is None


def test_a_campaign_that_was_mailed_in_part_says_what_is_counted() -> None:
    part = Side("Spring", Mix({Status.DELIVERED: 5, Status.RECEIVED: 1}))
    whole = Side("Fall", Mix({Status.DELIVERED: 5}))
    for one, other in ((part, whole), (whole, part)):
        assert compare_view.OF_MAILED in str(compare_view.answer(one, other, TODAY, None).blocks)
    unmailed = Side("Winter", Mix({Status.RECEIVED: 5}))
    for one in (whole, unmailed):
        assert compare_view.OF_MAILED not in str(compare_view.answer(one, whole, TODAY, None).blocks)


def test_what_cannot_change_the_verdict_does_not_hold_it_back() -> None:
    few = Side("September 2026", Mix({Status.DELIVERED: 700, Status.RETURNED: 295, Status.IN_TRANSIT: 5}))
    said = compare_view.differences(Side("October 2026", Mix({Status.DELIVERED: 950, Status.RETURNED: 50})), few, TODAY)
    assert all("more than chance explains" in one for one in said)


def test_campaigns_of_one_age_are_compared_before_they_are_complete_but_not_where_one_was_still_being_mailed() -> None:
    day, later = date(2026, 11, 9), date(2026, 11, 23)
    one = open_side("Spring", 200, 800, handed=(day, day))
    said = compare_view.differences(one, open_side("Fall", 950, 50, handed=(day, day)), TODAY)
    assert "more than chance explains" in said[0]
    said = compare_view.differences(one, open_side("Fall", 950, 50, handed=(day, later)), TODAY)
    assert "too early" in said[0]


def test_what_matters_comes_before_the_counts() -> None:
    message = compare_view.answer(side("Spring", 91, 9), side("Fall", 86, 14), TODAY, None)
    first = "91% of Spring delivered, 86% of Fall: that may be chance."
    assert message.text.startswith(first)
    assert first in str(message.blocks[1]), "under the title"
    assert "Spring: 100 pieces, 100 mailed vs Fall" in str(message.blocks[2:])


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
