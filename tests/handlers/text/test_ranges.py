"""Ranges that are kept, and moved on with the calendar."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.text import parsing, ranges

TODAY = date(2026, 11, 2)


days = st.dates(date(2020, 1, 1), date(2030, 1, 1))


@pytest.mark.parametrize(
    ("typed", "first", "last"),
    [
        ("first week of this month", "2026-11-01", "2026-11-07"),
        ("the first week of November", "2026-11-01", "2026-11-07"),
        ("2nd week in october", "2026-10-08", "2026-10-14"),
        ("last week of last month", "2026-10-25", "2026-10-31"),
        ("last week of Feb 2024", "2024-02-23", "2024-02-29"),
        ("first week of the month", "2026-11-01", "2026-11-07"),
    ],
)
def test_a_week_of_a_month_is_read(typed: str, first: str, last: str) -> None:
    span = ranges.read_range(typed, date(2026, 11, 20))
    assert span is not None
    assert (str(span.days.first), str(span.days.last)) == (first, last)


@pytest.mark.parametrize("key", parsing.PRESETS)
def test_a_kept_preset_moves_with_the_calendar(key: str) -> None:
    assert parsing.kept(key, TODAY) == parsing.PRESETS[key][1](TODAY)


@given(days, days)
def test_any_two_days_become_the_nearest_valid_range(first: date, last: date) -> None:
    text, note = parsing.between(first, last, TODAY)
    span = parsing.kept(text, TODAY).days
    assert span.first is not None
    assert span.last is not None
    assert span.first <= span.last <= TODAY
    assert (span.last - span.first).days < parsing.LONGEST_SPAN
    asked = first <= last <= TODAY and (last - first).days < parsing.LONGEST_SPAN
    assert (note == "") == asked
    if asked:
        assert (span.first, span.last) == (first, last)


@pytest.mark.parametrize("text", ["", "nonsense", "2026-13-01..2026-01-01", "..", "x" * 500])
def test_what_was_kept_and_cannot_be_read_is_the_default(text: str) -> None:
    assert parsing.kept(text, TODAY) == parsing.now(TODAY)


@pytest.mark.parametrize(
    "typed", ["apr\u0131l", "APR\u0130L", "FR\u0130", "f\u0131ve days ago", "f\u0131rst week of November"]
)
def test_letters_of_another_alphabet_spell_no_day(typed: str) -> None:
    assert ranges.read_range(typed, TODAY) is None
