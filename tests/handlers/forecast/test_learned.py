"""What is learned of campaigns that are over, and how likely a day is: each rule by a campaign of a few numbers."""

from datetime import date, timedelta

import numpy as np
import pytest

from handlers.forecast import days as calendar
from handlers.forecast import draws, model, past
from handlers.forecast.draws import Draws, Drop
from handlers.forecast.model import Forecast
from handlers.forecast.past import Past
from handlers.text import holidays
from storage.records import CampaignId, Transit
from storage.statuses import Status
from tests.handlers.forecast.test_model import LETTER, MONDAY, history

MINE = CampaignId(7)
D, B = Status.DELIVERED, Status.RETURNED


def rows(age: int, *ends: tuple[Status | None, int, int], key: CampaignId = MINE) -> list[Transit]:
    """A campaign handed over so many days ago: how it ended, after how many days, for how many pieces."""
    return [Transit(key, LETTER, MONDAY - timedelta(days=age), *one) for one in ends]


def test_what_came_back_is_not_delivered_later() -> None:
    learned = past.learn(rows(60, (B, 6, 40), (D, 8, 60)), MONDAY)
    assert learned.tops[MINE] == pytest.approx((0.6, 100))
    silent = past.learn(rows(60, (B, 6, 40), (D, 8, 30), (None, 0, 30)), MONDAY)
    assert silent.tops[MINE] == pytest.approx((0.3, 100)), "nor is what was never scanned"


def test_of_what_is_under_way_it_is_not_known_how_much_arrives() -> None:
    young = past.learn(rows(12, (D, 5, 60), (None, 0, 40)), MONDAY)
    assert young.tops == {}
    assert [way.top for way in young.ways] == [None]
    assert past.learn([], MONDAY).tops == {}


def test_a_first_look_at_old_mail_does_not_take_it_for_lost() -> None:
    read_today, lost = rows(45, (D, 45, 300)), rows(45, (None, 0, 300))
    for first_days in range(4):
        learned = past.learn(read_today, MONDAY + timedelta(days=first_days))
        assert learned.tops.get(MINE, (1.0, 300))[0] == pytest.approx(1.0), f"{first_days} days on"
    assert past.learn(lost, MONDAY).tops == {MINE: (0.0, 300)}
    # Stragglers that were heard of today change nothing of what was known yesterday.
    known = past.learn(rows(45, (D, 6, 280), (D, 45, 10), (None, 0, 10)), MONDAY)
    assert known.tops[MINE] == pytest.approx((0.933, 300), abs=1e-3)


def test_few_deliveries_say_nothing_of_how_long_mail_takes() -> None:
    few = past.ENOUGH_LANDED
    assert past.learn(rows(60, (D, 6, few - 1), (None, 0, 1)), MONDAY).ways == ()
    assert len(past.learn(rows(60, (D, 6, few), (None, 0, 1)), MONDAY).ways) == 1


def test_the_level_is_the_delivery_day_of_the_half_and_more_pieces_are_surer() -> None:
    day = calendar.later(MONDAY - timedelta(days=60), 6)
    lag = (day - (MONDAY - timedelta(days=60))).days
    some = [past.learn(rows(60, (D, lag, number)), MONDAY).ways[0] for number in (40, 400)]
    for way in some:
        assert 5 <= np.exp(way.level) <= 6, "within the day on which all of it landed"
        assert way.top == pytest.approx(1.0)
    assert some[1].doubt < some[0].doubt
    assert all(way.doubt >= 0.02 for way in some), "nothing is known more exactly"
    at_once = past.learn(rows(60, (D, 0, 40)), MONDAY).ways[0]
    assert np.exp(at_once.level) == pytest.approx(0.5), "half a day is the least"
    assert 0 < at_once.doubt < 1


def foretold(*ways: tuple[int, ...], landed: int = 0, pieces: int = 100) -> Forecast:
    """A campaign whose ways are these: how many pieces have landed by the end of today, tomorrow, …"""
    day = MONDAY - timedelta(days=4)
    told = Forecast((Drop(day, pieces, {3: landed} if landed else {}, {}),), model.outlook(Past(), LETTER), MONDAY, 1)
    told.__dict__["draws"] = Draws(MONDAY, np.array(ways, dtype=float))
    told.__dict__["expected_end"] = 100.0
    return told


def test_the_chance_of_a_day_is_the_part_of_the_ways_that_have_nearly_all_by_then() -> None:
    told = foretold((0, 94, 100, 100), (0, 95, 100, 100), (0, 0, 0, 100), (0, 0, 0, 80))
    assert [told.chance(MONDAY + timedelta(days=n)) for n in range(4)] == [0, 0.25, 0.5, 0.75]
    assert told.chance(MONDAY + timedelta(days=99)) == 0.75, "a far day is as the last that was followed"
    assert told.chance(MONDAY + timedelta(days=1), 0.5) == 0.5
    assert told.chance(MONDAY - timedelta(days=1)) == 0, "a day that is over is what is known"
    assert foretold((99, 99), (100, 100), landed=99).chance(MONDAY - timedelta(days=1)) == 1


def test_a_campaign_of_which_little_arrives_at_all_is_not_called_all_there() -> None:
    # Of what lands less than nine tenths of the usual, all is still not nearly all.
    assert foretold((85, 85)).chance(MONDAY) == 0
    assert foretold((86, 86)).chance(MONDAY) == 1


def test_a_part_is_due_on_the_day_of_the_middle_way_and_once_it_is_there_on_none() -> None:
    told = foretold(*[(0, 60, 85, 100)] * 2, (0, 0, 60, 100), landed=0)
    half, most, nearly = told.dates
    assert (half.day, most.day, nearly.day) == tuple(MONDAY + timedelta(days=n) for n in (1, 2, 3))
    assert (half.early, half.late) == (MONDAY + timedelta(days=1), MONDAY + timedelta(days=1)), (
        "the slow one is one of three"
    )
    there = foretold((60, 85, 100), landed=60)
    assert there.dates[0].day is None
    assert there.dates[1].day == MONDAY + timedelta(days=1)
    assert foretold((10, 50, 100), landed=50).dates[0].day is None, "just half of it, too"


@pytest.mark.parametrize(("days", "off"), [(0, 0), (1, 1), (2, 1), (3, 2)])
def test_how_far_a_date_may_be_off_is_half_its_span_rounded_up(days: int, off: int) -> None:
    assert model.Due(None, MONDAY, MONDAY + timedelta(days=days)).give_or_take == off


def test_more_than_stragglers_may_come_until_so_many_days_after_the_last_hand_over() -> None:
    def handed(days: int) -> Forecast:
        drops = tuple(Drop(MONDAY - timedelta(days=one), 10, {}, {}) for one in (days + 30, days))
        return Forecast(drops, model.outlook(Past(), LETTER), MONDAY, 1)

    assert handed(draws.AHEAD - 1).is_recent
    assert not handed(draws.AHEAD).is_recent


def test_movable_holidays_are_on_their_weekday_of_the_month_in_every_year() -> None:
    """King, Presidents, Labor and Columbus Day, Thanksgiving: the third Monday and the like; Memorial Day the last one."""
    for year in range(2020, 2050):
        kept = calendar.holidays(year)
        mondays = {m: [d for d in _days(year, m) if d.weekday() == calendar.MONDAY] for m in (1, 2, 5, 9, 10)}
        thursdays = [d for d in _days(year, 11) if d.weekday() == holidays.THURSDAY]
        moving = {mondays[1][2], mondays[2][2], mondays[5][-1], mondays[9][0], mondays[10][1], thursdays[3]}
        fixed = {date(year, month, day) for month, day in calendar.FIXED}
        assert kept == moving | fixed | {d + timedelta(days=1) for d in fixed if d.weekday() == calendar.SUNDAY}


def _days(year: int, month: int) -> list[date]:
    return [
        date(year, month, 1) + timedelta(days=n)
        for n in range(31)
        if (date(year, month, 1) + timedelta(days=n)).month == month
    ]


def test_a_campaign_is_over_so_many_delivery_days_after_its_hand_over_whose_scans_are_known() -> None:
    for age in range(15, 30):
        learned = past.learn(rows(age, (D, 6, 60), (None, 0, 40)), MONDAY)
        known = MONDAY - timedelta(days=1 + learned.unheard)
        over = calendar.delivery_days(MONDAY - timedelta(days=age), known) >= past.FINISHED
        assert (MINE in learned.tops) is over, f"{age} days"
        assert [way.top is not None for way in learned.ways] == [over]


def test_most_on_one_late_day_was_learned_of_at_once() -> None:
    def ways(delivery_days: int, number: int) -> int:
        handed = MONDAY - timedelta(days=60)
        lag, early = ((calendar.later(handed, one) - handed).days for one in (delivery_days, 3))
        return len(past.learn(rows(60, (D, lag, number), (D, early, 100 - number)), MONDAY).ways)

    at = past.AT_ONCE_AFTER
    assert [ways(at, 100), ways(at + 1, 100)] == [1, 0]
    assert [ways(at + 1, 69), ways(at + 1, 71)] == [1, 0]


@pytest.mark.parametrize(("usual", "lost"), [(80.0, True), (60.0, False)])
def test_most_of_a_campaign_may_be_lost_after_some_delivery_days_that_are_over(usual: float, *, lost: bool) -> None:
    """Where less than two thirds of the usual are there and are to come; whichever day of the week it is."""
    for age in range(9):
        day = MONDAY - timedelta(days=age)
        told = foretold((30, 40), (30, 50), landed=30)
        told.__dict__.update(drops=(Drop(day, 100, {0: 30}, {}),), expected_end=usual)
        enough = calendar.delivery_days(day, MONDAY - timedelta(days=1)) >= model.LOST_AFTER
        assert told.is_late is (enough and lost), f"{age} days"


def test_what_came_back_is_not_missed_and_what_has_landed_is_not_lost() -> None:
    day = MONDAY - timedelta(days=10)

    def late(landed: int, back: int, end: int) -> bool:
        told = foretold((landed, end))
        drop = Drop(day, 100, {3: landed}, {3: back} if back else {})
        told.__dict__.update(drops=(drop,), expected_end=80.0)
        return told.is_late

    assert late(30, 0, 51), "less than 65% of the eighty that usually arrive"
    assert not late(30, 0, 52)
    assert not late(52, 0, 52)
    assert not late(30, 60, 32), "of the forty that did not come back, all that can be"
    assert not late(30, 70, 30), "nothing is open"


def test_a_campaign_is_late_below_half_of_what_even_the_slowest_had() -> None:
    expected = model.outlook(past.learn(history(6), MONDAY), LETTER)

    def late(age: int, landed: int, other: int = 0) -> bool:
        drops = [Drop(MONDAY - timedelta(days=age), 100, {1: landed}, {})]
        drops += [Drop(MONDAY, other, {}, {})] if other else []
        made = Forecast(tuple(drops), expected, MONDAY, 1)
        made.__dict__.update(draws=Draws(MONDAY, np.array([[0.0, 100.0]])), expected_end=95.0)
        return made.is_late

    days = {n: calendar.delivery_days(MONDAY - timedelta(days=n), MONDAY - timedelta(days=1)) for n in range(20)}
    assert days[18] == 13, "even the slowest had all of it"
    assert [late(18, landed) for landed in (0, 49, 50, 90)] == [True, True, False, False]
    young = next(n for n, number in days.items() if number == model.LATE_AFTER - 1)
    assert not late(young, 0), "so few delivery days say nothing"
    assert late(18, 0, other=90)
    assert not late(18, 0, other=110), "most of it was handed over today"


def test_a_campaign_under_way_says_how_fast_it_is_once_a_part_of_it_landed() -> None:
    day = calendar.later(MONDAY - timedelta(days=14), 4)
    lag = (day - (MONDAY - timedelta(days=14))).days
    early = past.learn(rows(14, (D, lag, 30), (None, 0, 70)), MONDAY).ways[0]
    assert (early.spread, early.shape, early.top) == (None, None, None), "these are known when nearly all is there"
    assert np.exp(early.level) > 4, "half of it comes later than what is there"
    later = past.learn(rows(14, (D, lag, 48), (None, 0, 52)), MONDAY).ways[0]
    assert later.level < early.level
    assert later.doubt < early.doubt, "and is the surer the more is there"
    assert past.learn(rows(14, (D, lag, 13), (None, 0, 87)), MONDAY).ways == (), "a few say nothing"


def test_before_half_has_landed_its_level_is_guessed_the_less_surely_the_less_is_there() -> None:
    """Of what usually arrives at all."""
    day = calendar.later(MONDAY - timedelta(days=14), 4)
    lag = (day - (MONDAY - timedelta(days=14))).days
    usual = past._share(past.TOP)
    levels = list[float]()
    for number in (20, 30, 40, 46):
        (way,) = past.learn(rows(14, (D, lag, number), (None, 0, 100 - number)), MONDAY).ways
        part = number / 100 / usual
        assert way.doubt == pytest.approx(0.12 + (0.5 - part) / 2, abs=1e-6)
        # That part was there by the end of the fourth day; the half follows as it usually does.
        stretch = 1 + past.RATIO * float(np.interp(part, past.PARTS, past.USUAL))
        assert np.exp(way.level) == pytest.approx(4 / stretch, rel=1e-3)
        levels.append(way.level)
    assert levels == sorted(levels, reverse=True)


def test_the_latest_campaigns_are_learned_from_and_no_older_ones() -> None:
    many = [one for n in range(past.LEARNED + 2) for one in rows(60 + n, (D, 6, 20), key=CampaignId(n))]
    assert set(past.learn(many, MONDAY).tops) == {CampaignId(n) for n in range(past.LEARNED)}
    again = rows(50, (D, 6, 20), key=CampaignId(past.LEARNED + 1))
    kept = past.learn([*many, *again], MONDAY).tops
    assert CampaignId(past.LEARNED + 1) in kept, "its last hand-over says how late it is"
    assert len(kept) == past.LEARNED


def test_a_chance_that_no_day_gives_has_no_day() -> None:
    expected = model.outlook(Past(), LETTER)
    assert model.mail_by(expected, MONDAY + timedelta(days=200), MONDAY, 1.01) is None
    found = model.mail_by(expected, MONDAY + timedelta(days=60), MONDAY, 0.5)
    assert found is not None
    assert calendar.is_open(found[0]), "mail is handed over on a day on which USPS is open"
    today = model.mail_by(expected, MONDAY, MONDAY, 0.0)
    assert today is not None
    assert today[0] == MONDAY, "today is not too late"


def test_what_a_message_asks_is_worked_out_beforehand() -> None:
    told = model.forecast(rows(5, (D, 4, 30), (None, 0, 70)), model.outlook(Past(), LETTER), MONDAY, 1)
    assert model.worked_out(None) is None
    assert told is not None
    assert model.worked_out(told) is told
    assert {"draws", "plan", "dates", "yesterday"} <= set(told.__dict__)
    assert told.yesterday is not None
    assert "dates" in told.yesterday.__dict__


def test_the_day_before_knows_what_had_landed_by_then() -> None:
    told = model.forecast(
        rows(5, (D, 3, 30), (D, 4, 20), (B, 4, 5), (None, 0, 45)), model.outlook(Past(), LETTER), MONDAY, 1
    )
    assert told is not None
    assert told.yesterday is not None
    assert (told.yesterday.landed, told.landed) == (30, 50)
    assert (told.yesterday.open, told.open) == (70, 45)
    assert told.yesterday.today == MONDAY - timedelta(days=1)
    today = model.forecast(rows(0, (None, 0, 9)), model.outlook(Past(), LETTER), MONDAY, 1)
    assert today is not None
    assert today.yesterday is None, "nothing was handed over then"


def test_the_shape_of_a_way_is_learned_of_enough_pieces() -> None:
    shapes = [past.learn(rows(60, (D, 6, number)), MONDAY).ways[0].shape for number in (29, 30)]
    assert shapes[0] is None
    assert shapes[1] is not None


EDGES = [calendar.FIRST, calendar.FIRST + timedelta(days=1), calendar.LAST - timedelta(days=1), calendar.LAST]


@pytest.mark.parametrize("first", [*EDGES, date(1990, 1, 1), date(2150, 1, 1), date(2026, 11, 28), date(2026, 12, 24)])
@pytest.mark.parametrize("days", [0, 1, 2, 40])
def test_days_are_counted_alike_one_by_one_and_many_at_once(first: date, days: int) -> None:
    last = first + timedelta(days=days)
    at_once = calendar.spans(np.array([first.toordinal()]), np.array([days]))
    plain, slow = calendar.pace(first, np.array([days]))
    if first in (date(1990, 1, 1), date(2150, 1, 1)):
        assert at_once[0] >= 0, "of days that far off nothing is known, and nothing fails"
        return
    assert at_once[0] == calendar.delivery_days(first, last) == plain[0] + slow[0]
    before = calendar.spans(np.array([first.toordinal()]), np.array([-1]))
    assert before[0] == calendar.delivery_days(first, first - timedelta(days=1)), "and backwards"
    after = [first + timedelta(days=n) for n in range(1, days + 1)]
    assert slow[0] == sum(calendar.is_open(one) and one.month == 12 for one in after if one <= calendar.LAST)
