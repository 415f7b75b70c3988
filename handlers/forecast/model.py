"""When mail may be expected to land: from the account's own history, and from USPS's standards until there is enough.

The share delivered by a day is estimated by the product-limit method with returns as a competing end (Aalen and
Johansen, 1978): a piece still under way counts for as long as it was watched, and says nothing of the days after.
How far a campaign may be from the others is taken from how far they were from each other.

Days are delivery days: Sundays are left out, for on them next to nothing is delivered, and a campaign that was handed
over on a Monday would else look late to one that was handed over on a Thursday.

USPS's standards: 39 CFR 121 Appendix A (rule 90 FR 10857, in force since July 2025), contiguous 48 states, end to end:
Marketing Mail 4 to 7 days, First-Class 0 to 5. Stannp sends Marketing Mail unless First-Class was bought, and does not
say which.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from math import exp, log, sqrt
from statistics import fmean, stdev
from typing import Final

from storage.records import CampaignId, StoredCampaign, Transit
from storage.statuses import Status

MARKETING_MAIL: Final = (4, 7)
#: What is handed over longer ago says little of today's mail.
HISTORY: Final = timedelta(days=400)
#: No curve is drawn further than this.
LONGEST: Final = 45
#: A campaign says how mail goes when so many of its pieces were delivered, and the first were handed over so long ago.
ENOUGH_PIECES: Final = 30
ENOUGH_DAYS: Final = 14
ENOUGH_CAMPAIGNS: Final = 3
#: Pieces at risk below which the estimate of a day would be a guess.
AT_RISK: Final = 5
#: Shares nearer to none or to all than this are taken for this one.
EDGE: Final = 0.005
#: Campaigns that went exactly alike do not promise that the next one will.
ALIKE: Final = 0.1
#: Student's t for a two-sided 80 % interval, by degrees of freedom; beyond the last, the normal distribution's.
STUDENT: Final = (
    3.078,
    1.886,
    1.638,
    1.533,
    1.476,
    1.440,
    1.415,
    1.397,
    1.383,
    1.372,
    1.363,
    1.356,
    1.350,
    1.345,
    1.341,
)


NORMAL: Final = 1.2816
SUNDAY: Final = 6


def delivery_days(first: date, last: date) -> int:
    """The days from one to the other, Sundays left out; below zero when it lies before."""
    days = (last - first).days
    # A week holds one Sunday; what is left over may hold another.
    weeks, rest = divmod(days, 7)
    return weeks * 6 + rest - any((first.weekday() + step) % 7 == SUNDAY for step in range(1, rest + 1))


def later(first: date, days: int) -> date:
    """The day so many delivery days after this one."""
    day = first
    while delivery_days(first, day) < days:
        day += timedelta(days=1)
    return day


@dataclass(frozen=True)
class Cohort:
    """Pieces handed over on one day: how many, and how many were delivered or came back after so many delivery days."""

    handed_on: date
    pieces: int
    landed: Mapping[int, int] = field(default_factory=dict)
    returned: Mapping[int, int] = field(default_factory=dict)

    def age(self, today: date) -> int:
        """Delivery days since the hand-over that are over: today's end is not known yet."""
        return delivery_days(self.handed_on, today - timedelta(days=1))


def cohorts(transits: Iterable[Transit]) -> list[Cohort]:
    """The hand-over days among these, earliest first."""
    by_day: dict[date, list[Transit]] = defaultdict(list)
    for one in transits:
        by_day[one.handed_on].append(one)
    return [
        Cohort(
            day,
            sum(one.pieces for one in those),
            _by_days(those, Status.DELIVERED),
            _by_days(those, Status.RETURNED),
        )
        for day, those in sorted(by_day.items())
    ]


def _by_days(transits: Sequence[Transit], ended: Status) -> dict[int, int]:
    found: dict[int, int] = defaultdict(int)
    for one in transits:
        if one.ended is ended:
            found[delivery_days(one.handed_on, one.handed_on + timedelta(days=one.days))] += one.pieces
    return dict(found)


def curve(those: Sequence[Cohort], today: date) -> list[float]:
    """The estimated share delivered by each day after the hand-over, as far as enough pieces were watched."""
    shares, alive, share = [], 1.0, 0.0
    for day in range(LONGEST + 1):
        watched = [one for one in those if one.age(today) >= day]
        at_risk = sum(_still_there(one, day) for one in watched)
        if at_risk < AT_RISK and day <= _longest_way(those):
            break
        if at_risk:
            landed = sum(one.landed.get(day, 0) for one in watched)
            back = sum(one.returned.get(day, 0) for one in watched)
            share += alive * landed / at_risk
            alive *= 1 - (landed + back) / at_risk
        elif not watched:
            break
        shares.append(share)
    return shares


def _still_there(one: Cohort, day: int) -> int:
    ended = sum(n for d, n in one.landed.items() if d < day) + sum(n for d, n in one.returned.items() if d < day)
    return one.pieces - ended


def _longest_way(those: Sequence[Cohort]) -> int:
    return max((day for one in those for day in one.landed), default=0)


@dataclass(frozen=True)
class Outlook:
    """What may be expected of mail of one form. `curves` are the account's own campaigns; none: USPS's standards."""

    curves: tuple[tuple[float, ...], ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether it comes from the account's own history."""
        return bool(self.curves)

    @cached_property
    def middle(self) -> list[float]:
        """The share that is usually delivered by each day."""
        if not self.is_own:
            soonest, latest = MARKETING_MAIL
            return [min(max((day - soonest + 1) / (latest - soonest + 1), 0), 1) * 0.97 for day in range(LONGEST + 1)]
        length = max(len(one) for one in self.curves)
        found: list[float] = []
        for day in range(length):
            known = [one[day] for one in self.curves if len(one) > day]
            # Fewer campaigns were watched for longer: that alone must not bend the curve down.
            found.append(max(fmean(known), found[-1] if found else 0.0))
        return found

    def usual(self, day: int) -> float:
        """The share usually delivered by this delivery day after the hand-over."""
        if day < 0:
            return 0.0
        return self.middle[min(day, len(self.middle) - 1)]

    def band(self, day: int) -> tuple[float, float]:
        """Between which shares four of five campaigns are by this delivery day."""
        if day < 0:
            return 0.0, 0.0
        if not self.is_own:
            return self._standard_band(day)
        known = [one[day] for one in self.curves if len(one) > day]
        if len(known) < ENOUGH_CAMPAIGNS:
            known = [one[-1] for one in self.curves]
        logits = [_logit(share) for share in known]
        reach = _student(len(known) - 1) * max(stdev(logits), ALIKE) * sqrt(1 + 1 / len(known))
        center = fmean(logits)
        low, high = _share(center - reach), _share(center + reach)
        # At its edges the scale says no more than "none" and "all".
        return (0.0 if low < 2 * EDGE else low), (1.0 if high > 1 - 2 * EDGE else max(high, 2 * EDGE))

    @staticmethod
    def _standard_band(day: int) -> tuple[float, float]:
        soonest, latest = MARKETING_MAIL
        return (0.95 if day >= latest else 0.0), (1.0 if day >= soonest else 0.0)

    def quantile(self, part: float) -> int:
        """By which delivery day after the hand-over this part of the pieces that are delivered at all usually is."""
        last = self.middle[-1]
        return next((day for day, share in enumerate(self.middle) if share >= part * last - 1e-9), len(self.middle))


def _logit(share: float) -> float:
    inside = min(max(share, EDGE), 1 - EDGE)
    return log(inside / (1 - inside))


def _share(logit: float) -> float:
    return 1 / (1 + exp(-logit))


def _student(freedom: int) -> float:
    return STUDENT[freedom - 1] if freedom <= len(STUDENT) else NORMAL + 1.0 / freedom


def outlook(transits: Sequence[Transit], form: str, today: date, but: CampaignId | None = None) -> Outlook:
    """What the account's own mail of this form says, without one campaign; of all forms when that is not enough."""
    others = [one for one in transits if one.campaign_id != but and one.handed_on >= today - HISTORY]
    for those in ([one for one in others if one.form == form], others):
        curves = _curves(those, today)
        if len(curves) >= ENOUGH_CAMPAIGNS:
            return Outlook(tuple(curves))
    return Outlook()


def _curves(transits: Sequence[Transit], today: date) -> list[tuple[float, ...]]:
    by_campaign: dict[CampaignId, list[Transit]] = defaultdict(list)
    for one in transits:
        by_campaign[one.campaign_id].append(one)
    made = []
    for those in by_campaign.values():
        landed = sum(one.pieces for one in those if one.ended is Status.DELIVERED)
        oldest = min(one.handed_on for one in those)
        if landed >= ENOUGH_PIECES and (today - oldest).days >= ENOUGH_DAYS:
            made.append(tuple(curve(cohorts(those), today)))
    return [one for one in made if one]


@dataclass(frozen=True)
class Progress:
    """How far a campaign is, beside what was to be expected. Shares are of the pieces handed over."""

    day: int
    low: float
    high: float
    #: By when a half, four fifths and nineteen twentieths of what is delivered at all are expected.
    due: tuple[date, date, date]
    #: From how many of the account's own campaigns this is known; 0: from USPS's standards.
    campaigns: int


def progress(those: Sequence[Cohort], expected: Outlook, today: date) -> Progress | None:
    """Where a campaign stands today; None before anything was handed over."""
    mailed = sum(one.pieces for one in those)
    if not mailed:
        return None
    # Of today's deliveries some are known, and some will come: at least yesterday's share, at most today's.
    low = sum(one.pieces * expected.band(one.age(today))[0] for one in those) / mailed
    high = sum(one.pieces * expected.band(one.age(today + timedelta(days=1)))[1] for one in those) / mailed
    first, second, third = (due_by(those, expected, part) for part in (0.5, 0.8, 0.95))
    return Progress((today - those[0].handed_on).days, low, high, (first, second, third), len(expected.curves))


@dataclass(frozen=True)
class Point:
    """A day of a campaign: the share delivered by its end (None while that is not known), and what was expected."""

    day: date
    actual: float | None
    low: float
    high: float


def points(those: Sequence[Cohort], expected: Outlook, today: date) -> list[Point]:
    """The campaign's way day by day, from its first hand-over until nearly everything should have landed."""
    if not those:
        return []
    mailed, first = sum(one.pieces for one in those), those[0].handed_on
    # Where nothing moves any more there is nothing to show.
    landed = max((later(one.handed_on, max(one.landed, default=0)) for one in those), default=first)
    last = max(due_by(those, expected, 0.95) + timedelta(days=2), landed + timedelta(days=1))
    return [_point(those, expected, first + timedelta(days=n), today, mailed) for n in range((last - first).days + 1)]


def _point(those: Sequence[Cohort], expected: Outlook, day: date, today: date, mailed: int) -> Point:
    ages = [(one, delivery_days(one.handed_on, day)) for one in those]
    landed = sum(n for one, age in ages for days, n in one.landed.items() if days <= age)
    low, high = (sum(one.pieces * expected.band(age)[side] for one, age in ages) / mailed for side in (0, 1))
    return Point(day, landed / mailed if day <= today else None, low, high)


def due_by(those: Sequence[Cohort], expected: Outlook, part: float) -> date:
    """The day by which this part of the pieces that are delivered at all usually is."""
    mailed = sum(one.pieces for one in those)
    end = expected.middle[-1]
    day, last = those[0].handed_on, those[-1].handed_on + timedelta(days=LONGEST)
    while day < last:
        share = sum(one.pieces * expected.usual(delivery_days(one.handed_on, day)) for one in those) / mailed
        if share >= part * end - 1e-9:
            break
        day += timedelta(days=1)
    return day


def due_on(those: Sequence[Cohort], expected: Outlook, day: date) -> float:
    """How many pieces usually land on this day."""
    before = day - timedelta(days=1)
    return sum(
        one.pieces
        * (expected.usual(delivery_days(one.handed_on, day)) - expected.usual(delivery_days(one.handed_on, before)))
        for one in those
    )


def silent(those: Sequence[Cohort], expected: Outlook, today: date) -> int:
    """How many pieces are past the day by which nineteen of twenty usually are, and had no final scan."""
    limit = expected.quantile(0.95)
    late = [one for one in those if one.age(today) > limit]
    return sum(_still_there(one, LONGEST * 10) for one in late)


def landing(campaign: StoredCampaign) -> tuple[date, date] | None:
    """The first and last day on which the campaign's pieces are due by USPS; None before a hand-over."""
    if campaign.handed_over_first is None or campaign.handed_over_last is None:
        return None
    soonest, latest = MARKETING_MAIL
    first = campaign.handed_over_first.date() + timedelta(days=soonest)
    return first, campaign.handed_over_last.date() + timedelta(days=latest)


def piece_landing(handed_over: date, expected: Outlook) -> tuple[date, date]:
    """The days between which three of five pieces handed over on this day usually land."""
    if not expected.is_own:
        soonest, latest = MARKETING_MAIL
        return handed_over + timedelta(days=soonest), handed_over + timedelta(days=latest)
    return later(handed_over, expected.quantile(0.2)), later(handed_over, expected.quantile(0.8))
