"""A day that lies ahead, read as people type it, and what is asked about one."""

from datetime import date

import pytest

from handlers.text import days_ahead
from handlers.text.days_ahead import Deadline, NoSuchDay, Planned

#: A Monday, three days before Thanksgiving.
TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("typed", "day"),
    [
        ("Dec 12", "2026-12-12"), ("12 December", "2026-12-12"), ("12. Dec.", "2026-12-12"), ("dec 12th!", "2026-12-12"),
        ("12/12", "2026-12-12"), ("12/12/27", "2027-12-12"), ("12/12/2028", "2028-12-12"), ("2026-12-12", "2026-12-12"),
        ("Dec 12, 2027", "2027-12-12"), ("12 December 2027", "2027-12-12"), ("sept 9", "2027-09-09"),
        ("the 24th", "2026-11-24"), ("23rd", "2026-12-23"), ("the 31st", "2026-12-31"), ("30th", "2026-11-30"),
        ("Tuesday", "2026-11-24"), ("Monday", "2026-11-30"), ("next mon", "2026-11-30"), ("on Sunday", "2026-11-29"),
        ("today", "2026-11-23"), ("Tonight", "2026-11-23"), ("tomorrow", "2026-11-24"),
        ("Thanksgiving", "2026-11-26"), ("before Christmas", "2026-12-24"), ("before the 24th", "2026-11-23"),
        ("Labor Day", "2027-09-06"), ("New Year's", "2027-01-01"), ("Veterans Day", "2026-11-11"),
        ("Feb 29", "2028-02-29"), ("Nov 1", "2026-11-01"), ("9/24", "2026-09-24"), ("9/23", "2027-09-23"),
    ],
)  # fmt: skip
def test_a_day_without_a_year_was_lately_or_is_the_next_of_its_name(typed: str, day: str) -> None:
    assert str(days_ahead.read(typed, TODAY)) == day


@pytest.mark.parametrize(
    ("typed", "today", "day"),
    [("Christmas", "2027-01-10", "2026-12-25"), ("Christmas", "2027-02-24", "2027-12-25"),
     ("New Year's", "2027-01-10", "2027-01-01"), ("Thanksgiving", "2026-12-31", "2026-11-26")],
)  # fmt: skip
def test_a_holiday_that_was_lately_is_meant_itself_also_behind_the_turn_of_the_year(
    typed: str, today: str, day: str
) -> None:
    assert str(days_ahead.read(typed, date.fromisoformat(today))) == day


@pytest.mark.parametrize(
    ("typed", "day"),
    [("Dec 12", "2025-12-12"), ("Friday", "2026-11-20"), ("Monday", "2026-11-23"), ("the 24th", "2026-10-24"),
     ("today", "2026-11-23"), ("Nov 1", "2026-11-01"), ("Dec 12, 2027", "2027-12-12"), ("Feb 29", "2024-02-29")],
)  # fmt: skip
def test_of_what_is_over_the_last_day_of_its_name_is_meant(typed: str, day: str) -> None:
    assert str(days_ahead.read(typed, TODAY, past=True)) == day


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("Feb 30", "There is no such day"), ("2/30", "There is no such day"), ("2026-02-30", "There is no such day"),
        ("the 32nd", "There is no such day"), ("12/12/9999", "I could not read"), ("noon", "I could not read"),
        ("before noon", "I could not read"), ("Foo 3", "I could not read"), ("2100-01-01", "I know days until 2099"),
    ],
)  # fmt: skip
def test_what_is_no_day_is_refused_with_the_forms_that_work(typed: str, why: str) -> None:
    with pytest.raises(NoSuchDay, match=rf"^{why}.* These work: `Dec 12`"):
        days_ahead.read(typed, TODAY)


@pytest.mark.parametrize(("today", "day"), [(date(2099, 12, 30), "2099-12-31"), (date(2000, 1, 30), "2000-03-31")])
def test_the_next_day_of_a_number_may_lie_behind_a_shorter_month(today: date, day: str) -> None:
    assert str(days_ahead.next_of_month(31, today.replace(day=31) if today.month == 1 else today)) == day


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("Spring in home by Dec 12", Deadline("Spring", "Dec 12", None)),
        ("Spring be in-homes by Dec 12, below 70%", Deadline("Spring", "Dec 12", 70)),
        ("“Spring sale” in homes by Friday below 5", Deadline("Spring sale", "Friday", 5)),
        ("Spring in home by Dec 12?", Deadline("Spring", "Dec 12", None, asks=True)),
        ("Spring in home by Dec 12 ? ", Deadline("Spring", "Dec 12", None, asks=True)),
        ("Spring in home by Dec 12.", Deadline("Spring", "Dec 12", None)),
        ("Spring in home by off", Deadline("Spring", "off", None)),
        ("Spring in home by whenever", Deadline("Spring", "whenever", None)),
        ("was Spring in homes by Dec 12?", Deadline("was Spring", "Dec 12", None, asks=True, past=True)),
        ("did Spring land by Dec 12", Deadline("did Spring", "Dec 12", None, past=True)),
        ("did Spring get there by Dec 12", Deadline("did Spring", "Dec 12", None, past=True)),
        ("Didi lands by Dec 12", Deadline("Didi", "Dec 12", None)),
        ("Spring arrives by Friday", Deadline("Spring", "Friday", None)),
        ("Spring arrives by truck", None),
        ("will Spring be there before Christmas?", Deadline("will Spring", "before Christmas", None, asks=True)),
        ("Spring in home before Christmas", Deadline("Spring", "before Christmas", None)),
        ("Spring in home before sale", None),
        ("Spring", None),
    ],
)  # fmt: skip
def test_whether_it_is_in_homes_by_a_day_is_read_and_how_it_is_asked(typed: str, asked: Deadline | None) -> None:
    assert days_ahead.deadline(typed) == asked


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("when to book for Dec 12", Planned("", "Dec 12")),
        ("when should we mail “Spring sale” by Friday?", Planned("Spring sale", "Friday")),
        ("what's the last day to send Spring for Dec 12", Planned("Spring", "Dec 12")),
        ("when to book Spring for whenever", Planned("Spring", "whenever")),
        ("mail by Dec 12", Planned("", "Dec 12")),
        ("we need to send it out by Dec 12?", Planned("", "Dec 12")),
        ("mail by Acme", None),
        ("in homes by Dec 12", Planned("", "Dec 12")),
        ("to be in-home by whenever", Planned("", "whenever")),
        ("Spring", None),
    ],
)  # fmt: skip
def test_by_when_to_mail_is_read_where_it_is_asked(typed: str, asked: Planned | None) -> None:
    assert days_ahead.planned(typed) == asked
