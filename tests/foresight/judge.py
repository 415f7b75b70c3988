"""How good what is foretold is: beside an oracle that knows the law of the world, and three plain baselines."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from statistics import fmean
from typing import Any

import numpy as np

from handlers.forecast import days as calendar
from handlers.forecast import draws, model
from handlers.forecast import past as learning
from tests.foresight.worlds import LATEST, LUCK, REACH, Made, Numbers, World, delays, draw, law

#: Quantiles that are judged; the first and last bound four fifths.
PARTS = (0.1, 0.25, 0.5, 0.75, 0.9)
DATED = (0.5, 0.8, 0.95)
#: Days after the last hand-over on which it is foretold.
UNDER_WAY = (4, 7, 10, 13)
AHEAD_AT_START = range(2, 19)
AHEAD_UNDER_WAY = range(9)
#: Days on which even the oracle's band is narrower than this part of the mail are not judged: there is nothing to foretell.
NARROW = 0.01
LUCKS = 500


@dataclass
class Tally:
    """What was counted of one forecaster in one world."""

    inside: list[float] = field(default_factory=list)
    width: list[float] = field(default_factory=list)
    score: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    oracle_width: list[float] = field(default_factory=list)
    oracle_inside: list[float] = field(default_factory=list)
    ahead: list[tuple[float, float]] = field(default_factory=list)
    bias: list[float] = field(default_factory=list)
    stale: list[bool] = field(default_factory=list)
    falling: int = 0
    cost: list[float] = field(default_factory=list)


def oracle(dice: np.random.Generator, world: World, made: Made, today: date, days: int) -> Numbers:
    """How many will have landed by the end of each day from today on, as who knows the law would say."""
    center, spread = np.zeros(LUCK), np.ones(LUCK)
    laws = partial(law, world, made.form, slower=world.slower, truck=world.lost)
    begun = any((today - day).days >= 2 for day in made.days)
    # Three rounds: each draws nearer to what the scans say.
    for _ in range(3 if begun else 1):
        luck = center + spread * dice.standard_normal((LUCKS, LUCK))
        heights = -0.5 * (luck**2).sum(axis=1) + 0.5 * (((luck - center) / spread) ** 2).sum(axis=1)
        ways = [laws(first=day, luck=luck) for day in made.days]
        heights += sum(_seen(made, n, way, world, today) for n, way in enumerate(ways))
        weights = np.exp(heights - heights.max())
        weights /= weights.sum()
        if begun:
            soft = np.exp((heights - heights.max()) * min(1.0, _softened(heights)))
            soft /= soft.sum()
            center = soft @ luck
            spread = np.sqrt(np.maximum(soft @ (luck - center) ** 2, 1e-4)) * 1.15
    chosen = dice.choice(LUCKS, size=LUCKS, p=weights)
    total = np.zeros((LUCKS, days))
    for n, (share, _back) in enumerate(ways):
        total += _rest(dice, made, n, share[chosen], world, today, days)
    return total


def _softened(heights: Numbers) -> float:
    """By what the heights must be multiplied so that some dozens of them count."""
    power = 1.0
    while power > 0.01:
        weights = np.exp((heights - heights.max()) * power)
        if weights.sum() ** 2 / (weights**2).sum() >= 40:
            break
        power *= 0.7
    return power


def _unknown(world: World, age: int, lags: int) -> Numbers:
    known = delays(world.prompt, world.then)
    return np.array([1 - (known[min(age - lag, LATEST)] if age - lag < LATEST else 1.0) for lag in range(lags)])


def _seen(made: Made, n: int, way: tuple[Numbers, Numbers], world: World, today: date) -> Numbers:
    share, back = way
    age = (today - made.days[n]).days - 1
    if age < 0:
        return np.zeros(len(share))
    pmf = np.diff(share, axis=1, prepend=0.0)[:, : age + 1]
    known = pmf * (1 - _unknown(world, age, age + 1))[None, :]
    returned = np.diff(back, axis=1, prepend=0.0)[:, : age + 1]
    landed, came = made.known(n, today)
    rest = np.maximum(1 - known.sum(axis=1) - returned.sum(axis=1), 1e-9)
    height = np.log(np.maximum(known, 1e-12)) @ landed + np.log(np.maximum(returned, 1e-12)) @ came
    return np.asarray(height + np.log(rest) * (made.pieces[n] - landed.sum() - came.sum()))


def _rest(
    dice: np.random.Generator, made: Made, n: int, share: Numbers, world: World, today: date, days: int
) -> Numbers:
    age = (today - made.days[n]).days - 1
    pmf = np.clip(np.diff(share, axis=1, prepend=0.0), 0, 1)
    there = 0
    if age >= 0:
        there, back = (int(one.sum()) for one in made.known(n, today))
        unknown = _unknown(world, age, age + 1)
        hidden = (pmf[:, : age + 1] * unknown).sum(axis=1)
        gone = (pmf[:, : age + 1] * (1 - unknown)).sum(axis=1)
        open_ = made.pieces[n] - there - back
        rest = 1 - gone - back / made.pieces[n]
    else:
        hidden, open_, rest = np.zeros(len(share)), made.pieces[n], np.ones(len(share))
    first = max(age + 1, 0)
    coming = np.zeros((len(share), days))
    wait = max(-age - 1, 0)
    length = min(days - wait, REACH + 1 - first)
    coming[:, wait : wait + length] = pmf[:, first : first + length]
    coming[:, 0] += hidden
    chances = np.clip(coming / np.maximum(rest, 1e-9)[:, None], 0, 1)
    chances = np.append(chances, np.maximum(1 - chances.sum(axis=1, keepdims=True), 0), axis=1)
    chances /= chances.sum(axis=1, keepdims=True)
    return np.asarray(there + np.cumsum(dice.multinomial(open_, chances)[:, :-1], axis=1))


def learned(world: World, before: list[Made], made: Made, today: date) -> tuple[draws.Draws, list[draws.Drop]]:
    """What the product foretells of a campaign in the morning of this day, and what it sees of it."""
    mine = made.seen(today)
    past = learning.learn([row for one in before for row in one.seen(today)], today, known_delays(world, before))
    told = model.forecast(mine, model.outlook(past, made.form.name), today, made.number)
    assert told is not None
    return told.draws, list(told.drops)


def rank(ways: Numbers, truth: float, dice: np.random.Generator) -> float:
    """Where the truth lies among the ways; among equal ones anywhere."""
    below, same = float((ways < truth).mean()), float((ways == truth).mean())
    return below + same * dice.random()


def score(bounds: Sequence[float] | Numbers, truth: float) -> float:
    """The weighted interval score of these five quantiles, as a share (Bracher and others, 2021)."""
    total = 0.5 * abs(truth - bounds[2])
    for low, high, alpha in ((bounds[1], bounds[3], 0.5), (bounds[0], bounds[4], 0.2)):
        outside = 2 / alpha * (max(low - truth, 0) + max(truth - high, 0))
        total += alpha / 2 * (high - low + outside)
    return total / 2.5


def baselines(curves: list[list[float]], made: Made, day: date) -> dict[str, list[float]]:
    """Quantiles of the share landed by the end of a day, as three plain forecasters say."""
    found = {"USPS": _by_age(made, day, _standard)}
    if curves:
        for name, those in (("pooled", curves), ("last", curves[-1:])):
            middle = fmean(_by_age(made, day, partial(_at, one))[2] for one in those)
            off = max(0.02, (middle * (1 - middle) / made.total) ** 0.5)
            found[name] = [min(max(middle + off * z, 0), 1) for z in (-1.28, -0.67, 0, 0.67, 1.28)]
    return found


def _standard(age: int) -> list[float]:
    low, high = (0.95 if age >= 7 else 0.0), (1.0 if age >= 4 else 0.0)
    return [low + (high - low) * part for part in PARTS]


def _at(curve: list[float], age: int) -> list[float]:
    return [curve[min(age, len(curve) - 1)] if age >= 0 else 0.0] * 5


def _curve(one: Made, today: date) -> list[float]:
    length, total = 46, np.zeros(46)
    for n, day in enumerate(one.days):
        landed = one.known(n, today)[0]
        at = calendar.spans(np.full(len(landed), day.toordinal()), np.arange(len(landed)))
        np.add.at(total, np.minimum(at, length - 1), landed)
    return list(np.cumsum(total) / one.total)


def _by_age(made: Made, day: date, table: Callable[[int], list[float]]) -> list[float]:
    rows = [
        np.array(table(calendar.delivery_days(handed, day))) * n
        for handed, n in zip(made.days, made.pieces, strict=True)
    ]
    return list(np.sum(rows, axis=0) / made.total)


def judge(world: World, seeds: int) -> tuple[Tally, Tally]:
    """Foretells so many campaigns of a world: at the start, and under way."""
    start, later = Tally(), Tally()
    for seed in range(seeds):
        before, made = draw(world, seed)
        dice = np.random.default_rng(seed)
        first_look = made.last + timedelta(days=1)
        plan = _judge_once(start, world, before, made, first_look, AHEAD_AT_START, dice, None)
        for age in UNDER_WAY:
            _judge_once(later, world, before, made, made.last + timedelta(days=age), AHEAD_UNDER_WAY, dice, plan)
    return start, later


def known_delays(world: World, before: list[Made]) -> tuple[float, ...]:
    """How late scans are heard of, as the product learns it: from a few hundred of the past, if there are any."""
    late: Any = np.sum([landed.sum(axis=0) for one in before[-3:] for landed in one.landed], axis=0) if before else []
    seen = np.array(late) / max(np.sum(late), 1) * min(np.sum(late), 450)
    return learning.heard_by({days: round(float(number)) for days, number in enumerate(seen)})


def _judge_once(
    tally: Tally, world: World, before: list[Made], made: Made, today: date, ahead: range,
    dice: np.random.Generator, plan: tuple[date, Numbers] | None,
) -> tuple[date, Numbers]:  # fmt: skip
    begun = time.process_time()
    told, drops = learned(world, before, made, today)
    tally.cost.append((time.process_time() - begun) * 1000)
    # Three weeks are enough for a curve.
    curves = [_curve(one, today) for one in before if (today - one.last).days >= 25]
    best = oracle(dice, world, made, today, max(ahead) + 2)
    tally.falling += int((np.diff(np.quantile(told.ways, (0.1, 0.9), axis=0), axis=1) < -1e-9).any())
    for n in ahead:
        day = today + timedelta(days=n)
        truth = made.landed_by(day)
        low, high = np.quantile(best[:, n], (0.1, 0.9))
        if (high - low) / made.total < NARROW:
            continue
        mine = told.ways[:, n]
        bounds = np.quantile(mine, PARTS) / made.total
        tally.inside.append(0.1 <= rank(mine, truth, dice) <= 0.9)
        tally.oracle_inside.append(0.1 <= rank(best[:, n], truth, dice) <= 0.9)
        tally.width.append(float(bounds[4] - bounds[0]))
        tally.oracle_width.append((high - low) / made.total)
        tally.score["ours"].append(score(bounds, truth / made.total))
        tally.score["oracle"].append(score(np.quantile(best[:, n], PARTS) / made.total, truth / made.total))
        for name, those in baselines(curves, made, day).items():
            tally.score[name].append(score(those, truth / made.total))
    if plan is not None:
        known = sum(sum(one.landed.values()) for one in drops)
        place = (today - plan[0]).days - 1
        ahead_now = (known - float(np.median(plan[1][:, place]))) / made.total
        day = today + timedelta(days=2)
        error = (made.landed_by(day) - float(np.median(told.ways[:, 2]))) / made.total
        low, high = np.quantile(best[:, 2], (0.1, 0.9))
        if (high - low) / made.total >= NARROW:
            tally.ahead.append((ahead_now, error))
    _dates(tally, told, drops, made, today)
    return today, told.ways


def _dates(tally: Tally, told: draws.Draws, drops: list[draws.Drop], made: Made, today: date) -> None:
    end = told.ways[:, -1]
    known = sum(sum(one.landed.values()) for one in drops)
    final = made.landed_by(made.last + timedelta(days=REACH))
    for part in DATED:
        if known >= part * float(np.median(end)):
            continue
        promised = today + timedelta(days=int(np.median(np.argmax(told.ways >= part * end[:, None], axis=1))))
        day = made.first
        while made.landed_by(day) < part * final:
            day += timedelta(days=1)
        tally.bias.append((promised - day).days)
        tally.stale.append(promised < today)


def correlation(pairs: list[tuple[float, float]]) -> float:
    a, b = np.array(pairs).T
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0


def row(world: World, tally: Tally) -> dict[str, float]:
    """The numbers of one world."""
    plain = {name: fmean(those) for name, those in tally.score.items() if len(those) == len(tally.score["ours"])}
    best = min(value for name, value in plain.items() if name not in ("ours", "oracle"))
    return {
        "n": len(tally.inside),
        "coverage": 100 * fmean(tally.inside),
        "oracle": 100 * fmean(tally.oracle_inside),
        "width": fmean(tally.width) / fmean(tally.oracle_width),
        "score": plain["ours"] / best,
        "least": plain["oracle"] / best,
        "correlation": correlation(tally.ahead) if len(tally.ahead) > 2 else 0.0,
        "bias": fmean(tally.bias) if tally.bias else 0.0,
        "stale": 100 * fmean(tally.stale) if tally.stale else 0.0,
        "falling": tally.falling,
        "cost": float(np.median(tally.cost)),
    }
