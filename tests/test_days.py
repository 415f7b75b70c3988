"""That what is tried on one day only is all tried within a few."""

from collections import Counter
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.days import one_a_day, turn


@given(st.text(), st.integers(1, 9), st.dates(max_value=date(2100, 1, 1)))
def test_each_has_its_turn_once_in_as_many_days(name: str, choices: int, first: date) -> None:
    days = [str(first + timedelta(n)) for n in range(choices)]
    assert {turn(name, choices, day) for day in days} == set(range(choices))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers()), max_size=20))
def test_one_of_each_name_is_kept_in_its_place(things: list[tuple[str, int]]) -> None:
    numbered = [(name, (name, place)) for place, (name, _) in enumerate(things)]
    kept = one_a_day(numbered)
    assert Counter(name for name, _ in kept) == Counter({name for name, _ in things})
    assert kept == sorted(kept, key=lambda one: one[1])
