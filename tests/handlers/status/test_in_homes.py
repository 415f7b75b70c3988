"""`Spring in home by Dec 12?` of what is over, and of days that are over, near or rare."""

from datetime import date, timedelta

import pytest

from handlers.status.commands import mail_status
from handlers.text import days_ahead
from handlers.text.days_ahead import NoSuchDay
from storage.records import Batch, Change
from storage.statuses import Status
from tests.builders import START
from tests.handlers.conftest import Office

C, D, H, R = Status.CANCELLED, Status.DELIVERED, Status.HANDED_OVER, Status.RETURNED
T = Status.IN_TRANSIT
TODAY = date(2026, 11, 2)


async def ask(office: Office, typed: str) -> str:
    await mail_status(office.services, office.request(typed))
    return office.slack.last.text


async def test_of_what_was_cancelled_piece_by_piece_no_chance_is_said(office: Office) -> None:
    await office.campaign(C, C, name="Gone", send_on=date(2026, 12, 1))
    said = await ask(office, "Gone in home by Dec 12?")
    assert "chance" not in said, said


@pytest.mark.parametrize(
    ("typed", "day"),
    [("will the Trail guide be there before Christmas?", "Dec 24"), ("Trail guide in home before Dec 12?", "Dec 11"),
     ("will Trail guide land before Thanksgiving", "Nov 25"), ("will Trail guide arrive by Christmas?", "Dec 25")],
)  # fmt: skip
async def test_before_a_day_is_by_the_one_before_it(office: Office, typed: str, day: str) -> None:
    await office.campaign(T, T, name="Trail guide", piece={"dispatched_at": START})
    assert f"in homes by {day}" in await ask(office, typed)


def test_before_what_is_no_day_is_no_deadline() -> None:
    for typed in ("Spring in home before it rains", "will Spring land before the sale"):
        assert days_ahead.deadline(typed) is None, typed


async def test_of_what_is_over_no_chance_is_said(office: Office) -> None:
    await office.campaign(D, R, name="Done")
    assert "Nothing more of it is on its way." in await ask(office, "Done in home by Dec 12?")
    office.clock.pass_time(days=800)
    assert "Nothing more of it is on its way." in await ask(office, "Done in home by 2029-02-01?")


@pytest.mark.parametrize("days", [100, 800])
async def test_of_what_was_handed_over_long_ago_only_stragglers_are_to_come(office: Office, days: int) -> None:
    office.clock.pass_time(days=-5)
    await office.campaign(D, H, name="Old", piece={"dispatched_at": START})
    office.clock.pass_time(days=days)
    # Read just now, else it is read again, and what the platform says then bears that day.
    office.note(polled_at=office.clock.now())
    said = await ask(office, "Old in home by tomorrow?")
    assert "Only stragglers may still come: the last of it was handed to USPS on Oct 28, 2026." in said
    assert "The chance" not in said


async def test_of_what_is_out_though_nobody_told_since_when_no_mailing_date_is_made_up(office: Office) -> None:
    await office.campaign(T, name="Early", send_on=date(2026, 12, 1))
    assert (await ask(office, "Early in home by Dec 12?")).startswith("Early: ")


async def delivered(office: Office) -> None:
    """Of three pieces handed over on October 28, one was delivered on October 30 and one on November 1."""
    office.clock.pass_time(days=-5)
    await office.campaign(T, T, T, name="Spring", piece={"dispatched_at": START})
    for days, ref in ((2, "1001"), (2, "1002")):
        office.clock.pass_time(days=days)
        await office.learn(Batch((), (), (Change(ref, D, office.clock.now(), word="delivered"),)))
    office.clock.pass_time(days=1)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("did Spring arrive by Oct 30?", "Oct 30, 2026 is already over; 1 of 3 mailed pieces were delivered by then."),
        ("Spring in home by Nov 1?", "Nov 1, 2026 is already over; 2 of 3 mailed pieces were delivered by then."),
        ("did Spring land by Friday?", "Oct 30, 2026 is already over; 1 of 3 mailed pieces were delivered by then."),
        ("did Spring arrive by Mar 1?", "Mar 1, 2026 is already over; 0 of 3 mailed pieces were delivered by then."),
    ],
)
async def test_a_day_that_is_over_is_answered_with_what_was_there(office: Office, typed: str, said: str) -> None:
    await delivered(office)
    assert said in await ask(office, typed)


@pytest.mark.parametrize(("typed", "day"), [("tomorrow", "Nov 3"), ("today", "Nov 2"), ("tonight", "Nov 2")])
async def test_today_and_tomorrow_are_days(office: Office, typed: str, day: str) -> None:
    await delivered(office)
    for asked in (f"Spring in home by {typed}?", f"will Spring land by {typed}?"):
        assert f"is in homes by {day} is *" in await ask(office, asked)


@pytest.mark.parametrize(
    ("typed", "today", "read"),
    [
        ("Feb 29", date(2027, 11, 28), date(2028, 2, 29)),
        ("2/29", date(2028, 3, 10), date(2028, 2, 29)),
        ("Feb 29", date(2028, 11, 28), date(2032, 2, 29)),
        ("Oct 30", TODAY, date(2026, 10, 30)),
        ("Oct 30", date(2026, 10, 30) + days_ahead.RECENT, date(2026, 10, 30)),
        ("Oct 30", date(2026, 10, 31) + days_ahead.RECENT, date(2027, 10, 30)),
        ("Dec 12", date(2027, 1, 5), date(2026, 12, 12)),
        ("Jan 5", date(2026, 12, 28), date(2027, 1, 5)),
        ("Nov 2", TODAY, TODAY),
        ("Christmas", TODAY, date(2026, 12, 25)),
        ("Thanksgiving", TODAY, date(2026, 11, 26)),
        ("Thanksgiving", date(2026, 11, 28), date(2026, 11, 26)),
        ("Labor Day", date(2026, 11, 28), date(2027, 9, 6)),
        ("New Year's", date(2026, 11, 28), date(2027, 1, 1)),
        ("Tomorrow", TODAY, TODAY + timedelta(days=1)),
    ],
)
def test_a_day_without_a_year_is_the_next_one_unless_it_was_lately(typed: str, today: date, read: date) -> None:
    assert days_ahead.read(typed, today) == read


@pytest.mark.parametrize("typed", ["Feb 30", "2/30", "13/1", "Nov 31", "Nov 0"])
def test_a_day_that_no_year_has_is_refused(typed: str) -> None:
    with pytest.raises(NoSuchDay, match="no such day"):
        days_ahead.read(typed, TODAY)
