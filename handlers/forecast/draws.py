"""How a campaign may go on: some hundred ways, weighed by what has been seen of it, and followed to their end.

Each way has a level, a spread and a top drawn from what the past says, a December of its own, and sometimes a lost
truck. Those that foretell the campaign's own scans (as far as these can be known by now) count for more. What is there
stays there; only pieces without an end can still land. So no way ever falls, or promises less than there is, or a day
that is over.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

import numpy as np

from handlers.forecast import days as calendar
from handlers.forecast.past import LEVELS, PARTS, Numbers, Past, Prospect
from storage.records import Transit
from storage.statuses import Status

#: Ways that are weighed, and those of them that are followed.
WEIGHED, FOLLOWED = 1200, 400
#: Days that are followed.
AHEAD: Final = 50
#: Scans say as much as so many independent ones at most: pieces of one drop travel together.
INDEPENDENT: Final = 240
#: How much further or less far mail gets on a day than on others.
UNEVEN: Final = 0.2
#: A campaign that goes unlike any before is foretold less surely: its scans say that much less, its days differ more.
ODD_TRUST, UNEVEN_WHEN_ODD = 0.4, 0.35
TAIL: Final = 0.04
#: One campaign in so many has a lost truck, or is lost whole.
TRUCK, LOST = 0.03, 0.008
#: So many of the ways have one: where the scans ask for it, there must be enough of them.
TRUCKS_DRAWN, LOST_DRAWN = 0.2, 0.06
#: Days that are weighed one by one: the last, whose scans may not be known, and so many parts of those before.
RECENT, EARLIER = 4, 5
#: Hand-over days that are followed each by itself.
DROPS: Final = 10


@dataclass(frozen=True)
class Drop:
    """Pieces handed over on one day, and what is known of them: how many landed, or came back, after so many days."""

    handed_on: date
    pieces: int
    landed: dict[int, int]
    returned: dict[int, int]

    @property
    def open(self) -> int:
        """How many have no end yet, as far as it is known."""
        return self.pieces - sum(self.landed.values()) - sum(self.returned.values())


def drops(transits: Iterable[Transit]) -> list[Drop]:
    """The hand-over days among these, earliest first."""
    by_day: dict[date, list[Transit]] = defaultdict(list)
    for one in transits:
        by_day[one.handed_on].append(one)
    return [
        Drop(
            day,
            sum(one.pieces for one in those),
            _by_lag(those, Status.DELIVERED),
            _by_lag(those, Status.RETURNED),
        )
        for day, those in sorted(by_day.items())
    ]


def _by_lag(transits: Sequence[Transit], ended: Status) -> dict[int, int]:
    found: dict[int, int] = defaultdict(int)
    for one in transits:
        if one.ended is ended:
            found[one.days] += one.pieces
    return dict(found)


@dataclass(frozen=True)
class Draws:
    """The ways that were followed: how many pieces have landed by the end of each day from `first` on."""

    first: date
    ways: Numbers
    #: How likely what was seen is, against how likely such a sight is: far below 0 it is unheard of.
    surprise: float = 0.0


def follow(drops: Sequence[Drop], prospect: Prospect, past: Past, today: date, seed: int) -> Draws:
    """Follows a campaign from today on. `today` itself is not known yet."""
    dice = np.random.default_rng([seed, 20_261])
    drops = _few(drops)
    theta, weights = _drawn(dice, prospect)
    fit = _fit(drops, theta, prospect, past, today)
    mailed = sum(one.pieces for one in drops)
    fit = fit / (1 + mailed / INDEPENDENT)
    chance = _chance(weights + fit)
    odd = _is_odd(chance, theta, prospect)
    chosen = _systematic(dice, _chance(weights + fit * ODD_TRUST) if odd else chance)
    theta = {name: values[chosen] for name, values in theta.items()}
    further = _further(dice, today, theta, UNEVEN_WHEN_ODD if odd else UNEVEN)
    return Draws(today, _followed(dice, drops, theta, prospect, past, (today - timedelta(days=1), further)))


def _chance(heights: Numbers) -> Numbers:
    weights = np.exp(heights - heights.max())
    return np.asarray(weights / weights.sum())


def _is_odd(chance: Numbers, theta: dict[str, Numbers], prospect: Prospect) -> bool:
    """Whether the campaign goes unlike any before: at a level that nearly none had."""
    level = float(chance @ np.log(theta["level"]))
    below = float(prospect.levels[level > LEVELS].sum())
    return not TAIL < below < 1 - TAIL


def _few(drops: Sequence[Drop]) -> list[Drop]:
    """At most so many drops: of more, neighbors count as handed over on one day."""
    drops = list(drops)
    while len(drops) > DROPS:
        sizes = [a.pieces + b.pieces for a, b in pairwise(drops)]
        n = int(np.argmin(sizes))
        drops[n : n + 2] = [_joined(drops[n], drops[n + 1])]
    return drops


def _joined(a: Drop, b: Drop) -> Drop:
    day = a.handed_on if a.pieces >= b.pieces else b.handed_on
    tables: list[dict[int, int]] = [{}, {}]
    for one in (a, b):
        for table, ends in zip(tables, (one.landed, one.returned), strict=True):
            for lag, number in ends.items():
                at = max((one.handed_on - day).days + lag, 0)
                table[at] = table.get(at, 0) + number
    return Drop(day, a.pieces + b.pieces, *tables)


def _drawn(dice: np.random.Generator, prospect: Prospect) -> tuple[dict[str, Numbers], Numbers]:
    """Ways as the past says, and the logarithms of the weights that make up for what is drawn too often."""
    number = WEIGHED
    # Some levels are drawn that the past does not expect, in case the scans ask for them.
    wide = np.full(len(LEVELS), 1 / len(LEVELS))
    proposal = 0.65 * prospect.levels + 0.35 * wide
    places = np.searchsorted(np.cumsum(proposal), (np.arange(number) + dice.random(number)) / number * 0.999999)
    places = np.minimum(places, len(LEVELS) - 1)
    weights = np.log(np.maximum(prospect.levels[places], 1e-12) / proposal[places])
    step = LEVELS[1] - LEVELS[0]
    level = np.exp(LEVELS[places] + step * (dice.random(number) - 0.5))
    near = prospect.spread + prospect.tie * (np.log(level) - prospect.center)
    spread = np.exp(near + prospect.spread_apart * dice.standard_normal(number))
    top = 1 / (1 + np.exp(-(prospect.top + prospect.top_apart * dice.standard_normal(number))))
    december = np.exp(-np.clip(prospect.december + prospect.december_apart * dice.standard_normal(number), 0, 1.2))
    fate = dice.permutation(number) / number
    truck, lost = fate < TRUCKS_DRAWN, fate > 1 - LOST_DRAWN
    held = np.where(truck, dice.uniform(0.08, 0.7, number), 0.0)
    late = dice.uniform(5, 19, number)
    top = np.where(lost, top * dice.uniform(0, 0.6, number), top)
    weights += np.log(np.where(truck, TRUCK / TRUCKS_DRAWN, np.where(lost, LOST / LOST_DRAWN, 1.0)))
    theta = {"level": level, "spread": spread, "top": top, "december": december, "held": held, "late": late}
    return theta, weights


def _landed(way: Numbers, theta: dict[str, Numbers], prospect: Prospect) -> Numbers:
    """The share that has landed by then, of what is delivered at all; `way` is in delivery days, a row for each way."""
    level, spread = theta["level"][:, None], theta["spread"][:, None]
    share = np.interp((way - level) / spread, prospect.shape, PARTS)
    trucks = theta["held"] > 0
    if trucks.any():
        behind = (way[trucks] - theta["late"][trucks, None] - level[trucks]) / spread[trucks]
        held = theta["held"][trucks, None]
        share[trucks] = (1 - held) * share[trucks] + held * np.interp(behind, prospect.shape, PARTS)
    return np.asarray(np.where(way <= 0, 0.0, share))


def _ways(handed_on: date, offsets: Numbers, theta: dict[str, Numbers]) -> Numbers:
    plain, slow = calendar.pace(handed_on, offsets.astype(np.int64))
    return np.asarray(plain[None, :] + slow[None, :] * theta["december"][:, None])


def _fit(drops: Sequence[Drop], theta: dict[str, Numbers], prospect: Prospect, past: Past, today: date) -> Numbers:
    """The logarithm of how well each way foretells what is known by now."""
    found = np.zeros(len(theta["level"]))
    for one in drops:
        age = (today - one.handed_on).days - 1
        if age < 1:
            continue
        bounds = _bounds(one, age)
        share = _landed(_ways(one.handed_on, bounds, theta), theta, prospect) * theta["top"][:, None]
        step = np.diff(share, axis=1)
        known = np.array([_known(past, age - int(bound)) for bound in bounds[1:]])
        step = np.maximum(step * known[None, :], 1e-7)
        lags = np.array(list(one.landed), dtype=float)
        counts = np.histogram(lags, bins=np.append(bounds[:-1], bounds[-1]) + 0.5, weights=list(one.landed.values()))[0]
        counts[0] += sum(n for lag, n in one.landed.items() if lag <= 0)
        still = np.maximum(1 - step.sum(axis=1), 1e-4)
        found += np.log(step) @ counts + np.log(still) * (one.pieces - counts.sum())
    return found


def _bounds(one: Drop, age: int) -> Numbers:
    """Days between which scans are counted together: each of the last, and a few spans of those before."""
    first = max(age - RECENT, 0)
    chosen = {0, *range(first, age + 1)}
    total, seen = sum(n for lag, n in one.landed.items() if lag <= first), 0
    for lag in sorted(one.landed):
        if lag > first or not total:
            break
        before, seen = seen, seen + one.landed[lag]
        if seen * EARLIER // total > before * EARLIER // total:
            chosen |= {max(lag - 1, 0), lag}
    return np.array(sorted(chosen), dtype=float)


def _known(past: Past, days: int) -> float:
    return past.known[min(days, len(past.known) - 1)] if days >= 0 else 0.0


def _systematic(dice: np.random.Generator, weights: Numbers) -> np.ndarray:
    places = (np.arange(FOLLOWED) + dice.random()) / FOLLOWED
    found = np.minimum(np.searchsorted(np.cumsum(weights), places), len(weights) - 1)
    return np.asarray(dice.permutation(found))


def _further(dice: np.random.Generator, today: date, theta: dict[str, Numbers], uneven: float) -> Numbers:
    """How many more delivery days' worth of way each has by the end of each day from today on."""
    plain, slow = calendar.pace(today - timedelta(days=1), np.arange(1, AHEAD + 1))
    further = plain[None, :] + slow[None, :] * theta["december"][:, None]
    # Some days carry more mail than others.
    steps = np.diff(further, axis=1, prepend=0.0)
    return np.asarray(np.cumsum(steps * dice.gamma(1 / uneven**2, uneven**2, steps.shape), axis=1))


def _followed(
    dice: np.random.Generator,
    drops: Sequence[Drop],
    theta: dict[str, Numbers],
    prospect: Prospect,
    past: Past,
    onward: tuple[date, Numbers],
) -> Numbers:
    """How many have landed by the end of each day; `onward`: the last day that is over, and how far each way gets."""
    begin, further = onward
    number = len(theta["level"])
    there = sum(sum(one.landed.values()) for one in drops)
    open_ = sum(one.open for one in drops)
    if not open_:
        return np.full((number, AHEAD), float(there))
    chance = np.zeros((number, AHEAD))
    for one in drops:
        if not one.open:
            continue
        age = max((begin - one.handed_on).days, 0)
        way = _ways(one.handed_on, np.array([age]), theta)
        if one.handed_on > begin:
            # Handed over today or later: the days until then carry nothing.
            wait = calendar.pace(begin, np.array([(one.handed_on - begin).days]))
            way = -(wait[0] + wait[1] * theta["december"][:, None])
        lags = np.arange(max(age - len(past.known), 0), age + 1, dtype=float)
        then = _landed(_ways(one.handed_on, lags, theta), theta, prospect) * theta["top"][:, None]
        unknown = 1 - np.array([_known(past, age - int(lag)) for lag in lags])
        # Landed already, but not known yet: they come to light as if they landed today.
        hidden = (np.diff(then, axis=1, prepend=0.0 if lags[0] == 0 else then[:, :1]) * unknown).sum(axis=1)
        back = sum(one.returned.values()) / one.pieces
        never = np.maximum(1 - theta["top"] - back, 0.002)
        later = _landed(way + further, theta, prospect) * theta["top"][:, None]
        now = then[:, -1:]
        ending = np.maximum(theta["top"] - now[:, 0], 0) + hidden + never
        chance += one.open * (np.maximum(later - now, 0) + hidden[:, None]) / ending[:, None]
    chance = np.minimum(np.maximum.accumulate(chance / open_, axis=1), 1.0)
    left, landed = np.full(number, open_), np.zeros((number, AHEAD))
    before = np.zeros(number)
    for day in range(AHEAD):
        hazard = np.clip((chance[:, day] - before) / np.maximum(1 - before, 1e-9), 0, 1)
        fell = dice.binomial(left, hazard)
        left = left - fell
        landed[:, day] = there + open_ - left
        before = chance[:, day]
    return landed
