"""Ranges that are kept, and moved on with the calendar."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.text import parsing, ranges
from storage.queries.mail import Days

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


@pytest.mark.parametrize(
    ("typed", "first", "last"),
    [
        ("this qtr", "2026-10-01", "2026-12-31"),
        ("last wk", "2026-11-09", "2026-11-15"),
        ("week of Nov 4", "2026-11-02", "2026-11-08"),
        ("the past fortnight", "2026-11-07", "2026-11-20"),
        ("this morning", "2026-11-20", "2026-11-20"),
        ("earlier today", "2026-11-20", "2026-11-20"),
        ("yesterday afternoon", "2026-11-19", "2026-11-19"),
        ("last night", "2026-11-19", "2026-11-19"),
        ("until the 31st", "2000-01-01", "2026-10-31"),
        ("since the 15th", "2026-11-15", "2026-11-20"),
        ("the 20th", "2026-11-20", "2026-11-20"),
        ("from the 1st to the 15th", "2026-11-01", "2026-11-15"),
    ],
)
def test_a_part_of_a_day_and_a_day_of_no_named_month_are_read(typed: str, first: str, last: str) -> None:
    span = ranges.read_range(typed, date(2026, 11, 20))
    assert span is not None
    assert (str(span.days.first), str(span.days.last)) == (first, last)


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("since Thanksgiving", "2026-11-26"),
        ("after thanksgiving day", "2026-11-27"),
        ("since Christmas", "2025-12-25"),
        ("since Labor Day", "2026-09-07"),
        ("since Memorial Day", "2026-05-25"),
        ("since July 4th", "2026-07-04"),
        ("since the Fourth of July", "2026-07-04"),
        ("since New Year's", "2026-01-01"),
        ("since New Year’s Day", "2026-01-01"),
        ("since Veterans Day", "2026-11-11"),
    ],
)
def test_since_a_holiday_is_since_it_was_last(typed: str, first: str) -> None:
    span = ranges.read_range(typed, date(2026, 11, 28))
    assert span is not None
    assert (str(span.days.first), str(span.days.last)) == (first, "2026-11-28")


@pytest.mark.parametrize("typed", ["Christmas", "Labor Day", "before Thanksgiving", "for Christmas"])
def test_a_holiday_alone_may_be_a_campaign_and_is_no_range(typed: str) -> None:
    assert ranges.read_range(typed, TODAY) is None


@pytest.mark.parametrize(
    "typed",
    ["until 9999-12-31", "since 9999-12-31", "after 9999-12-31", "before 0001-01-01", "until 1999-12-31", "until 2/30",
     "until the 32nd", "9999-12-31", "until 12/31/9999", "999999 years ago", "last 999999 weeks"],
)  # fmt: skip
def test_a_day_of_no_calendar_is_refused_in_words(typed: str) -> None:
    with pytest.raises(parsing.RangeRefused, match=r"These work|Ask for between"):
        ranges.read_range(typed, TODAY)


@given(days, days)
def test_the_words_for_two_days_are_read_as_these_days(one: date, other: date) -> None:
    """What an answer names as a range is typed again."""
    first, last = min(one, other), max(one, other)
    span = ranges.read_range(ranges.name_days(Days(first, last)).label, date(2030, 1, 1))
    assert span is not None
    assert span.days == Days(first, last)


@pytest.mark.parametrize(
    ("typed", "rest", "label"),
    [
        ("what came back in November?", "what came back", "November 2026"),
        ("which in October were returned", "which were returned", "October 2026"),
        ("since Monday what was returned", "what was returned", "Nov 2, 2026"),
        ("which may be wrong", "which may be wrong", ""),
        ("returns", "returns", ""),
    ],
)
def test_a_range_is_found_wherever_it_stands(typed: str, rest: str, label: str) -> None:
    found, span = ranges.within(typed, TODAY)
    assert found == rest
    assert (span.label if span else "").removeprefix("today, ") == label


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
