"""What the account's earlier campaigns say of the next: how long they took, how far apart, and what changed.

Each campaign is described by three numbers: its level (the delivery days until half of what is delivered had landed),
its spread (half of the way from the first 15% to 85%), and its top (the share that is delivered at all). They are
quantiles, so that neither a tail nor a lost truck moves them much. A campaign still under way counts for as long as it
was watched (product-limit estimate, with returns as a competing end).

The levels of a form are a sequence in which one may stand out and, once, a new normal may begin: every place for that
change is weighed by how well it explains what came before and after.

USPS's standards are what is known of an account without a past: 39 CFR 121 Appendix A (rule 90 FR 10857, in force since
July 2025): Marketing Mail 4 to 7 days, First-Class up to 5. Where First-Class was not bought, it is Marketing Mail, and
nothing that we are told says which.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handlers.forecast import days as calendar
from storage.records import CampaignId, Transit
from storage.statuses import Status

Numbers = NDArray[np.float64]
#: No curve is followed further than this many delivery days.
FOLLOWED_DAYS: Final = 45
#: After so many delivery days a campaign has landed, or will not.
FINISHED: Final = 17
#: Of how many of its pieces the first were delivered before a campaign says anything.
ENOUGH_LANDED: Final = 4
#: A campaign says how fast it is when this part of what will land has.
ENOUGH_PART: Final = 0.15
AT_RISK: Final = 5
#: Of whose pieces this part landed on one day, later than so many delivery days, nobody knows when they did.
AT_ONCE, AT_ONCE_AFTER = 0.7, 8
#: The usual delay of scans counts for so many seen ones; none is followed further than this many days.
HEARD_LIKE_USUAL: Final = 20
LATEST_HEARD: Final = 10
#: Campaigns that are learned from: the latest.
LEARNED: Final = 60

#: Parts of what is delivered at all, at which ways are compared.
PARTS: Final = np.array(
    [0.0, 0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.94, 0.97, 0.99, 1.0]
)
#: The usual form of a way: when each part lands, in spreads from the level.
USUAL: Final = np.array(
    [
        -1.9,
        -1.65,
        -1.45,
        -1.28,
        -1.12,
        -0.93,
        -0.77,
        -0.5,
        -0.25,
        0.0,
        0.26,
        0.54,
        0.87,
        1.07,
        1.33,
        1.64,
        2.05,
        2.7,
        4.2,
    ]
)

#: Logarithms of delivery days on which levels are weighed.
LEVELS: Final = np.linspace(np.log(0.8), np.log(40), 128)
#: How far campaigns of a form may be from each other, and how likely each is beforehand.
APART: Final = np.array([0.04, 0.08, 0.13, 0.2, 0.3])
APART_WEIGHTS: Final = np.array([0.28, 0.37, 0.24, 0.09, 0.02])
#: One campaign in so many stands out, by so much; and a new normal begins at one in so many, so far from the old.
ODD, ODD_BY = 0.04, 0.5
CHANGE, CHANGE_BY = 0.04, 0.35
#: USPS's classes as levels: their centers, and how far each reaches. Marketing Mail and First-Class.
CLASSES: Final = ((np.log(5.6), 0.28), (np.log(2.8), 0.32))
#: Which part of a kind of mail goes by Marketing Mail: cards are cheap to send First-Class, flats seldom go so.
MARKETING: Final = {"postcard": 0.3, "letter": 0.65, "flat": 0.9}
MARKETING_USUALLY: Final = 0.6
#: What is delivered at all (on the scale of logarithms of odds), and how far campaigns are apart in it.
TOP, TOP_APART = 2.9, 0.22
#: The spread beside the level, and how far (in logarithms) campaigns are apart in it.
RATIO, SPREAD_APART = 0.33, 0.13
#: December takes so much longer (as a logarithm), give or take.
DECEMBER, DECEMBER_APART = 0.36, 0.1


@dataclass(frozen=True)
class Way:
    """How one campaign went. `spread` and `shape` are None until nearly all has landed, `top` until it is over."""

    campaign_id: CampaignId
    form: str
    handed_on: date
    level: float
    doubt: float
    spread: float | None
    top: float | None
    shape: Numbers | None
    december: float


@dataclass(frozen=True)
class Past:
    """What was learned of the account. `ways` in the order of their hand-over."""

    ways: tuple[Way, ...] = ()
    #: The chance that a scan is known by so many days after it.
    known: tuple[float, ...] = (0.9, 0.97, 0.99, 1.0)
    #: Of campaigns that are over: the share delivered, and of how many pieces.
    tops: Mapping[CampaignId, tuple[float, int]] = field(default_factory=dict)

    @property
    def unheard(self) -> int:
        """Of how many of the last days scans are still to be heard of: of older ones nearly all are known."""
        return next((n for n, part in enumerate(self.known) if part >= 0.95), len(self.known))  # noqa: PLR2004 - nearly all

    def without(self, campaign_id: CampaignId | None) -> "Past":
        """The same without one campaign: its own way does not foretell itself."""
        kept = tuple(one for one in self.ways if one.campaign_id != campaign_id)
        return Past(kept, self.known, {key: top for key, top in self.tops.items() if key != campaign_id})


@dataclass(frozen=True)
class Prospect:
    """What may be expected of the next campaign of a form, before anything is seen of it."""

    #: The chance of each of `LEVELS`.
    levels: Numbers
    #: As a logarithm, at the mean level; and by how much of its logarithm the spread grows with the level.
    spread: float
    spread_apart: float
    tie: float
    center: float
    top: float
    top_apart: float
    shape: Numbers
    december: float
    december_apart: float
    #: From how many campaigns of this form, and of others, this is known.
    own: int
    others: int = 0
    #: The first campaign of a new normal, and by how much mail is slower since (a logarithm), where one is believed.
    since: date | None = None
    slower: float = 0.0
    #: The day beyond which no past campaign's level lay.
    slowest: float = field(default=0.0)


def learn(transits: Sequence[Transit], today: date, known: tuple[float, ...] = Past.known) -> Past:
    """Describes every campaign among these."""
    transits = _latest(transits)
    if not transits:
        return Past((), known)
    until_known = Past((), known).unheard
    keys = {key: n for n, key in enumerate(sorted({(one.campaign_id, one.handed_on) for one in transits}))}
    rows = np.array(
        [
            (keys[one.campaign_id, one.handed_on], one.handed_on.toordinal(), one.days, int(one.ended or 0), one.pieces)
            for one in transits
        ]
    )
    at = np.clip(calendar.spans(rows[:, 1], rows[:, 2]), 0, FOLLOWED_DAYS)
    landed, back = (np.zeros((len(keys), FOLLOWED_DAYS + 1)) for _ in range(2))
    for table, end in ((landed, Status.DELIVERED), (back, Status.RETURNED)):
        chosen = rows[:, 3] == end
        np.add.at(table, (rows[chosen, 0], at[chosen]), rows[chosen, 4])
    pieces = np.bincount(rows[:, 0], weights=rows[:, 4], minlength=len(keys))
    handed = np.array([day.toordinal() for _, day in keys])
    ages = calendar.spans(handed, np.maximum(today.toordinal() - 1 - until_known - handed, -1))
    ages = np.where(today.toordinal() - 1 - until_known < handed, -1, ages)
    forms = _forms(transits)
    order = list(keys)
    bounds = [n for n, (key, _) in enumerate(order) if n == 0 or key != order[n - 1][0]]
    found = [
        _campaign(landed[a:b], back[a:b], pieces[a:b].astype(float), ages[a:b])
        for a, b in zip(bounds, [*bounds[1:], len(keys)], strict=True)
    ]
    marks = [(order[n][0], date.fromordinal(int(handed[n]))) for n in bounds]
    ended = {key: _top(*one) for (key, _), one in zip(marks, found, strict=True)}
    tops = {key: (share, number) for key, (share, number, done) in ended.items() if done}
    usual = _pooled_top([*tops.values()])[0]
    ways = [
        way
        for (key, day), one in zip(marks, found, strict=True)
        if (way := _way(key, forms[key], day, usual, one)) is not None
    ]
    return Past(tuple(sorted(ways, key=lambda one: one.handed_on)), known, tops)


def heard_by(delays: Mapping[int, int]) -> tuple[float, ...]:
    """The chance that a delivery is heard of by so many days after it, as a sample of delays says."""
    seen = np.diff(np.array(Past.known), prepend=0.0) * HEARD_LIKE_USUAL
    seen = np.append(seen, np.zeros(max(LATEST_HEARD + 1 - len(seen), 0)))
    for days, number in delays.items():
        seen[min(max(days, 0), LATEST_HEARD)] += number
    return tuple(float(part) for part in np.minimum(np.cumsum(seen) / seen.sum(), 1.0))


def _latest(transits: Sequence[Transit]) -> Sequence[Transit]:
    """Those of so many campaigns that were handed over last: more would add nothing but work."""
    last: dict[CampaignId, date] = {}
    for one in transits:
        last[one.campaign_id] = max(last.get(one.campaign_id, one.handed_on), one.handed_on)
    if len(last) <= LEARNED:
        return transits
    kept = set(sorted(last, key=lambda key: last[key])[-LEARNED:])
    return [one for one in transits if one.campaign_id in kept]


def _forms(transits: Sequence[Transit]) -> dict[CampaignId, str]:
    counted: dict[tuple[CampaignId, str], int] = {}
    for one in transits:
        counted[one.campaign_id, one.form] = counted.get((one.campaign_id, one.form), 0) + one.pieces
    return {key: form for (key, form), _ in sorted(counted.items(), key=lambda item: item[1])}


def _campaign(
    landed: Numbers, back: Numbers, pieces: Numbers, ages: NDArray[np.int64]
) -> tuple[Numbers, float, int, float]:
    """The share delivered by each delivery day as far as it was watched, of how many pieces, and how long."""
    ended = np.cumsum(landed + back, axis=1)
    still = pieces[:, None] - ended + landed + back
    watched = ages[:, None] >= np.arange(FOLLOWED_DAYS + 1)[None, :]
    at_risk = (still * watched).sum(axis=0)
    enough = (at_risk >= AT_RISK) | watched.all(axis=0)
    length = int(np.argmin(np.append(enough & watched.any(axis=0), False)))
    seen = float((landed * watched).sum())
    # Old mail of which most was heard of in the last days, which are not watched yet, is read for the first time:
    # nobody knows when it landed, and it is not taken for lost meanwhile.
    if not length or (length > FINISHED and 2 * seen < landed.sum()):
        return np.zeros(0), float(pieces.sum()), -1, 0.0
    risk = np.maximum(at_risk[:length], 1.0)
    gone = ((landed + back) * watched).sum(axis=0)[:length] / risk
    alive = np.cumprod(np.clip(1 - gone, 0, 1))
    share = np.cumsum(np.append(1.0, alive[:-1]) * (landed * watched).sum(axis=0)[:length] / risk)
    return np.minimum(share, 1.0), float(pieces.sum()), length - 1, seen


def _top(share: Numbers, pieces: float, age: int, _landed: float) -> tuple[float, int, bool]:
    return (float(share[-1]) if len(share) else 0.0), int(pieces), age >= FINISHED


def _pooled_top(tops: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """The usual top, and how far the next may be from it, both as logarithms of odds."""
    if not tops:
        return _share(TOP), TOP_APART * 1.3
    logits = np.array([_logit((share * number + 1.5) / (number + 1.6)) for share, number in tops])
    # One campaign that was lost says nothing of the others.
    near = np.exp(-0.5 * np.minimum(((logits - np.median(logits)) / 0.8) ** 2, 8))
    sampled = np.array([1 / max(number * 0.05, 0.5) for _, number in tops])
    weight = near / (TOP_APART**2 + sampled)
    mean = (TOP / 0.25 + (weight * logits).sum()) / (1 / 0.25 + weight.sum())
    apart = (4 * TOP_APART**2 + (near * np.maximum((logits - mean) ** 2 - sampled, 0)).sum()) / (4 + near.sum())
    return _share(float(mean)), float(np.sqrt(apart + 1 / (1 / 0.25 + weight.sum())))


def _way(
    key: CampaignId, form: str, day: date, usual: float, seen_of_it: tuple[Numbers, float, int, float]
) -> Way | None:
    share, _, age, landed = seen_of_it
    if landed < ENOUGH_LANDED:
        return None
    finished = age >= FINISHED
    top = float(share[-1]) if finished else max(usual, float(share[-1]))
    part = share / max(top, 1e-9)
    at = np.append(-1.0, np.arange(len(share)))
    part = np.append(0.0, part)
    reached = float(part[-1])
    if reached < ENOUGH_PART or _is_learned_at_once(share):
        return None
    quantiles = np.interp(PARTS, part + 1e-9 * np.arange(len(part)), at)
    quantiles = np.maximum(quantiles, 0.05)
    seen = min(reached, 0.5)
    spread = max((np.interp(0.85, PARTS, quantiles) - np.interp(0.15, PARTS, quantiles)) / 2, 0.3)
    level = float(np.interp(0.5, PARTS, quantiles))
    if seen < 0.5:  # noqa: PLR2004 - half
        # Half has not landed yet: from where it is to the half, as mail usually goes on.
        now = float(np.interp(seen, part + 1e-9 * np.arange(len(part)), at))
        level = now / max(1 + RATIO * float(np.interp(seen, PARTS, USUAL)), 0.35)
        doubt = 0.12 + 0.5 * (0.5 - seen)
    else:
        doubt = 1.25 * spread / np.sqrt(landed) / max(level, 0.5) + 0.02
    level = max(level, 0.5)
    ahead = np.array([round(level * 7 / 6)])
    plain, slow = calendar.pace(day, ahead)
    busy = float(slow[0] / max(plain[0] + slow[0], 1))
    level *= 1 - busy + busy * np.exp(-DECEMBER)
    whole = finished or reached > 0.97  # noqa: PLR2004 - nearly all
    shape = (quantiles - np.interp(0.5, PARTS, quantiles)) / spread if whole and landed >= 30 else None  # noqa: PLR2004
    known_spread = float(spread) * (1 - busy + busy * np.exp(-DECEMBER)) if whole else None
    return Way(key, form, day, float(np.log(level)), float(doubt), known_spread, top if finished else None, shape, busy)


def _is_learned_at_once(share: Numbers) -> bool:
    """Whether most landed on one late day: then the account was first read on it, and nobody knows when they did."""
    steps = np.diff(share, prepend=0.0)
    place = int(np.argmax(steps))
    return place > AT_ONCE_AFTER and bool(steps[place] > AT_ONCE * share[-1])


def expect(past: Past, form: str) -> Prospect:
    """What the past says of the next campaign of this form."""
    own = tuple(one for one in past.ways if one.form == form)
    others = tuple(one for one in past.ways if one.form != form)
    prior = _prior(form, others)
    levels, since, slower = _levels(own, prior)
    center = float((levels * LEVELS).sum())
    spread, spread_apart, tie = _spread(own, others, center)
    top, top_apart = _pooled_top([*past.tops.values()])
    december, december_apart = _december(past.ways)
    slowest = max((one.level for one in past.ways), default=float(np.log(7)))
    return Prospect(
        levels, spread, spread_apart, tie, center, _logit(top), top_apart, _shape(own or others),
        december, december_apart, len(own), len(others), since, slower, float(np.exp(slowest)),
    )  # fmt: skip


def _normal(at: Numbers, center: float | Numbers, apart: float | Numbers) -> Numbers:
    """The normal distribution up to a factor: these are only weighed against each other."""
    return np.asarray(np.exp(-0.5 * ((at - center) / apart) ** 2) / apart)


def _prior(form: str, others: Sequence[Way]) -> Numbers:
    """How likely each level is before any campaign of this form was seen."""
    marketing = MARKETING.get(form.partition(" ")[0].casefold(), MARKETING_USUALLY)
    slow, fast = (_normal(LEVELS, center, apart) for center, apart in CLASSES)
    standard = marketing * slow + (1 - marketing) * fast
    if not others:
        return np.asarray(standard / standard.sum())
    forms = {one.form: [w.level for w in others if w.form == one.form] for one in others}
    centers = [float(np.median(levels)) for levels in forms.values()]
    near = sum(_normal(LEVELS, center, 0.3) for center in centers) / len(centers)
    found = 0.2 * near + 0.2 * _normal(LEVELS, float(np.mean(centers)), 0.45) + 0.6 * standard
    return np.asarray(found / found.sum())


def _levels(own: Sequence[Way], prior: Numbers) -> tuple[Numbers, date | None, float]:
    """The chance of each level for the next campaign; since when, and by how much, mail is slower or faster."""
    grid = LEVELS[None, :]
    if own:
        apart = APART[:, None]
        heights = []
        for one in own:
            doubt = np.sqrt(one.doubt**2 + (0.1 * one.december) ** 2)
            plain = _normal(one.level * np.ones_like(grid), grid, np.sqrt(apart**2 + doubt**2))
            odd = _normal(one.level * np.ones_like(grid), grid, np.sqrt(ODD_BY**2 + doubt**2))
            heights.append(np.log((1 - ODD) * plain + ODD * odd + 1e-12))
        seen = np.array(heights)
    else:
        seen = np.zeros((0, len(APART), len(LEVELS)))
    before = np.concatenate([np.zeros((1, *seen.shape[1:])), np.cumsum(seen, axis=0)])
    after = before[-1][None] - before
    step = _spread_out(CHANGE_BY)
    height = before.max(axis=2, keepdims=True)
    moved = (np.exp(before - height) * prior) @ step
    # Without a change: the prior; with one before campaign n (n = 1 …): where the old normal leads to.
    weights = np.log(np.maximum(moved, 1e-300)) + height + after
    weights[0] = np.log(np.maximum(prior, 1e-300)) + after[0]
    chance = np.full(len(weights), np.log(CHANGE))
    chance[0] = 0.0
    weights = weights + chance[:, None, None] + np.log(APART_WEIGHTS)[None, :, None]
    post = np.exp(weights - weights.max())
    post /= post.sum()
    result = np.zeros(len(LEVELS))
    by_apart = post.sum(axis=0)
    for weight, apart in zip(by_apart, APART.tolist(), strict=True):
        result += weight @ _spread_out(apart)
    odd = by_apart.sum(axis=0) @ _spread_out(ODD_BY)
    result = (1 - ODD) * result + ODD * odd
    changes = post[:-1].sum(axis=(1, 2)) if len(own) else np.ones(1)
    place = int(np.argmax(changes))
    if place and changes[place] > 0.3 and changes[0] < 0.35:  # noqa: PLR2004 - likely, and none is unlikely
        old = float(np.median([one.level for one in own[:place]]))
        new = float((post[place].sum(axis=0) / post[place].sum()) @ LEVELS)
        return result / result.sum(), own[place].handed_on, new - old
    return result / result.sum(), None, 0.0


@lru_cache(maxsize=16)
def _spread_out(apart: float) -> Numbers:
    table = _normal(LEVELS[None, :], LEVELS[:, None], apart)
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def _spread(own: Sequence[Way], others: Sequence[Way], center: float) -> tuple[float, float, float]:
    """The spread of the next campaign as a logarithm, how far it may be off, and how it goes with the level."""
    ratios = [np.log(one.spread) - one.level for one in others if one.spread is not None]
    guess = center + (float(np.median(ratios)) if ratios else float(np.log(RATIO)))
    known = np.array([np.log(one.spread) for one in own if one.spread is not None])
    if not len(known):
        return guess, 0.3, 1.0
    near = np.exp(-0.5 * np.minimum(((known - np.median(known)) / 0.4) ** 2, 8))
    mean = (guess + (near * known).sum()) / (1 + near.sum())
    apart = (3 * SPREAD_APART**2 + (near * (known - mean) ** 2).sum()) / (3 + near.sum())
    return float(mean), float(np.sqrt(apart * (1 + 1 / (1 + near.sum())))), float(1 / (1 + near.sum()))


def _shape(ways: Sequence[Way]) -> Numbers:
    shapes = [one.shape for one in ways if one.shape is not None]
    found = (USUAL + np.sum(shapes, axis=0)) / (1 + len(shapes)) if shapes else USUAL
    return np.maximum.accumulate(found + 1e-6 * np.arange(len(PARTS)))


def _december(ways: Sequence[Way]) -> tuple[float, float]:
    """By how much December takes longer, as the account's own Decembers say."""
    weight, total = 1 / DECEMBER_APART**2, DECEMBER / DECEMBER_APART**2
    for one in ways:
        if one.december > 0.3:  # noqa: PLR2004 - a good part of its way
            plain = [w.level for w in ways if w.form == one.form and w.december == 0]
            if plain:
                seen = DECEMBER + (one.level - float(np.median(plain))) / one.december
                doubt = 1 / ((0.15**2 + one.doubt**2) / one.december**2)
                weight, total = weight + doubt, total + doubt * seen
    return total / weight, float(np.sqrt(1 / weight))


def _logit(share: float) -> float:
    inside = min(max(share, 0.005), 0.999)
    return float(np.log(inside / (1 - inside)))


def _share(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))
