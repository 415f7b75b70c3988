"""How far the balance reaches: which booked drops it covers, and which it does not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from handlers.text import formatting
from handlers.text.messages import escape
from storage.records import BOOKED_STAGES, CampaignId, Mix, Money, StoredCampaign


@dataclass(frozen=True)
class Runway:
    """How far the balance reaches: so many booked drops are covered; the next one lacks `short`."""

    balance: Money
    covered: int
    short: Decimal = Decimal(0)
    on: date | None = None
    name: str = ""


def runway_of(
    campaigns: Sequence[StoredCampaign], mixes: Mapping[CampaignId, Mix], balance: Money | None, today: date
) -> Runway | None:
    """Whether the balance covers the booked drops to come, in their order; None where there is nothing to cover.

    A drop whose pieces exist already has been paid.
    """
    drops = sorted(
        (one.facts.send_on, one.facts.cost, one.facts.name)
        for one in campaigns
        if one.facts.stage in BOOKED_STAGES and one.facts.send_on and one.facts.send_on >= today and one.facts.cost
        and not (one.id in mixes and mixes[one.id].total)
    )  # fmt: skip
    if balance is None or not drops:
        return None
    left, covered = balance.amount, 0
    for send_on, cost, name in drops:
        if cost > left:
            return Runway(balance, covered, cost - left, send_on, name)
        left, covered = left - cost, covered + 1
    return Runway(balance, covered)


def runway_text(runway: Runway) -> str:
    """How far the balance reaches, in a sentence."""
    drops = f"the next {runway.covered} booked drop{'s' if runway.covered != 1 else ''}" if runway.covered else ""
    balance = formatting.money(runway.balance)
    if not runway.short or runway.on is None:
        return f"{balance} covers {drops or 'everything booked'}."
    short = formatting.money(Money(runway.short, runway.balance.currency))
    covered = f"covers {drops}, but is" if drops else "is"
    drop = f"*{escape(runway.name)}* on {formatting.day(runway.on)}"
    return f"{balance} {covered} short {short} for {drop}. Top up before then."
