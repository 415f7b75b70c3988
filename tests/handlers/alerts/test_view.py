"""Everything that a channel is told: settings, cards, news, digests, alarms."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from handlers.alerts import digest_view
from handlers.alerts import view as alerts_view
from handlers.alerts.home_by import HomeBy
from handlers.status import runway
from handlers.status import view as status_view
from storage.records import (
    ChannelId,
    ChannelSettings,
    Mix,
    Money,
    NotifyOn,
    StoredCampaign,
    StoredPiece,
    Subscription,
)
from storage.statuses import Status
from tests.strategies import GENTLE, NOW, campaigns, fine, mixes, stored, subscribed


@given(
    campaign=campaigns,
    mix=mixes,
    pieces=st.lists(stored, min_size=1, max_size=30),
    current=st.lists(subscribed, max_size=12),
)
@GENTLE
def test_everything_about_alerts(
    campaign: StoredCampaign, mix: Mix, pieces: list[StoredPiece], current: list[Subscription]
) -> None:
    channel = ChannelId("C0OPS")
    days = [HomeBy(one.campaign_id, one.campaign_name or "x", NOW.date(), 80) for one in current]
    fine(
        alerts_view.settings_form(
            channel, current, [campaign], ChannelSettings("Europe/Paris", 9, (22, 7), 5), "America/Chicago", days
        ),
        alerts_view.nothing_on(channel, was_on=bool(current)),
    )
    if current:
        fine(
            alerts_view.listing(channel, current, ChannelSettings(), days, NOW.date()),
            alerts_view.on_again("U0ANA", current, ChannelSettings(), days, NOW.date()),
        )
    fine(alerts_view.card(campaign, mix, "Spent $1", NOW), alerts_view.card(None, mix, "Spent $1", NOW))
    fine(alerts_view.confirmed("x", frozenset(NotifyOn), "U0ANA", (), ChannelSettings()))
    for what in (Status.DELIVERED, Status.RETURNED, Status.CANCELLED):
        fine(alerts_view.news(campaign.facts.name, what, pieces, len(pieces) + 40, "Stannp"))


@GENTLE
@given(
    st.dictionaries(st.sampled_from(["delivered", "returned", "cancelled", "mailed"]), st.integers(-5, 10**7)),
    st.integers(0, 10**6),
    campaigns,
    mixes,
)
def test_digests_and_alarms(since: dict[str, int], number: int, campaign: StoredCampaign, mix: Mix) -> None:
    short = runway.Runway(Money(Decimal(10)), number % 3, Decimal(number % 7), date(2026, 12, 12), campaign.facts.name)
    told = digest_view.Morning(since, Money(Decimal(number)), number, number, short)
    fine(digest_view.morning(told))
    assert told.is_news
    assert not digest_view.Morning({}, Money(Decimal(5)), due=3).is_news
    fine(
        digest_view.week([status_view.CampaignLine(campaign, mix)] * 30, mix, Money(Decimal(number)), date(2026, 11, 2))
    )
    for usual in ("2%", None):
        raised = digest_view.Alarm(campaign, mix, 5, usual)
        fine(digest_view.alarm([raised]), digest_view.alarm([raised] * 30))
