"""How far the balance reaches."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.status import runway
from storage.records import (
    BOOKED_STAGES,
    CampaignId,
    CampaignStage,
    KnownCampaign,
    Mix,
    Money,
    StoredCampaign,
)
from storage.statuses import Status
from tests.strategies import GENTLE


@GENTLE
@given(
    st.lists(st.tuples(st.integers(0, 40), st.decimals(1, 500, places=2), st.booleans()), max_size=8),
    st.decimals(0, 1000, places=2),
)
def test_the_balance_covers_booked_drops_in_their_order(
    drops: list[tuple[int, Decimal, bool]], balance: Decimal
) -> None:
    today = date(2026, 11, 2)
    booked = [
        StoredCampaign(
            CampaignId(n + 1),
            KnownCampaign(str(n), f"Drop {n}", CampaignStage.BOOKED, send_on=today + timedelta(days=days), cost=cost),
        )
        for n, (days, cost, _) in enumerate(drops)
    ]
    mixes = {one.id: Mix({Status.RECEIVED: 5}) for one, (_, _, paid) in zip(booked, drops, strict=True) if paid}
    found = runway.runway_of(booked, mixes, Money(balance), today)
    open_ = sorted((days, cost) for days, cost, paid in drops if not paid)
    if found is None:
        assert not open_
        return
    costs = [cost for _, cost in open_]
    assert sum(costs[: found.covered]) <= balance
    if found.short:
        assert sum(costs[: found.covered + 1]) == balance + found.short
    else:
        assert found.covered == len(costs)
    assert "$" in runway.runway_text(found)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (runway.Runway(Money(Decimal(100)), 1), "$100.00 covers the next 1 booked drop."),
        (runway.Runway(Money(Decimal(100)), 3), "$100.00 covers the next 3 booked drops."),
        (
            runway.Runway(Money(Decimal(100)), 2, Decimal(5), date(2026, 11, 9), "A & B"),
            "$100.00 covers the next 2 booked drops, but is short $5.00 for *A &amp; B* on Nov 9, 2026.",
        ),
        (
            runway.Runway(Money(Decimal(1), "GBP"), 0, Decimal(5), date(2026, 11, 9), "A"),
            "£1.00 is short £5.00 for *A* on Nov 9, 2026.",
        ),
    ],
)
def test_how_far_it_reaches_is_a_sentence(found: runway.Runway, said: str) -> None:
    assert said in runway.runway_text(found)


TODAY = date(2026, 11, 2)


def drop(send_on: date | None, cost: str | None = "10", stage: CampaignStage = CampaignStage.BOOKED) -> StoredCampaign:
    facts = KnownCampaign("1", "Drop", stage, send_on=send_on, cost=None if cost is None else Decimal(cost))
    return StoredCampaign(CampaignId(1), facts)


@pytest.mark.parametrize(
    ("one", "counted"),
    [
        (drop(TODAY), True),
        (drop(TODAY - timedelta(days=1)), False),
        (drop(None), False),
        (drop(TODAY, None), False),
        (drop(TODAY, "0"), False),
        *((drop(TODAY, stage=one), one in BOOKED_STAGES) for one in CampaignStage),
    ],
)
def test_a_drop_counts_that_is_booked_and_still_to_come(one: StoredCampaign, counted: bool) -> None:
    assert (runway.runway_of([one], {}, Money(Decimal(100)), TODAY) is not None) == counted
    assert runway.runway_of([one], {}, None, TODAY) is None
    assert (runway.runway_of([one], {one.id: Mix()}, Money(Decimal(100)), TODAY) is not None) == counted
