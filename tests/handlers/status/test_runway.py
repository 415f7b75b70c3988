"""How far the balance reaches."""

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from handlers.status import runway
from storage.records import (
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
