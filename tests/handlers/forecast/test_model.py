"""How long mail takes: estimated from what was seen so far, without taking silence for an answer."""

import random
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.forecast import model
from handlers.forecast.model import Cohort, Outlook
from storage.records import CampaignId, Transit
from storage.statuses import Status

MONDAY = date(2026, 11, 2)
FORM = "postcard 6x9"
some_days = st.dates(date(2020, 1, 1), date(2030, 1, 1))


@given(some_days, st.integers(0, 400))
def test_delivery_days_leave_sundays_out(first: date, number: int) -> None:
    last = first + timedelta(days=number)
    days = [first + timedelta(days=step) for step in range(1, number + 1)]
    assert model.delivery_days(first, last) == sum(day.weekday() != 6 for day in days)
    assert model.later(first, model.delivery_days(first, last)) <= last


@given(st.dictionaries(st.integers(0, 30), st.integers(0, 50), max_size=12), st.integers(0, 100))
def test_with_everything_seen_the_curve_is_the_plain_share(landed: dict[int, int], silent: int) -> None:
    pieces = sum(landed.values()) + silent
    found = model.curve([Cohort(MONDAY, pieces, landed)], MONDAY + timedelta(days=365))
    for day, share in enumerate(found):
        assert share == pytest.approx(sum(n for d, n in landed.items() if d <= day) / pieces)


def test_pieces_still_under_way_do_not_pull_the_curve_down() -> None:
    dice = random.Random(5)
    whole, half = [], []
    for n in range(12):
        # Handed over at different days: of the last ones only the first days were seen.
        handed_on = MONDAY - timedelta(days=n * 2)
        days = [min(dice.randrange(2, 9), dice.randrange(2, 12)) for _ in range(400)]
        landed = {day: days.count(day) for day in set(days)}
        whole.append(Cohort(handed_on, 400, landed))
        age = whole[-1].age(MONDAY)
        half.append(Cohort(handed_on, 400, {day: number for day, number in landed.items() if day <= age}))
    truth = model.curve(whole, MONDAY + timedelta(days=365))
    seen = model.curve(half, MONDAY)
    naive = [sum(n for c in half for d, n in c.landed.items() if d <= day) / 4800 for day in range(len(seen))]
    for day in range(2, min(len(seen), 9)):
        assert abs(seen[day] - truth[day]) < 0.03
    assert naive[8] < truth[8] - 0.1


def history(campaigns: int, pieces: int = 100) -> list[Transit]:
    """Campaigns of a month ago, each a little slower than the one before."""
    made = []
    for n in range(campaigns):
        handed_on = MONDAY - timedelta(days=28 + n)
        for days, part in ((3 + n % 3, 60), (6 + n % 3, 35)):
            made.append(Transit(CampaignId(n + 1), FORM, handed_on, Status.DELIVERED, days, pieces * part // 100))
        made.append(Transit(CampaignId(n + 1), FORM, handed_on, None, 0, pieces * 5 // 100))
    return made


def test_until_there_is_enough_history_uspss_standards_stand_in() -> None:
    for known in ([], history(2), history(8, pieces=10)):
        found = model.outlook(known, FORM, MONDAY)
        assert not found.is_own
        assert found.quantile(0.95) == 7
        assert found.band(1) == (0.0, 0.0)


def test_a_campaigns_own_way_does_not_foretell_itself() -> None:
    assert not model.outlook(history(3), FORM, MONDAY, but=CampaignId(1)).is_own
    assert model.outlook(history(4), FORM, MONDAY, but=CampaignId(1)).is_own


def test_other_forms_stand_in_where_this_one_is_new() -> None:
    assert model.outlook(history(5), "letter A4", MONDAY).is_own


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=46).map(sorted), min_size=3, max_size=12))
def test_what_is_foretold_only_grows_and_stays_within_bounds(curves: list[list[float]]) -> None:
    found = Outlook(tuple(tuple(one) for one in curves))
    usual = [found.usual(day) for day in range(-3, 60)]
    assert usual == sorted(usual)
    for day in range(60):
        low, high = found.band(day)
        assert 0 <= low <= high <= 1
    days = [found.quantile(part) for part in (0.2, 0.5, 0.8, 0.95)]
    assert days == sorted(days)


def test_a_campaign_is_measured_against_the_band_of_its_day() -> None:
    expected = model.outlook(history(6), FORM, MONDAY)
    those = [Cohort(MONDAY - timedelta(days=7), 100, {4: 58})]
    found = model.progress(those, expected, MONDAY)
    assert found is not None
    assert found.day == 7
    assert found.campaigns == 6
    assert 0 < found.low < 0.6 < found.high
    assert list(found.due) == sorted(found.due)
    assert model.progress([], expected, MONDAY) is None


def test_silence_counts_only_after_the_day_by_which_nearly_all_have_landed() -> None:
    expected = model.outlook(history(6), FORM, MONDAY)
    limit = expected.quantile(0.95)
    late = Cohort(MONDAY - timedelta(days=60), 100, {4: 90}, {9: 4})
    young = Cohort(model.later(MONDAY, 0) - timedelta(days=limit), 50, {})
    assert model.silent([late, young], expected, MONDAY) == 6
    assert model.silent([late, young], expected, MONDAY + timedelta(days=4)) == 56
