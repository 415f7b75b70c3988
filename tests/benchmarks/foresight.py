"""Whether what is foretold comes true: made-up mail whose truth is known, foretold from what was seen by a day.

Campaigns differ from each other (some are a day or two slower), pieces differ within them, nothing is delivered on
Sundays, some come back, and some never get a final scan.
"""

import random
from dataclasses import dataclass
from datetime import date, timedelta

from handlers.forecast import model
from storage.records import CampaignId, Transit
from storage.statuses import Status
from tests.benchmarks.harness import Result, judged

TODAY = date(2026, 11, 2)
FORM = "postcard 6x9"
SUNDAY = 6


@dataclass(frozen=True)
class Made:
    """A campaign and its truth: of how many pieces each end came after how many days."""

    number: int
    handed_on: date
    pieces: int
    ends: dict[tuple[Status, int], int]

    def seen(self, today: date) -> list[Transit]:
        """What is known of it by this day."""
        key, age = CampaignId(self.number), (today - self.handed_on).days
        known = [
            Transit(key, FORM, self.handed_on, status, days, n) for (status, days), n in self.ends.items() if days < age
        ]
        open_ = self.pieces - sum(one.pieces for one in known)
        return [*known, Transit(key, FORM, self.handed_on, None, 0, open_)]

    def landed_by(self, day: int) -> float:
        """The true share delivered by the end of this day after the hand-over."""
        return (
            sum(n for (status, days), n in self.ends.items() if status is Status.DELIVERED and days <= day)
            / self.pieces
        )


def make(dice: random.Random, number: int, handed_on: date) -> Made:
    pieces, shift, spread = dice.randrange(200, 2000), dice.gauss(0, 0.8), dice.uniform(1.2, 2.4)
    ends: dict[tuple[Status, int], int] = {}
    for _ in range(pieces):
        days = max(1, round(2.5 + shift + dice.gammavariate(2.0, spread * 0.6)))
        days += (handed_on + timedelta(days=days)).weekday() == SUNDAY
        fate = dice.random()
        if fate < 0.03:
            continue
        end = (Status.RETURNED, days + 4) if fate < 0.05 else (Status.DELIVERED, days)
        ends[end] = ends.get(end, 0) + 1
    return Made(number, handed_on, pieces, ends)


def bench_foresight(quick: bool) -> list[Result]:
    """How often a campaign's true share was inside the band that was foretold for that day."""
    results = []
    for history in (4, 8, 20):
        inside = told = late = dated = 0
        for seed in range(100 if quick else 400):
            dice = random.Random(seed)
            # The last of them are still under way: what they have not shown yet must not count against them.
            past = [make(dice, n, TODAY - timedelta(days=14 + dice.randrange(60))) for n in range(1, history + 1)]
            known = [one for campaign in past for one in campaign.seen(TODAY)]
            new = make(dice, 99, TODAY)
            expected = model.outlook(known, FORM, TODAY)
            for day in range(2, 13):
                low, high = expected.band(model.delivery_days(TODAY, TODAY + timedelta(days=day)))
                inside += low <= new.landed_by(day) <= high
                told += 1
            day = (model.later(TODAY, expected.quantile(0.8)) - TODAY).days
            late += new.landed_by(day) >= 0.8 * new.landed_by(60)
            dated += 1
        assert told == 11 * dated > 0
        share = 100 * inside / told
        name = f"80 % band from {history} campaigns: true shares inside it"
        results.append(Result(name, share, 80.0, share / 80, "75–85 %", 75 <= share <= 85, "%"))
        name = f"four fifths of what is delivered at all were there on the day foretold, {history} campaigns"
        results.append(judged(name, 100 * late / dated, 50.0, late / dated / 0.5, None, unit="%"))
    return results
