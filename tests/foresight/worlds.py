"""Made-up mail whose truth is known: worlds that differ in what is awkward about them, and campaigns drawn from them.

A world is a law: given a campaign's own luck (a row of standard normal numbers) it gives the chance that a piece lands
after so many days. So an oracle that knows the law can weigh every luck by what was seen, and say what there is to know.
The laws have other shapes than the product's model: mixtures of Weibull distributions by distance, lots of one drop that
go their own way, weekdays, holidays and Decembers of their own.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from storage.records import CampaignId, Transit
from storage.statuses import Status

Numbers = NDArray[np.float64]
#: Days after the hand-over that a world knows.
REACH = 90
#: What a campaign's luck consists of: shift, stretch, distance, top, returns, what a lost truck held and when it came.
LUCK = 7
#: Days by which a scan may be late.
LATEST = 14
HOLIDAYS = {
    *(date(y, m, d) for y in (2025, 2026, 2027) for m, d in ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25))),
    *(date.fromisoformat(one) for one in (
        "2025-09-01", "2025-10-13", "2025-11-27", "2026-01-19", "2026-02-16", "2026-05-25", "2026-09-07", "2026-10-12",
        "2026-11-26", "2027-01-18", "2027-02-15", "2027-05-31", "2027-09-06",
    )),
}  # fmt: skip


@dataclass(frozen=True)
class Form:
    """A format's way: parts of the mail by distance (share, earliest day, scale, shape)."""

    name: str
    parts: tuple[tuple[float, float, float, float], ...]


LETTER = Form("letter A4", ((0.5, 2.5, 2.4, 1.8), (0.35, 3.5, 2.8, 1.9), (0.15, 4.5, 4.0, 1.5)))
POSTCARD = Form("postcard 6x9", ((0.7, 1.2, 1.3, 1.7), (0.3, 1.8, 1.8, 1.6)))
SLOW = Form("flat 9x12", ((0.4, 5.0, 4.0, 1.7), (0.6, 7.0, 5.5, 1.6)))
PLAIN = Form("postcard 4x6", ((1.0, 2.0, 3.6, 1.9),))


@dataclass(frozen=True)
class World:
    """A law, and the account that lives under it."""

    name: str
    history: int = 10
    #: Forms of the past by weight, and the form that is foretold.
    forms: tuple[tuple[Form, float], ...] = ((LETTER, 1.0),)
    target: Form = LETTER
    pieces: tuple[int, int] = (200, 2000)
    #: How far campaigns are from each other: days of shift, and logarithms of stretch.
    shift: float = 0.7
    stretch: float = 0.1
    distance: float = 0.3
    #: Days over which one drop is handed over.
    drop: int = 1
    #: How much is delivered on the days of a week, Monday first.
    week: tuple[float, ...] = (1, 1, 1, 1, 1, 1, 0)
    #: On which days the foretold campaigns are handed over, counted from here.
    first: date = date(2026, 8, 31)
    #: Decembers are slower by this part.
    december: float = 0.45
    #: Days by which mail became slower, and for how many of the last campaigns of the past that holds.
    slower: float = 0.0
    since: int = 0
    #: Campaigns of the past of which a truck was lost; and whether one is lost now.
    trucks: int = 0
    lost: bool = False
    #: The chance that a scan is known on the day itself, and then on each day after.
    prompt: float = 0.9
    then: float = 0.6
    never: float = 0.02
    returned: float = 0.03
    #: Days between campaigns of the past.
    gap: int = 18
    #: Whether this world was looked at while the model was made.
    tuned: bool = True

    def __str__(self) -> str:
        return self.name


def pace(world: World, day: date) -> float:
    """How far mail gets on this day: 1 on a plain one."""
    if day in HOLIDAYS:
        return 0.0
    speed = world.week[day.weekday()]
    return speed / (1 + world.december) if day.month == 12 else speed


def progress(world: World, first: date) -> Numbers:
    """How far mail of this day has got by the end of each day after it."""
    return np.cumsum([0.0] + [pace(world, first + timedelta(days=n)) for n in range(1, REACH + 1)])


def law(world: World, form: Form, first: date, luck: Numbers, slower: float, *, truck: bool) -> tuple[Numbers, Numbers]:
    """For each luck: the chance that a piece has landed, and has come back, by the end of each day after the first."""
    way = progress(world, first)[None, :]
    shift = world.shift * luck[:, :1] + slower
    stretch = np.exp(world.stretch * luck[:, 1:2])
    far = np.clip(world.distance * luck[:, 2:3], -0.9, 0.9)
    weights = np.array([part for part, *_ in form.parts])
    order = np.linspace(-1, 1, len(weights)) if len(weights) > 1 else np.zeros(1)
    shares = weights[None, :] * (1 + far * order[None, :])
    shares /= shares.sum(axis=1, keepdims=True)

    def landed(way: Numbers) -> Numbers:
        total = np.zeros((len(luck), REACH + 1))
        for index, (_, soonest, scale, shape) in enumerate(form.parts):
            since = np.clip(way - np.maximum(soonest + shift, 0.5), 0, None)
            total += shares[:, index : index + 1] * (1 - np.exp(-((since / (scale * stretch)) ** shape)))
        return total

    share = landed(way)
    if truck:
        held = 0.15 + 0.45 / (1 + np.exp(-luck[:, 5:6]))
        late = 6 + 5 * np.exp(0.4 * luck[:, 6:7])
        share = (1 - held) * share + held * landed(way - late)
    back = world.returned * np.exp(0.35 * luck[:, 4:5])
    never = world.never * np.exp(0.35 * luck[:, 3:4])
    days = np.arange(REACH + 1)[None, :]
    returns = back * (1 - np.exp(-((np.clip(days - 9, 0, None) / 14.0) ** 1.5)))
    return share * (1 - back - never), returns


@lru_cache(maxsize=64)
def delays(prompt: float, then: float) -> tuple[float, ...]:
    """The chance that a scan is known by so many days after it."""
    return tuple(1 - (1 - prompt) * (1 - then) ** days for days in range(LATEST + 1))


@dataclass
class Made:
    """A campaign: per hand-over day how many pieces landed after so many days and were known so many days later."""

    number: int
    form: Form
    days: list[date]
    pieces: list[int]
    landed: list[NDArray[np.int64]] = field(default_factory=list)
    returned: list[NDArray[np.int64]] = field(default_factory=list)

    @property
    def first(self) -> date:
        return self.days[0]

    @property
    def last(self) -> date:
        return self.days[-1]

    @property
    def total(self) -> int:
        return sum(self.pieces)

    def seen(self, today: date) -> list[Transit]:
        """What is known of it in the morning of this day."""
        key, rows = CampaignId(self.number), []
        for n, (day, pieces) in enumerate(zip(self.days, self.pieces, strict=True)):
            landed, back = self.known(n, today)
            open_ = pieces - int(landed.sum() + back.sum())
            for ended, counts in ((Status.DELIVERED, landed), (Status.RETURNED, back)):
                at = np.nonzero(counts)[0]
                rows += [Transit(key, self.form.name, day, ended, int(lag), int(counts[lag])) for lag in at]
            if open_ and day <= today:
                rows.append(Transit(key, self.form.name, day, None, 0, open_))
        return rows

    def known(self, n: int, today: date) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of one hand-over day: how many are known to have landed, and come back, after so many days."""
        lags = np.arange(min(max((today - self.days[n]).days, 0), REACH + 1))
        late = np.minimum((today - self.days[n]).days - 1 - lags, LATEST)
        return self.heard[n][lags, late], self.returned[n][lags]

    @cached_property
    def heard(self) -> list[NDArray[np.int64]]:
        return [np.cumsum(landed, axis=1) for landed in self.landed]

    def landed_by(self, day: date) -> int:
        """How many had truly landed by the end of this day."""
        return sum(
            int(landed[: max((day - handed).days + 1, 0)].sum())
            for handed, landed in zip(self.days, self.landed, strict=True)
        )


def make(
    dice: np.random.Generator, world: World, number: int, form: Form, first: date, *, slower: float, truck: bool
) -> Made:
    low, high = world.pieces
    pieces = int(np.exp(dice.uniform(np.log(low), np.log(high))))
    days = handed_over(world, first)
    parts = dice.multinomial(pieces, [1 / len(days)] * len(days))
    luck = dice.standard_normal((1, LUCK))
    # A campaign counts as one from its first pieces on.
    kept = [(day, int(part)) for day, part in zip(days, parts, strict=True) if part]
    made = Made(number, form, [day for day, _ in kept], [part for _, part in kept])
    known = np.array(delays(world.prompt, world.then))
    late = np.append(np.diff(known, prepend=0.0)[:-1], 0.0)
    late[-1] = 1 - late.sum()
    for day, part in kept:
        share, back = (one[0] for one in law(world, form, day, luck, slower, truck=truck))
        chances = np.concatenate([np.diff(share, prepend=0.0), np.diff(back, prepend=0.0)])
        ends = dice.multinomial(part, np.append(np.clip(chances, 0, 1), max(1 - chances.sum(), 0)))
        made.landed.append(np.array([dice.multinomial(n, late) for n in ends[: REACH + 1]]))
        made.returned.append(ends[REACH + 1 : 2 * REACH + 2])
    return made


def handed_over(world: World, first: date) -> list[date]:
    days: list[date] = []
    day = first
    while len(days) < world.drop:
        if day.weekday() < 5 and day not in HOLIDAYS:
            days.append(day)
        day += timedelta(days=1)
    return days


def draw(world: World, seed: int) -> tuple[list[Made], Made]:
    """An account's past, and the campaign that is to be foretold."""
    dice = np.random.default_rng([seed, sum(map(ord, world.name))])
    first = world.first + timedelta(days=int(dice.integers(0, 12)))
    while first.weekday() > 4 or first in HOLIDAYS:
        first += timedelta(days=1)
    names, weights = [form for form, _ in world.forms], np.array([part for _, part in world.forms])
    past, when = [], first
    for n in range(world.history):
        when -= timedelta(days=int(world.gap * dice.uniform(0.6, 1.4)))
        form = names[int(dice.choice(len(names), p=weights / weights.sum()))]
        slower = world.slower if n < world.since else 0.0
        truck = world.history // 2 <= n < world.history // 2 + world.trucks
        past.append(make(dice, world, world.history - n, form, when, slower=slower, truck=truck))
    new = make(dice, world, 999, world.target, first, slower=world.slower, truck=world.lost)
    return past[::-1], new


BUSY_WEEK = (1.2, 1.1, 1.0, 1.0, 1.0, 0.55, 0.0)
MIXED = ((LETTER, 0.5), (POSTCARD, 0.3), (SLOW, 0.2))
WORLDS = (
    World("plain"),
    World("drop over five days", drop=5),
    World("far and near", distance=0.8, stretch=0.2),
    World("weekdays differ", week=BUSY_WEEK),
    World("federal holidays", first=date(2026, 11, 2)),
    World("December", first=date(2026, 11, 30)),
    World("December, one before", first=date(2026, 11, 30), history=20),
    World("late scans", prompt=0.45, then=0.45),
    World("many never scanned", never=0.04, returned=0.06),
    World("formats mixed", forms=MIXED, history=14),
    World("rare format", forms=((LETTER, 0.7), (SLOW, 0.3)), target=POSTCARD, history=12),
    World("one campaign of history", history=1),
    World("two campaigns of history", history=2),
    World("twenty campaigns", history=20, gap=12),
    World("first slow campaign", slower=3.0, since=0),
    World("third slow campaign", slower=3.0, since=2, gap=22),
    World("tiny campaigns", pieces=(8, 40)),
    World("large campaigns", pieces=(10_000, 30_000)),
    World("a truck lost in the past", trucks=1),
    World("a truck lost now", lost=True),
    # Nobody looked at these while the model was made.
    World("* no history", history=0, target=PLAIN, tuned=False),
    World("* Christmas letters, late scans", first=date(2026, 12, 7), drop=3, prompt=0.6, december=0.6, tuned=False),
    World("* three campaigns, uneven", history=3, shift=1.2, stretch=0.25, tuned=False),
    World("* faster at last", slower=-1.5, since=3, week=BUSY_WEEK, tuned=False),
    World("* rare flats", forms=((POSTCARD, 0.8), (LETTER, 0.2)), target=SLOW, tuned=False),
    World("* drops of ten days", drop=10, target=PLAIN, forms=((PLAIN, 1.0),), tuned=False),
    World("* tiny, mixed", pieces=(5, 60), forms=MIXED, target=POSTCARD, tuned=False),
    World("* two trucks lost", trucks=2, history=6, tuned=False),
    World("* very even", shift=0.15, stretch=0.03, distance=0.1, tuned=False),
    World("* Thanksgiving, large", first=date(2026, 11, 16), pieces=(5000, 20_000), week=BUSY_WEEK, tuned=False),
)
