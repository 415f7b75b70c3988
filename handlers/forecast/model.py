"""When a campaign may be expected to land: what its own scans and the account's past say together.

Shares are of the pieces handed over. Days are the asker's; a hand-over is counted in UTC, so the first day may seem to
lie ahead, and is then taken for today.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

from handlers.forecast import days as calendar
from storage.records import CampaignId, StoredCampaign, Transit, mail_day

if TYPE_CHECKING:
    import numpy as np

    from handlers.forecast import draws as drawing
    from handlers.forecast import past as learning
    from handlers.forecast.draws import Draws, Drop
    from handlers.forecast.past import Numbers, Past, Prospect
else:
    from handlers.forecast.later import Later

    np, drawing, learning = (Later(name) for name in ("numpy", f"{__package__}.draws", f"{__package__}.past"))

#: Of USPS's standards: see `past`.
MARKETING_MAIL: Final = (4, 7)
#: What is handed over longer ago says little of today's mail.
HISTORY: Final = timedelta(days=400)
#: Four of five campaigns are between these.
LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9
PARTS_TOLD: Final = (LOW, MIDDLE, HIGH)
#: Half, most, and nearly all of what is delivered at all.
DATED: Final = (0.5, 0.8, 0.95)
#: So many scans of a campaign's own are worth more than a standard.
TELLING: Final = 10
#: Delivery days after which a campaign can be unusually late, and the part of what even the slowest had by then.
LATE_AFTER, LATE_BELOW = 6, 0.5
#: And after which most of it may be lost, where less than this part of the usual is expected to land at all.
LOST_AFTER, LOST_BELOW = 4, 0.65
#: Days of a curve: a message holds no more lines.
MOST_POINTS: Final = 40
#: Pieces of a campaign that is only planned.
TYPICAL: Final = 1000
#: Chances below this are not told apart.
LEAST: Final = 0.01
#: So many campaigns of a format must be over before one is called ahead of the usual, or behind it; by so much it must
#: be off what is usual, and by the end of so many delivery days one after the other.
ENOUGH_FINISHED: Final = 3
OFF: Final = 0.03
AGREED: Final = 2
#: Among so many days there are always as many on which mail is delivered.
LOOKED_BACK: Final = 7
#: How far apart (as a logarithm) mail must be for a change to be worth words.
SLOWER: Final = 0.12


@dataclass(frozen=True)
class Due:
    """When a part has landed: most likely, and between which days in four of five cases. `day` is None once it has."""

    day: date | None
    early: date
    late: date

    @property
    def give_or_take(self) -> int:
        """Days by which it may be off."""
        return -(-(self.late - self.early).days // 2)


@dataclass(frozen=True)
class Outlook:
    """What may be expected of mail of one form, before anything of it is seen."""

    form: str
    prospect: Prospect
    past: Past

    @property
    def is_own(self) -> bool:
        """Whether the account's own history says anything; else it is USPS's standards."""
        return bool(self.prospect.own or self.prospect.others)

    @property
    def finished(self) -> int:
        """How many campaigns of this form are over: of the others only the beginning is known."""
        return sum(one.form == self.form and one.top is not None for one in self.past.ways)

    def quantile(self, part: float) -> int:
        """By which delivery day after the hand-over this part of the pieces that are delivered at all usually is."""
        spread = float(np.exp(self.prospect.spread))
        level = float(np.exp(self.prospect.center))
        return max(round(level + spread * float(np.interp(part, learning.PARTS, self.prospect.shape))), 1)


def outlook(past: Past, form: str, but: CampaignId | None = None) -> Outlook:
    """What the account's past says of mail of this form, without one campaign."""
    others = past.without(but)
    return Outlook(form, learning.expect(others, form), others)


@dataclass(frozen=True)
class Stand:
    """Where a campaign was by the end of its so-manyth day, and between which shares four of five like it were."""

    day: int
    share: float
    usual: float
    low: float
    high: float

    @property
    def side(self) -> int:
        """1: ahead of what is usual, -1: behind; 0: within it, or off by too little to be worth words."""
        if self.share > self.high and self.share - self.usual >= OFF:
            return 1
        return -1 if self.share < self.low and self.usual - self.share >= OFF else 0


@dataclass(frozen=True)
class Forecast:
    """A campaign and how it may go on. `today` itself is not known yet."""

    drops: tuple[Drop, ...]
    outlook: Outlook
    today: date
    seed: int

    @property
    def first(self) -> date:
        return self.drops[0].handed_on

    @cached_property
    def mailed(self) -> int:
        return sum(one.pieces for one in self.drops)

    @cached_property
    def landed(self) -> int:
        return sum(sum(one.landed.values()) for one in self.drops)

    @cached_property
    def open(self) -> int:
        """Pieces without an end: neither delivered nor returned."""
        return sum(one.open for one in self.drops)

    @cached_property
    def draws(self) -> Draws:
        return drawing.follow(self.drops, self.outlook.prospect, self.outlook.past, self.today, self.seed)

    @cached_property
    def plan(self) -> Draws:
        """What was to be expected when the first pieces were handed over."""
        blank = [drawing.Drop(one.handed_on, one.pieces, {}, {}) for one in self.drops]
        return drawing.follow(blank, self.outlook.prospect, self.outlook.past, self.first, self.seed)

    def seen_by(self, day: date) -> float:
        """The share that is known to have landed by the end of this day."""
        there = sum(n for one in self.drops for lag, n in one.landed.items() if lag <= (day - one.handed_on).days)
        return there / self.mailed

    def usual(self, day: date) -> float:
        """The share that usually has landed by the end of this day."""
        return self._share(self.plan, self._usual, MIDDLE, day)

    def band(self, day: date) -> tuple[float, float]:
        """Between which shares it is by the end of this day in four of five cases; of a past one, what is known."""
        if day < self.today:
            return (self.seen_by(day),) * 2
        return self._share(self.draws, self._likely, LOW, day), self._share(self.draws, self._likely, HIGH, day)

    def planned(self, day: date) -> tuple[float, float]:
        """Between which shares four of five campaigns like it are by the end of this day."""
        return self._share(self.plan, self._usual, LOW, day), self._share(self.plan, self._usual, HIGH, day)

    @cached_property
    def _likely(self) -> Numbers:
        return np.asarray(np.quantile(self.draws.ways, PARTS_TOLD, axis=0))

    @cached_property
    def _usual(self) -> Numbers:
        return np.asarray(np.quantile(self.plan.ways, PARTS_TOLD, axis=0))

    def _share(self, draws: Draws, bounds: Numbers, part: float, day: date) -> float:
        place = min((day - draws.first).days, bounds.shape[1] - 1)
        return float(bounds[PARTS_TOLD.index(part), place]) / self.mailed if place >= 0 else 0.0

    @cached_property
    def dates(self) -> tuple[Due, Due, Due]:
        """When half, most and nearly all of what is delivered at all have landed."""
        half, most, nearly = (self._due(part) for part in DATED)
        return half, most, nearly

    def _due(self, part: float) -> Due:
        ways = self.draws.ways
        needed = part * ways[:, -1]
        when = np.argmax(ways >= needed[:, None], axis=1)
        early, middle, late = (self.today + timedelta(days=int(np.quantile(when, at))) for at in (LOW, MIDDLE, HIGH))
        there = self.landed >= float(np.median(needed))
        return Due(None if there else middle, early, late)

    def chance(self, day: date, part: float = DATED[2]) -> float:
        """The chance that this part of what is delivered at all has landed by the end of the day."""
        ways = self.draws.ways
        place = min((day - self.today).days, ways.shape[1] - 1)
        there = ways[:, place] if place >= 0 else np.full(len(ways), float(self.landed))
        return float((there >= part * np.maximum(ways[:, -1], self.expected_end * 0.9)).mean())

    @cached_property
    def expected_end(self) -> float:
        """How many pieces of so many are usually delivered at all."""
        return float(np.median(self.plan.ways[:, -1]))

    @property
    def is_recent(self) -> bool:
        """Whether it was handed over so lately that more than stragglers may still come."""
        return (self.today - self.drops[-1].handed_on).days < drawing.AHEAD

    @cached_property
    def due_today(self) -> float:
        """How many more pieces are expected to land today: on a Sunday or a holiday none."""
        if not self.open or not calendar.is_open(self.today):
            return 0.0
        came = sum(one.landed.get((self.today - one.handed_on).days, 0) for one in self.drops)
        # What came today already is part of what was expected of it.
        whole = (float(self.draws.ways[:, 0].mean()) - self.landed) * (1 + came / self.open)
        return max(whole - came, 0.0)

    def stand(self, day: date) -> Stand:
        """Where it is by the end of this day, beside what is usual then."""
        return Stand((day - self.first).days, self.seen_by(day), self.usual(day), *self.planned(day))

    @cached_property
    def lately(self) -> tuple[Stand, ...]:
        """Where it was by the end of each of the last delivery days whose scans are known; fewer in its first days."""
        day = self.today - timedelta(days=1 + self.outlook.past.unheard)
        open_ones = [one for n in range(LOOKED_BACK) if calendar.is_open(one := day - timedelta(days=n))]
        return tuple(self.stand(one) for one in open_ones[:AGREED] if one > self.first)

    @cached_property
    def is_late(self) -> bool:
        """Whether less has come than half of what even the slowest campaign of the past had, or most may never come."""
        if not self.open:
            return False
        returned = self.mailed - self.open - self.landed
        usual_end = self.expected_end * (1 - returned / self.mailed)
        yesterday = self.today - timedelta(days=1)
        if calendar.delivery_days(self.drops[-1].handed_on, yesterday) >= LOST_AFTER:
            end = float(np.median(self.draws.ways[:, -1]))
            if end < LOST_BELOW * usual_end and self.landed < LOST_BELOW * usual_end:
                return True
        spread = float(np.exp(self.outlook.prospect.spread))
        slowest, shape = self.outlook.prospect.slowest, self.outlook.prospect.shape
        expected = 0.0
        for one in self.drops:
            age = calendar.delivery_days(one.handed_on, yesterday)
            if age >= LATE_AFTER:
                expected += one.pieces * float(np.interp((age - 1.2 * slowest) / spread, shape, learning.PARTS))
        ended = self.mailed - self.open
        return expected >= self.mailed / 2 and ended < LATE_BELOW * expected

    @cached_property
    def silent(self) -> int:
        """How many pieces are past the day by which nineteen of twenty usually are, and had no final scan."""
        limit = self.outlook.quantile(0.95)
        yesterday = self.today - timedelta(days=1)
        return sum(one.open for one in self.drops if calendar.delivery_days(one.handed_on, yesterday) > limit)

    @cached_property
    def yesterday(self) -> Forecast | None:
        """The same as it could be told a day ago; None when nothing was handed over then."""
        day = self.today - timedelta(days=1)
        before = [_until(one, day) for one in self.drops if one.handed_on < day]
        return Forecast(tuple(before), self.outlook, day, self.seed) if before else None


def worked_out(told: Forecast | None) -> Forecast | None:
    """The same with all that a message asks of it computed: work for a thread, not for the loop."""
    if told:
        points(told)
        progress(told)
        _ = told.yesterday and told.yesterday.dates
    return told


def _until(one: Drop, day: date) -> Drop:
    age = (day - one.handed_on).days
    landed, returned = ({lag: n for lag, n in ends.items() if lag < age} for ends in (one.landed, one.returned))
    return drawing.Drop(one.handed_on, one.pieces, landed, returned)


def forecast(those: Sequence[Transit], expected: Outlook, today: date, seed: int) -> Forecast | None:
    """How a campaign may go on; None before anything was handed over."""
    drops = drawing.drops(those)
    if not drops:
        return None
    # The zone of who asks may be behind UTC, in which hand-overs are counted.
    return Forecast(tuple(drops), expected, max(today, drops[-1].handed_on), seed)


@dataclass(frozen=True)
class Progress:
    """What is said of a campaign's way: where it stands beside the usual, and when it is due."""

    day: int
    due: tuple[Due, Due, Due]
    mailed: int
    landed: int
    open: int
    late: bool
    #: From how many campaigns of its format, and of others, this is known; and since when mail is slower or faster.
    form: str
    own: int
    others: int
    since: date | None
    slower: bool
    #: Of these, how many of its format are over: only they tell what is usual on each day.
    finished: int
    #: Where it was by the end of the last delivery days, the latest first; and where it is now, beside today's end.
    lately: tuple[Stand, ...]
    now: Stand

    @property
    def beside(self) -> int:
        """1: ahead of what is usual, -1: behind; 0: within it, or too little is known to tell.

        Days that are over decide, and several that agree: a word that comes and goes by the hour says nothing. Today's
        mail ends being behind once it has made up for the whole day: tomorrow says so, too.
        """
        sides = {one.side for one in self.lately}
        if self.finished < ENOUGH_FINISHED or not self.open or len(self.lately) < AGREED or len(sides) > 1:
            return 0
        return 0 if self.now.share >= self.now.low and sides == {-1} else sides.pop()

    @property
    def is_known(self) -> bool:
        """Whether there is more to say than USPS's standards."""
        return bool(self.own or self.others) or self.landed >= TELLING


def progress(told: Forecast) -> Progress:
    """Where a campaign stands."""
    prospect = told.outlook.prospect
    changed = prospect.since if abs(prospect.slower) > SLOWER else None
    return Progress(
        (told.today - told.first).days, told.dates,
        told.mailed, told.landed, told.open, told.is_late,
        told.outlook.form, prospect.own, prospect.others, changed, prospect.slower > 0,
        told.outlook.finished, told.lately, told.stand(told.today),
    )  # fmt: skip


@dataclass(frozen=True)
class Point:
    """A day of a campaign: the share delivered by its end (None when that lies ahead), and what is expected."""

    day: date
    actual: float | None
    low: float
    high: float
    #: Between which shares four of five campaigns like it are by then.
    usual: tuple[float, float] = (0.0, 0.0)


def points(told: Forecast) -> list[Point]:
    """The campaign's way day by day, from its first hand-over until nearly everything should have landed."""
    last = max(told.dates[2].late + timedelta(days=1), told.first + timedelta(days=8))
    last = min(last, told.today + timedelta(days=drawing.AHEAD - 1), told.first + timedelta(days=MOST_POINTS))
    if not told.open:
        ends = [one.handed_on + timedelta(days=max([*one.landed, *one.returned], default=0)) for one in told.drops]
        last = min(max(ends) + timedelta(days=1), told.first + timedelta(days=MOST_POINTS))
    return [_point(told, told.first + timedelta(days=n)) for n in range((last - told.first).days + 1)]


def _point(told: Forecast, day: date) -> Point:
    low, high = told.band(day)
    usual = told.planned(day) if told.outlook.is_own else _standard(told.drops, day, told.mailed)
    return Point(day, told.seen_by(day) if day <= told.today else None, low, high, usual)


def _standard(drops: Sequence[Drop], day: date, mailed: int) -> tuple[float, float]:
    """Between which shares mail is by USPS's standards: none lands before the window, and all that does within it."""
    soonest, latest = MARKETING_MAIL
    low = sum(one.pieces for one in drops if (day - one.handed_on).days >= latest) * 0.93
    high = sum(one.pieces for one in drops if (day - one.handed_on).days >= soonest)
    return low / mailed, high / mailed


def landing(campaign: StoredCampaign) -> tuple[date, date] | None:
    """The first and last day on which the campaign's pieces are due by USPS; None before a hand-over."""
    if campaign.handed_over_first is None or campaign.handed_over_last is None:
        return None
    soonest, latest = MARKETING_MAIL
    first = mail_day(campaign.handed_over_first) + timedelta(days=soonest)
    return first, mail_day(campaign.handed_over_last) + timedelta(days=latest)


def piece_landing(handed_over: date, expected: Outlook) -> tuple[date, date]:
    """The days between which three of five pieces handed over on this day usually land."""
    if not expected.is_own:
        soonest, latest = MARKETING_MAIL
        return handed_over + timedelta(days=soonest), handed_over + timedelta(days=latest)
    return calendar.later(handed_over, expected.quantile(0.2)), calendar.later(handed_over, expected.quantile(0.8))


def chance_of_today(expected: Outlook, home_by: date, today: date) -> float:
    """The chance that nearly all is in homes by that day if it is handed over today."""
    return Forecast((drawing.Drop(today, TYPICAL, {}, {}),), expected, today, 1).chance(home_by)


def mail_by(expected: Outlook, home_by: date, today: date, chance: float) -> tuple[date, float] | None:
    """The last hand-over after which nearly all is in homes by that day with this chance; None when it is too late."""
    for days in range(45):
        day = home_by - timedelta(days=days)
        if day < today:
            return None
        if not calendar.is_open(day):
            continue
        found = chance_of_today(expected, home_by, day)
        if found >= chance:
            return day, found
    return None
