"""What people type, read."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.errors import Refusal
from handlers.text import parsing
from handlers.text.parsing import RangeRefused, TooLong
from handlers.text.ranges import mend, split_range
from storage.queries.mail import Days

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("text", "name", "first", "last"),
    [
        ("Spring today", "Spring", TODAY, TODAY),
        ("Spring yesterday", "Spring", date(2026, 11, 22), date(2026, 11, 22)),
        ("Spring last 7 days", "Spring", date(2026, 11, 17), TODAY),
        ("Spring this month", "Spring", date(2026, 11, 1), date(2026, 11, 30)),
        ("Spring last month", "Spring", date(2026, 10, 1), date(2026, 10, 31)),
        ("Spring October", "Spring", date(2026, 10, 1), date(2026, 10, 31)),
        ("Spring in dec", "Spring", date(2025, 12, 1), date(2025, 12, 31)),
        ("Spring february 2024", "Spring", date(2024, 2, 1), date(2024, 2, 29)),
        ("Spring 2026-10-01..2026-10-31", "Spring", date(2026, 10, 1), date(2026, 10, 31)),
        ("Spring 2026-10-01 to 2026-10-02", "Spring", date(2026, 10, 1), date(2026, 10, 2)),
        ("Spring 2026-10-05", "Spring", date(2026, 10, 5), date(2026, 10, 5)),
        ('"Spring lapsed" last 3 days', "Spring lapsed", date(2026, 11, 21), TODAY),
        ("LAST MONTH", "", date(2026, 10, 1), date(2026, 10, 31)),
        ("last week Spring", "Spring", date(2026, 11, 16), date(2026, 11, 22)),
        ("this week", "", date(2026, 11, 23), date(2026, 11, 29)),
        ("Spring, past 30 days", "Spring", date(2026, 10, 25), TODAY),
        ("in the last two weeks Spring", "Spring", date(2026, 11, 10), TODAY),
        ("last 3 months", "", date(2026, 8, 24), TODAY),
        ("30d", "", date(2026, 10, 25), TODAY),
        ("last 24 hours", "", date(2026, 11, 22), TODAY),
        ("Q4", "", date(2026, 10, 1), date(2026, 12, 31)),
        ("Q1 2026 - Q2 2026", "", date(2026, 1, 1), date(2026, 6, 30)),
        ("third quarter of 2025", "", date(2025, 7, 1), date(2025, 9, 30)),
        ("2025 Q4 Spring", "Spring", date(2025, 10, 1), date(2025, 12, 31)),
        ("last quarter", "", date(2026, 7, 1), date(2026, 9, 30)),
        ("H1 2026", "", date(2026, 1, 1), date(2026, 6, 30)),
        ("this year", "", date(2026, 1, 1), date(2026, 12, 31)),
        ("Spring last year", "Spring", date(2025, 1, 1), date(2025, 12, 31)),
        ("year to date", "", date(2026, 1, 1), TODAY),
        ("Spring ytd", "Spring", date(2026, 1, 1), TODAY),
        ("month so far", "", date(2026, 11, 1), TODAY),
        ("2024-2025", "", date(2024, 1, 1), date(2025, 12, 31)),
        ("Nov 1", "", date(2026, 11, 1), date(2026, 11, 1)),
        ("Nov. 1st, 2025", "", date(2025, 11, 1), date(2025, 11, 1)),
        ("1 November 2025", "", date(2025, 11, 1), date(2025, 11, 1)),
        ("Dec 24", "", date(2025, 12, 24), date(2025, 12, 24)),
        ("feb 29", "", date(2024, 2, 29), date(2024, 2, 29)),
        ("10/01/2026-10/31/2026", "", date(2026, 10, 1), date(2026, 10, 31)),
        ("10/1/26 to 10/31/26", "", date(2026, 10, 1), date(2026, 10, 31)),
        ("31/10/2026", "", date(2026, 10, 31), date(2026, 10, 31)),
        ("11/2", "", date(2026, 11, 2), date(2026, 11, 2)),
        ("Spring 2026-10-31..2026-10-01", "Spring", date(2026, 10, 1), date(2026, 10, 31)),
        ("Oct-Nov", "", date(2026, 10, 1), date(2026, 11, 30)),
        ("Nov - Jan", "", date(2025, 11, 1), date(2026, 1, 31)),
        ("between Oct 15 and Nov 3 Spring", "Spring", date(2026, 10, 15), date(2026, 11, 3)),
        ("Nov 1-10", "", date(2026, 11, 1), date(2026, 11, 10)),
        ("november 1 through 10, 2025", "", date(2025, 11, 1), date(2025, 11, 10)),
        ("since Monday", "", TODAY, TODAY),
        ("since Friday Spring", "Spring", date(2026, 11, 20), TODAY),
        ("Spring from Nov 1", "Spring", date(2026, 11, 1), TODAY),
        ("Nov 1 onwards", "", date(2026, 11, 1), TODAY),
        ("after Nov 1", "", date(2026, 11, 2), TODAY),
        ("until Nov 10", "", date(2000, 1, 1), date(2026, 11, 10)),
        ("Spring before November", "Spring", date(2000, 1, 1), date(2026, 10, 31)),
        ("two weeks ago", "", date(2026, 11, 9), date(2026, 11, 15)),
        ("3 days ago", "", date(2026, 11, 20), date(2026, 11, 20)),
        ("last Monday", "", date(2026, 11, 16), date(2026, 11, 16)),
        ("last weekend", "", date(2026, 11, 21), date(2026, 11, 22)),
        ("last November", "", date(2025, 11, 1), date(2025, 11, 30)),
        ("last October", "", date(2026, 10, 1), date(2026, 10, 31)),
    ],
)
def test_ranges(text: str, name: str, first: date, last: date) -> None:
    found, span = split_range(text, TODAY)
    assert span is not None
    assert (found, span.days) == (name, Days(first, last))


@pytest.mark.parametrize("text", ["Spring", "Octoberfest", "Marching band", "last chance", "Maybe"])
def test_names_that_only_look_like_ranges(text: str) -> None:
    assert split_range(text, TODAY) == (text, None)


def test_all_time_has_no_days() -> None:
    assert split_range("Spring all time", TODAY) == ("Spring", parsing.ALL_TIME)


@pytest.mark.parametrize(
    "text", ["2026-02-30", "Feb 30, 2026", "13/13/2026", "last 0 days", "last 99999 days", "a 2026-1-1", "a ..b"]
)
def test_a_malformed_range_names_the_forms_that_work(text: str) -> None:
    with pytest.raises(RangeRefused, match="`"):
        split_range(text, TODAY)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("lats week", "last week"), ("Octobr", "october"), ("yesturday", "yesterday"), ("Spring fest", "Spring fest")],
)
def test_a_mistyped_range_is_mended(typed: str, meant: str) -> None:
    assert mend(typed) == meant


@given(text=st.text(max_size=200))
def test_nothing_typed_raises_anything_but_a_refusal(text: str) -> None:
    try:
        split_range(parsing.clean(text), TODAY)
    except Refusal as refusal:
        assert str(refusal)


@given(text=st.text(min_size=201))
def test_what_is_too_long_is_refused_in_one_sentence(text: str) -> None:
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(plain) > 250:
        with pytest.raises(TooLong):
            parsing.clean(text)


@given(name=st.text(alphabet=st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=30))
def test_a_quoted_name_is_read_back(name: str) -> None:
    assert split_range(f'"{name}" yesterday', TODAY)[0] == name


@pytest.mark.parametrize(
    ("typed", "name", "asks"),
    [
        ("stop the Holiday drop", "Holiday postcards", True),
        ("please cancel Holiday", "Holiday postcards", True),
        ("Stop smoking", "Stop smoking 2026", False),
        ("Holiday", "Holiday postcards", False),
        ("stopwatch", "Spring", False),
    ],
)
def test_who_types_that_a_campaign_is_to_stop_is_noticed(typed: str, name: str, asks: bool) -> None:
    assert parsing.asks_to_stop(typed, name) is asks
