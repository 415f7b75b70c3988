"""The ways that a campaign may go: what is drawn, what scans say of it, and how each way is followed."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Final

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.forecast import days as calendar
from handlers.forecast import draws, model, past
from handlers.forecast.draws import Drop
from handlers.forecast.past import Numbers, Past
from storage.records import CampaignId, Transit
from storage.statuses import Status
from tests.handlers.forecast.test_model import LETTER, MONDAY, history

SEED: Final = 20_261
PROSPECT: Final = model.outlook(past.learn(history(8), MONDAY), LETTER).prospect
#: Every scan is known on its day.
PROMPT: Final = Past((), (1.0,))


def drawn() -> tuple[dict[str, Numbers], Numbers]:
    """Ways as the past says, and the chance that each counts for."""
    theta, weights = draws._drawn(np.random.default_rng(SEED), PROSPECT)
    return theta, draws._chance(weights)


def theta_of(
    *levels: float, spread: float = 1.0, top: float = 1.0, held: float = 0.0, late: float = 9.0
) -> dict[str, Numbers]:
    """Ways of these levels that are alike in all else."""
    full = {"spread": spread, "top": top, "held": held, "late": late, "december": 0.5}
    return {"level": np.array(levels)} | {name: np.full(len(levels), value) for name, value in full.items()}


# ---- Hand-over days ---------------------------------------------------------------------------------------------


def test_hand_over_days_are_told_apart_and_in_order() -> None:
    later, key = MONDAY + timedelta(days=1), CampaignId(1)
    rows = [
        Transit(key, LETTER, later, None, 0, 5), Transit(key, LETTER, MONDAY, Status.DELIVERED, 3, 2),
        Transit(key, "flat", MONDAY, Status.DELIVERED, 3, 4), Transit(key, LETTER, MONDAY, Status.RETURNED, 6, 1),
    ]  # fmt: skip
    assert draws.drops(rows) == [Drop(MONDAY, 7, {3: 6}, {6: 1}), Drop(later, 5, {}, {})]
    assert [one.open for one in draws.drops(rows)] == [0, 5]


drops_of = st.lists(
    st.tuples(st.integers(1, 500), st.dictionaries(st.integers(0, 12), st.integers(1, 9), max_size=4)), max_size=24
)


@given(drops_of)
def test_of_many_hand_over_days_neighbors_count_as_one_and_no_piece_is_lost(
    made: list[tuple[int, dict[int, int]]],
) -> None:
    many = [Drop(MONDAY + timedelta(days=n), 200 + size, ends, {}) for n, (size, ends) in enumerate(made)]
    few = draws._few(many)
    assert len(few) == min(len(many), draws.DROPS)
    assert sum(one.pieces for one in few) == sum(one.pieces for one in many)
    assert sum(one.open for one in few) == sum(one.open for one in many)
    assert [one.handed_on for one in few] == sorted(one.handed_on for one in few)
    assert all(lag >= 0 for one in few for lag in one.landed)


def test_joined_days_keep_the_day_of_the_larger_and_the_moments_of_what_landed() -> None:
    first, second = Drop(MONDAY, 30, {4: 9}, {8: 1}), Drop(MONDAY + timedelta(days=2), 20, {4: 5, 2: 1}, {})
    assert draws._joined(first, second) == Drop(MONDAY, 50, {4: 10, 6: 5}, {8: 1})
    small = Drop(MONDAY, 10, {1: 2, 5: 3}, {})
    assert draws._joined(small, second) == Drop(second.handed_on, 30, {0: 2, 3: 3, 4: 5, 2: 1}, {})
    alike = Drop(MONDAY, 20, {}, {})
    assert draws._joined(alike, second).handed_on == MONDAY, "of two alike the first"


# ---- What is drawn ----------------------------------------------------------------------------------------------


def test_what_is_drawn_counts_for_as_much_as_the_past_expects_it() -> None:
    theta, chance = drawn()
    assert len(chance) == draws.WEIGHED
    level = np.log(theta["level"])
    assert chance @ level == pytest.approx(PROSPECT.center, abs=0.02)
    expected = np.cumsum(PROSPECT.levels)
    for place in (50, 60, 64, 68, 80):
        assert chance[level <= past.LEVELS[place]].sum() == pytest.approx(expected[place], abs=0.06)
    assert np.unique(level).size == draws.WEIGHED, "between two steps, too"
    assert ((level < past.LEVELS[0] + 0.2) | (level > past.LEVELS[-1] - 0.2)).any(), "some that nobody expects"
    assert abs(chance @ (np.log(theta["spread"]) - PROSPECT.spread)) < 0.05
    assert np.log(theta["spread"]).std() == pytest.approx(PROSPECT.spread_apart, rel=0.5)
    plain = (theta["held"] == 0) & (theta["top"] > 0.7)
    tops = np.log(theta["top"][plain] / (1 - theta["top"][plain]))
    assert tops.mean() == pytest.approx(PROSPECT.top, abs=0.05)
    assert tops.std() == pytest.approx(PROSPECT.top_apart, rel=0.1)
    slower = -np.log(theta["december"])
    assert slower.mean() == pytest.approx(PROSPECT.december, abs=0.02)
    assert slower.std() == pytest.approx(PROSPECT.december_apart, rel=0.15)
    assert slower.min() >= 0
    assert slower.max() <= 1.2


def test_a_lost_truck_and_a_lost_campaign_are_drawn_often_and_count_for_as_little_as_they_are_seldom() -> None:
    theta, chance = drawn()
    truck = theta["held"] > 0
    usual = np.exp(PROSPECT.top) / (1 + np.exp(PROSPECT.top))
    lost = theta["top"] < 0.62 * usual
    assert truck.mean() == pytest.approx(draws.TRUCKS_DRAWN, abs=0.005)
    assert lost.mean() == pytest.approx(draws.LOST_DRAWN, abs=0.01)
    assert not (truck & lost).any(), "not both"
    assert chance[truck].sum() == pytest.approx(draws.TRUCK, abs=0.01)
    assert chance[lost].sum() == pytest.approx(draws.LOST, abs=0.006)
    held, late = theta["held"][truck], theta["late"]
    assert (held.min(), held.max()) == (pytest.approx(0.08, abs=0.02), pytest.approx(0.7, abs=0.02))
    assert (late.min(), late.max()) == (pytest.approx(5, abs=0.2), pytest.approx(19, abs=0.2))
    assert theta["top"][lost].min() < 0.1 * usual


@given(st.lists(st.floats(-30, 0), min_size=1, max_size=9))
def test_chances_are_of_one_however_small_their_heights(heights: list[float]) -> None:
    chance = draws._chance(np.array(heights) - 1000)
    assert chance.sum() == pytest.approx(1)
    assert chance[int(np.argmax(heights))] == chance.max()


def test_ways_are_followed_as_often_as_they_are_likely() -> None:
    chosen = draws._systematic(np.random.default_rng(SEED), np.array([0.5, 0.3, 0.0, 0.2]))
    assert len(chosen) == draws.FOLLOWED
    counts = np.bincount(chosen, minlength=4)
    assert np.abs(counts - draws.FOLLOWED * np.array([0.5, 0.3, 0.0, 0.2])).max() <= 1
    assert any(a > b for a, b in pairwise(chosen)), "in no order"


# ---- What scans say ---------------------------------------------------------------------------------------------


def test_half_has_landed_by_the_level_and_none_before_the_first_delivery_day() -> None:
    way = np.array([[0.0, 3.0, 5.0, 7.0, 40.0]])
    share = draws._landed(way, theta_of(5.0), PROSPECT)[0]
    assert share[0] == 0
    assert share[2] == pytest.approx(0.5, abs=1e-4)
    assert 0 < share[1] < 0.5 < share[3] < 1
    assert share[4] == 1
    wide = draws._landed(way, theta_of(5.0, spread=2.0), PROSPECT)[0]
    assert share[1] < wide[1] < 0.5 < wide[3] < share[3]
    soon = draws._landed(np.array([[-1.0, 0.0, 1.0]]), theta_of(0.8), PROSPECT)[0]
    assert list(soon[:2]) == [0, 0]
    assert soon[2] > 0.5


def test_what_a_lost_truck_held_lands_so_many_days_later() -> None:
    way = np.array([[5.0, 9.0, 14.0, 40.0]])
    plain = draws._landed(way, theta_of(5.0), PROSPECT)[0]
    held = draws._landed(way, theta_of(5.0, held=0.4), PROSPECT)[0]
    assert held[0] == pytest.approx(0.6 * plain[0])
    assert held[1] == pytest.approx(0.6 * plain[1])
    assert held[2] == pytest.approx(0.6 + 0.4 * 0.5, abs=1e-4), "nine delivery days later half of it"
    assert held[3] == 1


def test_a_december_day_counts_for_a_part_of_another() -> None:
    ways = draws._ways(date(2026, 11, 28), np.array([1.0, 2.0, 3.0, 5.0]), theta_of(5.0, 6.0))
    # A Saturday; then Sunday, Monday the 30th, and December.
    assert ways.tolist() == [[0, 1, 1.5, 2.5]] * 2


@pytest.mark.parametrize("level", [3.0, 5.0, 8.0])
def test_scans_speak_for_the_way_that_they_came_from(level: float) -> None:
    levels = (2.0, 3.0, 4.0, 5.0, 6.5, 8.0, 11.0)
    theta = theta_of(*levels, top=0.95)
    day, lags = MONDAY - timedelta(days=14), np.arange(15.0)
    share = draws._landed(draws._ways(day, lags, theta_of(level)), theta_of(level), PROSPECT)[0] * 0.95
    landed = {lag: round(n) for lag, n in enumerate(1000 * np.diff(share, prepend=0.0)) if lag < 14 and round(n)}
    drop = Drop(day, 1000, landed, {})
    fit = draws._fit([drop], theta, PROSPECT, PROMPT, MONDAY)
    assert levels[int(np.argmax(fit))] == level
    # Two drops say as much as both.
    assert draws._fit([drop, drop], theta, PROSPECT, PROMPT, MONDAY) == pytest.approx(2 * fit)
    assert not draws._fit([Drop(MONDAY, 9, {}, {})], theta, PROSPECT, PROMPT, MONDAY).any(), "of today nothing is known"
    yesterday = draws._fit([Drop(MONDAY - timedelta(days=1), 9, {}, {})], theta, PROSPECT, PROMPT, MONDAY)
    assert not yesterday.any(), "nor of the day after a hand-over"


def test_silence_speaks_against_what_should_have_landed_as_far_as_it_would_be_known() -> None:
    theta, silent = theta_of(3.0, 9.0, top=0.95), [Drop(MONDAY - timedelta(days=8), 100, {}, {})]
    fast, slow = draws._fit(silent, theta, PROSPECT, PROMPT, MONDAY)
    assert slow > fast
    late = Past((), (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 1.0))
    unheard = draws._fit(silent, theta, PROSPECT, late, MONDAY)
    assert 0 < unheard[1] - unheard[0] < slow - fast
    assert [draws._known(late, days) for days in (-1, 0, 8, 9, 50)] == [0, 0.1, 0.1, 1, 1]


def test_what_landed_on_the_day_of_its_hand_over_counts_as_on_the_first_day_after() -> None:
    """Neither is left out, and no later day is counted twice."""
    theta = theta_of(1.0, 2.0, 4.0, 8.0, top=0.95)
    on = MONDAY - timedelta(days=draws.RECENT + 1)
    fits = [
        draws._fit([Drop(on, 100, landed, {})], theta, PROSPECT, PROMPT, MONDAY)
        for landed in ({0: 30, 3: 10}, {1: 30, 3: 10}, {0: 10, 1: 20, 3: 10})
    ]
    assert fits[0] == pytest.approx(fits[1])
    assert fits[2] == pytest.approx(fits[1])


@given(st.integers(0, 30), st.dictionaries(st.integers(0, 30), st.integers(1, 50), max_size=9))
@example(0, {1: 5})
@example(2, {0: 5})
def test_the_last_days_are_weighed_each_and_those_before_in_a_few_parts(age: int, landed: dict[int, int]) -> None:
    bounds = draws._bounds(Drop(MONDAY, 2000, landed, {}), age).tolist()
    assert bounds == sorted(set(bounds))
    assert bounds[0] == 0
    last = set(range(max(age - draws.RECENT, 0), age + 1))
    assert last <= set(bounds)
    before = [one for one in bounds if one not in last and one > 0]
    assert all(one <= max(age - draws.RECENT, 0) for one in before)
    assert len(before) <= 2 * draws.EARLIER


def test_days_on_which_much_landed_are_weighed_by_themselves() -> None:
    landed = {2: 10, 5: 400, 6: 20, 7: 10}
    assert draws._bounds(Drop(MONDAY, 900, landed, {}), 15).tolist() == [0, 4, 5, 6, 7, 11, 12, 13, 14, 15]


def test_the_last_of_the_earlier_days_counts_among_their_parts() -> None:
    # Most of it landed on that very day: what came on the first days is no part worth a weight of its own.
    landed = {2: 10, 3: 10, 11: 80}
    assert draws._bounds(Drop(MONDAY, 900, landed, {}), 15).tolist() == [0, 2, 3, 10, 11, 12, 13, 14, 15]


@pytest.mark.parametrize(("level", "odd"), [(2.5, True), (5.0, False), (12.0, True)])
def test_a_campaign_is_odd_at_a_level_that_nearly_none_had(level: float, *, odd: bool) -> None:
    assert draws._is_odd(np.array([1.0]), theta_of(level), PROSPECT) is odd


# ---- How it goes on ---------------------------------------------------------------------------------------------


def test_each_day_carries_as_much_as_another_on_average_and_sundays_and_holidays_nothing() -> None:
    theta, today = theta_of(*[5.0] * 4000), date(2026, 11, 25)
    further = draws._further(np.random.default_rng(SEED), today, theta, draws.UNEVEN)
    assert further.shape == (4000, draws.AHEAD)
    steps = np.diff(further, axis=1, prepend=0.0)
    for n in range(draws.AHEAD):
        day = today + timedelta(days=n)
        length = calendar.is_open(day) * (0.5 if day.month == 12 else 1.0)
        assert steps[:, n].mean() == pytest.approx(length, rel=0.02, abs=1e-9), day
        assert steps[:, n].std() == pytest.approx(length * draws.UNEVEN, rel=0.06, abs=1e-9), day
    again = draws._further(np.random.default_rng(SEED), today, theta, draws.UNEVEN_WHEN_ODD)
    assert again[:, 0].std() == pytest.approx(draws.UNEVEN_WHEN_ODD, rel=0.06)


def followed(drop: Drop, known: Past = PROMPT, today: date = MONDAY, **facts: float) -> Numbers:
    """The mean of many ways at level 5, of which each is followed on even days."""
    theta = theta_of(*[5.0] * 400, **facts)
    plain, slow = calendar.pace(today - timedelta(days=1), np.arange(1, draws.AHEAD + 1))
    further = np.tile(plain + 0.5 * slow, (400, 1))
    dice = np.random.default_rng(SEED)
    return np.asarray(
        draws._followed(dice, [drop], theta, PROSPECT, known, (today - timedelta(days=1), further)).mean(axis=0)
    )


def test_of_a_fresh_campaign_half_has_landed_by_its_level_and_its_top_at_last() -> None:
    # On the days Monday to Saturday after a hand-over on a Sunday: 1, 2, … delivery days.
    found = followed(Drop(MONDAY - timedelta(days=1), 1000, {}, {}), top=0.9)
    assert found[4] == pytest.approx(450, abs=12)
    assert found[5] == found[6], "the next Sunday"
    assert found[-1] == pytest.approx(900, abs=8)
    later = followed(Drop(MONDAY + timedelta(days=6), 1000, {}, {}), top=0.9)
    assert not later[:7].any(), "before its hand-over nothing lands"
    assert later[11] == pytest.approx(450, abs=12)
    whole = followed(Drop(MONDAY - timedelta(days=1), 1000, {}, {}), top=1.0)
    assert whole[-1] == pytest.approx(998, abs=2), "two of a thousand are never scanned, whatever the past says"


def test_what_landed_or_came_back_stays_and_only_the_rest_goes_on() -> None:
    """Handed over two weeks ago, all of it should be there: what is still open will mostly never be scanned."""
    ends = {4: 300, 6: 400, 9: 100}
    found = followed(Drop(MONDAY - timedelta(days=14), 1000, ends, {8: 100}), top=0.9)
    assert found[0] >= 800
    assert found[-1] < 830
    assert followed(Drop(MONDAY - timedelta(days=14), 800, ends, {}), top=0.9).tolist() == [800.0] * draws.AHEAD


def test_scans_that_are_not_heard_of_yet_come_to_light_although_all_landed_in_time() -> None:
    drop = Drop(MONDAY - timedelta(days=6), 1000, {}, {})
    prompt = followed(drop, top=0.95)
    late = followed(drop, Past((), (0.0, 0.0, 0.5, 1.0)), top=0.95)
    assert late[0] > prompt[0] + 50, "what landed in the last days is told today"
    assert late[-1] > prompt[-1] - 1
