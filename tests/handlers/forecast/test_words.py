"""What is said of a forecast: plain, and no more than is known."""

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, cast

import pytest

from handlers.forecast import model, past, words
from handlers.forecast.model import Due, Forecast, Progress, Stand
from storage.records import CampaignId, Transit
from storage.statuses import Status
from tests.handlers.forecast.test_model import LETTER, MONDAY, a_campaign, history, told_of

DAY = date(2026, 11, 14)
SURE, UNSURE = Due(DAY, DAY, DAY + timedelta(days=1)), Due(DAY, DAY - timedelta(days=2), DAY + timedelta(days=2))
THERE = Due(None, DAY, DAY)


def a_progress(
    due: tuple[Due, Due, Due] = (SURE, SURE, SURE), *, own: int = 7, others: int = 0, open_: int = 200,
    since: date | None = None, shares: tuple[float, ...] = (0.6, 0.6), share: float = 0.6, late: bool = False,
    landed: int = 300, finished: int = 3, day: int = 5,
) -> Progress:  # fmt: skip
    """`shares`: delivered by the end of the last days, the latest first, and `share` by now; 52 to 66% are usual."""
    lately = tuple(Stand(day - 1 - n, one, 0.6, 0.52, 0.66) for n, one in enumerate(shares))
    now = Stand(day, share, 0.7, 0.62, 0.76)
    return Progress(day, due, 500, landed, open_, late, LETTER, own, others, since, True, finished, lately, now)


def test_dates_name_their_spread_where_it_is_wide() -> None:
    said = words.dates(a_progress((SURE, SURE, UNSURE)), DAY)
    assert said == "nearly all by Nov 14 (give or take 2 days)"
    assert words.dates(a_progress((SURE, UNSURE, SURE)), DAY) == said, "as unsure as the least sure of that day"


def test_what_is_there_is_not_promised() -> None:
    later = replace(SURE, day=DAY + timedelta(days=1))
    assert words.dates(a_progress((THERE, SURE, later)), DAY) == "most by Nov 14, nearly all by Nov 15"
    assert words.dates(a_progress((SURE, SURE, later)), DAY) == "most by Nov 14, nearly all by Nov 15"
    assert words.dates(a_progress((SURE, later, later)), DAY) == "half by Nov 14, nearly all by Nov 15"
    assert words.dates(a_progress((THERE, THERE, THERE)), DAY) == "nearly all has arrived; a few stragglers may follow"
    assert words.dates(a_progress(open_=0), DAY) == "nothing more is on its way"


def test_why_names_campaigns_and_changes() -> None:
    assert words.why(a_progress(since=DAY)) == (
        "from your last 7 letter A4 campaigns, slower since November and its own scans"
    )
    assert words.why(a_progress(own=1, landed=0)) == "from your only letter A4 campaign"
    assert "your 3 campaigns of other formats" in words.why(a_progress(own=0, others=3))
    assert words.why(a_progress(own=0, landed=0)) == "from USPS's standards"


@pytest.mark.parametrize(
    ("shares", "facts", "way"),
    [
        ((0.7, 0.7), {}, "ahead"), ((0.5, 0.5), {}, "behind"),
        ((0.66, 0.66), {}, ""), ((0.52, 0.52), {}, ""), ((0.55, 0.64), {}, ""),
        ((0.7, 0.7), {"finished": 2}, ""), ((0.5, 0.5), {"finished": 0, "own": 0, "others": 9}, ""),
        ((0.7, 0.7), {"open_": 0}, ""), ((0.7,), {"day": 2}, ""), ((), {"day": 0}, ""),
    ],
)  # fmt: skip
def test_ahead_and_behind_are_said_outside_the_usual_band_and_of_enough_campaigns_that_are_over(
    shares: tuple[float, ...], facts: dict[str, Any], way: str
) -> None:
    progress = a_progress(shares=shares, **facts)
    assert words.pace(progress) == (f"{way} of usual" if way == "ahead" else way and f"{way} usual")
    assert words.stands(progress) == (f"On day 4 you're usually at 52–66%. You're {way}." if way else "")


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        (a_progress(shares=(0.7, 0.7)), "Ahead of usual: 70% by day 4, usually 52–66%."),
        (a_progress(shares=(0.5, 0.5), share=0.5), "Behind usual: 50% by day 4, usually 52–66%."),
        (a_progress(), "About usual: 60% by day 4, usually 52–66%."),
        (a_progress(shares=(0.7, 0.6)), "Not clear yet: 70% by day 4, usually 52–66%."),
        # Two days as usual, and then a large one: "about usual" would be untrue.
        (a_progress(share=0.9), "Ahead so far today: by tonight it's usually 62–76%."),
        (a_progress(finished=2), "Too early to tell: too few of your campaigns like it are done to know what's usual."),
        (a_progress(shares=(0.7,), day=2), "Too early to tell: ask again in a day or two."),
        (a_progress(shares=(0.1, 0.1), share=0.1, late=True), "Unusually late."),
        (a_progress(open_=0), "Nothing more is on its way."),
        (None, "Too early to tell."),
    ],
)  # fmt: skip
def test_who_asks_how_it_stands_beside_the_usual_is_told_so_also_within_it_and_where_nobody_knows(
    progress: Progress | None, said: str
) -> None:
    assert words.beside_usual(progress) == said


@pytest.mark.parametrize("shares", [(0.7, 0.6), (0.6, 0.7), (0.5, 0.6), (0.6, 0.5), (0.7, 0.5), (0.5, 0.7)])
def test_one_day_makes_nobody_ahead_or_behind(shares: tuple[float, ...]) -> None:
    assert words.pace(a_progress(shares=shares)) == ""


def test_todays_mail_puts_nobody_ahead_and_ends_being_behind_only_when_it_makes_up_for_the_whole_day() -> None:
    assert words.pace(a_progress(share=0.9)) == ""
    behind = a_progress(shares=(0.5, 0.5), share=0.55)
    assert words.pace(behind) == "behind usual", "yesterday's band is reached, and tomorrow it would be behind again"
    assert words.pace(replace(behind, now=replace(behind.now, share=0.62))) == ""
    ahead = a_progress(shares=(0.7, 0.7), share=0.75)
    assert words.pace(ahead) == "ahead of usual", "before today is over nobody falls back"


def test_a_point_or_two_off_is_worth_no_words() -> None:
    narrow = Stand(4, 0.62, 0.6, 0.59, 0.61)
    assert narrow.side == 0
    assert [replace(narrow, share=share).side for share in (0.625, 0.63, 0.58, 0.57)] == [0, 1, 0, -1]


def test_what_is_late_is_called_so_once() -> None:
    late = a_progress(shares=(0.1, 0.1), share=0.1, late=True)
    assert (words.stands(late), words.pace(late)) == ("", "unusually late")


@pytest.mark.parametrize(("number", "said"), [(0, 0), (2, 2), (6, 6)])
def test_only_campaigns_of_its_format_that_are_over_tell_what_is_usual(number: int, said: int) -> None:
    mine, young = a_campaign(99, MONDAY - timedelta(days=7)), a_campaign(70, MONDAY - timedelta(days=8))
    others = history(4, form="flat", first=30)
    told = told_of(mine, [*history(number), *young, *others])
    progress = model.progress(told)
    assert (progress.finished, progress.own) == (said, number + 1)
    if number < model.ENOUGH_FINISHED:
        assert words.pace(progress) == ""


def test_the_window_of_usps_is_named_where_nothing_else_is_known() -> None:
    window = DAY, DAY + timedelta(days=3)
    unknown = a_progress(own=0, landed=0)
    assert words.expected(unknown, window, DAY, "Stannp") == "Nov 14–17, by USPS's 4–7 days for Marketing Mail"
    # A campaign's own scans say more than a standard.
    assert "Nearly all by" in words.expected(a_progress(own=0, landed=100), window, DAY, "Stannp")


def test_what_moved_since_yesterday_is_told() -> None:
    key, handed_on, tuesday = CampaignId(99), MONDAY - timedelta(days=4), MONDAY + timedelta(days=1)
    rows = [Transit(key, LETTER, handed_on, Status.DELIVERED, 2, 30), Transit(key, LETTER, handed_on, None, 0, 970)]
    # Nothing came since: that is news.
    assert "later than yesterday" in words.moved(told_of(rows, history(8), tuesday))
    plain = told_of(a_campaign(99, MONDAY - timedelta(days=7)), history(8))
    before, now = plain.yesterday, plain.dates[2].day
    assert before
    assert bool(words.moved(plain)) is (before.dates[2].day != now)


def test_lines_of_the_curve_carry_what_is_usual_and_from_today_on_what_is_expected() -> None:
    told = told_of(a_campaign(99, MONDAY - timedelta(days=5)), history(6))
    lines = words.points(told, "31%")
    split = (told.today - told.first).days
    assert all("expected" not in line for line in lines[:split])
    assert all("expected" in line for line in lines[split:])
    assert all("usually" in line for line in lines)
    bare = told_of([Transit(CampaignId(1), LETTER, MONDAY, None, 0, 100)], [])
    assert all("by USPS's window" in line for line in words.points(bare, "0%"))
    assert max(point.usual[1] for point in model.points(bare)) == 1.0


def test_where_most_may_never_come_no_straggler_is_spoken_of() -> None:
    key, handed_on = CampaignId(99), MONDAY - timedelta(days=4)
    for ahead in (2, 3, 4, 5, 8):
        today = MONDAY + timedelta(days=ahead)
        for number in (30, 200):
            rows = [Transit(key, LETTER, handed_on, Status.DELIVERED, 2, number)]
            rows += [Transit(key, LETTER, handed_on, None, 0, 1000 - number)]
            said = words.expected(model.progress(told_of(rows, history(8), today)), (today, today), today, "Stannp")
            assert "stragglers" not in said
            assert "early all by" in said or "Unusually late" in said


@pytest.mark.parametrize(
    ("day", "said"), [(1, "1 days"), (7, "1 week"), (8, "8 days"), (14, "2 weeks"), (20, "20 days"), (0, "0 days")]
)
def test_whole_weeks_are_said_as_weeks(day: int, said: str) -> None:
    progress = replace(a_progress(late=True, landed=1200), day=day, mailed=5000)
    expected = f"Unusually late: 1,200 of 5,000 scanned as delivered after {said}. Ask Stannp about this drop."
    assert words.expected(progress, (DAY, DAY), DAY, "Stannp") == expected


def test_what_is_expected_says_why_as_long_as_anything_is() -> None:
    window = DAY, DAY + timedelta(days=3)
    said = "Nearly all by Nov 14, from your last 7 letter A4 campaigns and its own scans."
    assert words.expected(a_progress(), window, DAY, "Stannp") == said
    assert words.expected(a_progress(open_=0), window, DAY, "Stannp") == "Nothing more is on its way."
    # Of a whole campaign without a past it is known as well: nothing more comes.
    assert words.expected(a_progress(own=0, landed=0, open_=0), window, DAY, "Stannp") == "Nothing more is on its way."
    over = words.expected(a_progress((THERE, THERE, THERE)), window, DAY, "Stannp")
    assert over == "Nearly all has arrived; a few stragglers may follow."


def test_a_day_or_less_off_is_not_worth_words() -> None:
    assert "give or take" not in words.dates(a_progress((SURE, SURE, SURE)), DAY)
    two = Due(DAY, DAY - timedelta(days=1), DAY + timedelta(days=2))
    assert two.give_or_take == 2
    assert words.dates(a_progress((THERE, THERE, two)), DAY) == "nearly all by Nov 14 (give or take 2 days)"


def days_of(told: Forecast) -> list[int]:
    return [one.day for one in told.lately]


def test_delivery_days_that_are_over_and_heard_of_say_where_a_campaign_stands() -> None:
    """Handed over on a Thursday: no Sunday counts, nor the day itself, nor one whose scans are still to come."""
    thursday, prompt = MONDAY - timedelta(days=4), past.heard_by({0: 1000})
    mine = [Transit(CampaignId(99), LETTER, thursday, None, 0, 100)]

    def told(age: int, known: tuple[float, ...] = prompt) -> Forecast:
        today = thursday + timedelta(days=age)
        found = model.forecast(mine, model.outlook(past.Past((), known), LETTER), today, 99)
        assert found
        return found

    assert [days_of(told(age)) for age in range(7)] == [[], [], [1], [2, 1], [2, 1], [4, 2], [5, 4]]
    assert words.pace(model.progress(told(1))) == ""
    late = past.heard_by({0: 400, 1: 300, 2: 300})
    assert [days_of(told(age, late)) for age in (3, 4, 5, 6, 7)] == [[], [1], [2, 1], [2, 1], [4, 2]]


def test_from_how_many_campaigns_it_is_known() -> None:
    assert words.source(LETTER, 2, 0) == "from your last 2 letter A4 campaigns"
    assert words.source("a <b>", 1, 5) == "from your only a &lt;b&gt; campaign"
    one = "the first of its format: from USPS's standards and your 1 campaign of other formats"
    assert words.source(LETTER, 0, 1) == one
    assert words.source(LETTER, 0, 2).endswith("your 2 campaigns of other formats")
    assert words.source(LETTER, 0, 0) == "from USPS's standards"


def test_a_change_is_told_only_of_campaigns_of_its_own_format() -> None:
    assert "since" not in words.why(a_progress(own=0, others=3, since=DAY))
    assert "faster since November" in words.why(replace(a_progress(since=DAY), slower=False))
    assert words.why(a_progress(landed=0)) == "from your last 7 letter A4 campaigns"


def test_the_spread_of_a_day_is_said_once_where_it_has_none() -> None:
    told = told_of(a_campaign(99, MONDAY - timedelta(days=5)), history(6))
    first, *_, last = words.points(told, "31%")
    assert first == "Oct 14: *0%* · usually 0%"
    assert re.fullmatch(r"Oct 2\d: expected 9\d(–\d\d)?% · usually 9\d–9\d%", last)
    today = next(line for line in words.points(told, "31%") if line.startswith("Oct 19"))
    assert re.fullmatch(r"Oct 19: \*31%\* · expected \d\d–\d\d% · usually \d\d–\d\d%", today)


class Foretold:
    """A forecast of which only the dates of today and of yesterday matter."""

    def __init__(self, now: date | None, then: date | None, *, landed: int = 5, late: bool = False) -> None:
        self.today, self.landed, self.is_late = DAY, landed, late
        self.dates = (SURE, SURE, replace(SURE, day=now))
        self.yesterday = None if then is None else Foretold(then, None)


@pytest.mark.parametrize(
    ("now", "then", "facts", "said"),
    [
        (DAY + timedelta(days=1), DAY, {}, "Nearly all is now expected 1 day later than yesterday (Nov 14)."),
        (DAY + timedelta(days=2), DAY, {}, "Nearly all is now expected 2 days later than yesterday (Nov 14)."),
        (DAY, DAY + timedelta(days=1), {}, "Nearly all is now expected 1 day sooner than yesterday (Nov 15)."),
        (DAY, DAY, {}, ""),
        (None, DAY, {}, ""),
        (DAY, None, {}, ""),
        (DAY + timedelta(days=1), DAY, {"landed": 0}, ""),
        (DAY + timedelta(days=1), DAY, {"late": True}, ""),
    ],
)
def test_how_far_the_end_moved_since_yesterday(
    now: date | None, then: date | None, facts: dict[str, Any], said: str
) -> None:
    assert words.moved(cast("Forecast", Foretold(now, then, **facts))) == said


def test_where_yesterday_promised_nothing_nothing_has_moved() -> None:
    told = Foretold(DAY, DAY)
    told.yesterday = Foretold(None, None)
    assert words.moved(cast("Forecast", told)) == ""
