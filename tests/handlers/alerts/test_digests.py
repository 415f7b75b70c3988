"""When a channel reads its digest, what stands in it and what is left out, and alarms at the exact percent."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import settings as tried
from hypothesis import strategies as st

from handlers.alerts import actions as alert_actions
from handlers.alerts import commands, digest_view, digests
from handlers.alerts.digests import AccountState, alarms, is_due, morning_of, quiet_hours
from handlers.alerts.state import State, zone_of
from handlers.charts.values import Pie
from handlers.context.services import Services
from handlers.errors import ChannelClosed, NotInChannel, SlackDown, Trouble
from handlers.forecast import queries as forecast_queries
from handlers.ingest import counting
from handlers.status.commands import mail_status
from handlers.text.buttons import AlertsDo
from handlers.text.codec import write
from handlers.text.mixes import rows_of
from storage import channel_settings, outbox, privacy, workspaces
from storage.records import (
    NO_CAMPAIGN,
    CampaignId,
    CampaignStage,
    ChannelSettings,
    ChannelSubscription,
    KnownCampaign,
    Mix,
    Money,
    NotifyOn,
    StoredCampaign,
    Transit,
    WorkspaceId,
)
from storage.statuses import Status
from tests.handlers.conftest import ANA, GUS, OPS, Office

#: A Monday.
NOW = datetime(2026, 11, 2, 14, 0, tzinfo=UTC)
DAY = NOW.date()
EVERYTHING = {NO_CAMPAIGN: frozenset({NotifyOn.RETURNED})}
FIRST, SECOND = CampaignId(1), CampaignId(2)
DIGEST = ChannelSettings("UTC", 9, None, 5)


def account(*mixes: Mix, balance: Money | None = None, **facts: object) -> AccountState:
    """Campaigns 1, 2, … whose pieces stand so."""
    known = {
        CampaignId(n): StoredCampaign(CampaignId(n), replace(KnownCampaign(str(n), f"Drop {n}"), **facts))  # type: ignore[arg-type]
        for n in range(1, len(mixes) + 1)
    }
    mail = forecast_queries.Account([], date(2026, 11, 2))
    return AccountState(known, {CampaignId(n): mix for n, mix in enumerate(mixes, 1)}, mail, "USD", balance)


def channel(settings: ChannelSettings = DIGEST, state: State | None = None, **facts: object) -> ChannelSubscription:
    made = ChannelSubscription(
        OPS, settings, EVERYTHING, date(2026, 11, 1), (state or State(counts={"x": 1})).written()
    )
    return replace(made, **facts)  # type: ignore[arg-type]


def mailed(back: int, of: int) -> Mix:
    return Mix({Status.DELIVERED: of - back, Status.RETURNED: back})


# ---- Alarms -----------------------------------------------------------------------------------------------------


@given(st.integers(0, 400), st.integers(0, 400), st.sampled_from([2, 3, 5, 10]))
def test_an_alarm_is_raised_above_the_chosen_percent_of_enough_mail(back: int, more: int, limit: int) -> None:
    mix = mailed(back, back + more)
    found = alarms(channel(ChannelSettings("UTC", None, None, limit)), account(mix), State())
    enough = back + more >= forecast_queries.ENOUGH_MAILED
    assert bool(found) == (enough and back * 100 > (back + more) * limit)


@pytest.mark.parametrize(
    ("back", "of", "raised"),
    [
        (5, 100, False),
        (6, 100, True),
        (3, 50, True),
        (3, 49, False),
        (2, 50, False),
        (50, 1000, False),
        (51, 1000, True),
    ],
)
def test_five_percent_itself_is_no_alarm(back: int, of: int, raised: bool) -> None:
    assert bool(alarms(channel(), account(mailed(back, of)), State())) == raised


def test_an_alarm_tells_what_is_usual_of_the_other_campaigns() -> None:
    (found,) = alarms(channel(), account(mailed(10, 100), mailed(2, 100)), State())
    assert (found.campaign.id, found.mix, found.limit, found.usual) == (FIRST, mailed(10, 100), 5, "2%")
    (alone,) = alarms(channel(), account(mailed(10, 100)), State())
    assert alone.usual is None


def test_what_belongs_to_no_campaign_is_no_part_of_what_is_usual() -> None:
    state = account(mailed(10, 100), mailed(2, 100))
    state.mixes[NO_CAMPAIGN] = mailed(90, 100)
    assert alarms(channel(), state, State())[0].usual == "2%"


def test_each_campaign_alarms_once_and_only_where_it_is_heard_of() -> None:
    state = account(mailed(10, 100), mailed(10, 100))
    assert [one.campaign.id for one in alarms(channel(), state, State(alarmed=[1]))] == [SECOND]
    only = channel(notify_on={SECOND: frozenset()})
    assert [one.campaign.id for one in alarms(only, state, State())] == [SECOND]
    assert alarms(channel(ChannelSettings("UTC", 9, None, None)), state, State()) == []
    unknown = replace(state, mixes={SECOND: state.mixes[SECOND]})
    assert [one.campaign.id for one in alarms(channel(), unknown, State())] == [SECOND]


def test_pieces_that_were_not_mailed_do_not_count() -> None:
    waiting = Mix({Status.RECEIVED: 1000, Status.CANCELLED: 50, Status.DELIVERED: 94, Status.RETURNED: 6})
    (found,) = alarms(channel(), account(waiting), State())
    assert "6 of 100 mailed came back (6%)" in digest_view.alarm([found]).text


# ---- When -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hour", "digested", "due"),
    [
        (8, date(2026, 11, 1), False),
        (9, date(2026, 11, 1), True),
        (23, date(2026, 11, 1), True),
        (9, date(2026, 11, 2), False),
        (9, None, True),
        # Digested "tomorrow": by a clock that was set back since.
        (9, date(2026, 11, 3), True),
    ],
)
def test_a_digest_is_due_from_its_hour_on_once_a_day(hour: int, digested: date | None, due: bool) -> None:
    moment = NOW.replace(hour=hour)
    assert is_due(channel(digested_on=digested), account(), moment) == due


def test_the_hour_is_of_the_channels_clock() -> None:
    there = ChannelSettings("America/Chicago", 9, None, None)
    assert not is_due(channel(there), account(), NOW.replace(hour=14, minute=59))
    assert is_due(channel(there), account(), NOW.replace(hour=15))
    odd = ChannelSettings("Mars/Olympus", 9, None, None)
    assert zone_of(odd) == ZoneInfo("UTC")
    assert zone_of(ChannelSettings("../etc", 9, None, None)) == ZoneInfo("UTC")


def test_a_channel_without_a_digest_is_not_due_for_one_and_one_that_rests_for_nothing() -> None:
    assert not is_due(channel(ChannelSettings("UTC", None, None, None)), account(), NOW)
    assert not is_due(channel(resting=True, digested_on=None), account(mailed(50, 100)), NOW)
    assert not is_due(replace(channel(resting=True), state=""), account(), NOW)


def test_an_alarm_does_not_wait_for_the_hour_but_for_the_quiet_hours() -> None:
    early, state = NOW.replace(hour=7), account(mailed(10, 100))
    assert is_due(channel(), state, early)
    quiet = ChannelSettings("UTC", None, (22, 8), 5)
    assert not is_due(channel(quiet), state, early)
    assert is_due(channel(quiet), state, NOW.replace(hour=8)), "the quiet hours end at eight"
    assert not is_due(channel(quiet), state, NOW.replace(hour=22))
    assert is_due(replace(channel(), state=""), account(), early), "a channel is looked at a first time"
    assert not is_due(channel(), account(), early)


@pytest.mark.parametrize(
    ("day", "wants", "week", "due"),
    [
        (2, {NotifyOn.WEEKLY}, "", True),
        (2, {NotifyOn.WEEKLY}, "2026-10-26", True),
        (2, {NotifyOn.WEEKLY}, "2026-11-02", False),
        (3, {NotifyOn.WEEKLY}, "", False),
        (2, {NotifyOn.RETURNED}, "", False),
    ],
)
def test_the_weekly_report_comes_on_mondays_to_who_wants_it(
    day: int, wants: set[NotifyOn], week: str, due: bool
) -> None:
    today = NOW.replace(day=day)
    subscription = channel(
        ChannelSettings("UTC", 9, None, None), State(week=week), notify_on={NO_CAMPAIGN: frozenset(wants)}, digested_on=today.date()
    )  # fmt: skip
    assert is_due(subscription, account(), today) == due
    assert not is_due(subscription, account(), today.replace(hour=8))


def test_the_weekly_report_needs_no_morning_digest() -> None:
    wants = {NO_CAMPAIGN: frozenset({NotifyOn.WEEKLY})}
    subscription = channel(ChannelSettings("UTC", None, None, None), State(), notify_on=wants)
    monday = NOW.replace(day=2)
    assert not is_due(subscription, account(), monday.replace(hour=8))
    assert is_due(subscription, account(), monday.replace(hour=9))
    assert not is_due(subscription, account(), monday.replace(day=3, hour=9))


#: Clocks that are turned at two in the night, at midnight, by half an hour, not at all, and that lost a whole day.
TURNED = ("America/New_York", "America/Havana", "Asia/Beirut", "Australia/Lord_Howe", "America/Phoenix", "Pacific/Apia")


@tried(max_examples=25)
@given(
    st.sampled_from(TURNED), st.dates(date(2011, 1, 1), date(2030, 1, 1)),
    st.one_of(st.none(), st.integers(0, 23)), st.integers(25, 59),
)  # fmt: skip
@example("America/New_York", date(2026, 10, 31), 9, 31)
@example("America/New_York", date(2027, 3, 13), 2, 31)
@example("Pacific/Apia", date(2011, 12, 28), 9, 31)
def test_each_day_has_one_digest_and_each_monday_one_report_however_clocks_are_turned(
    name: str, first: date, hour: int | None, step: int
) -> None:
    zone, moment = ZoneInfo(name), datetime.combine(first, time(), UTC)
    wants = {NO_CAMPAIGN: frozenset({NotifyOn.WEEKLY})}
    subscription = channel(ChannelSettings(name, hour, None, None), State(), notify_on=wants, digested_on=None)
    digested, reported, seen = list[date](), list[date](), set[tuple[date, int]]()
    for _ in range(0, 9 * 24 * 60, step):
        local, moment = moment.astimezone(zone), moment + timedelta(minutes=step)
        seen.add((local.date(), local.hour))
        # As it is after it was served: told, and noted with its day.
        while is_due(subscription, account(), local):
            assert local.hour >= (9 if hour is None else hour)
            state = State.read(subscription.state)
            if local.weekday() == 0 and state.week != str(local.date()):
                reported.append(local.date())
                subscription = replace(subscription, state=replace(state, week=str(local.date())).written())
            else:
                digested.append(local.date())
                subscription = replace(subscription, digested_on=local.date())
    late = sorted({day for day, at in seen if at >= (9 if hour is None else hour)})
    assert digested == ([] if hour is None else late)
    assert reported == [day for day in late if day.weekday() == 0]


@given(st.integers(0, 23), st.integers(0, 23), st.integers(0, 525_000))
def test_quiet_hours_are_those_that_last_or_come_next(first: int, last: int, minute: int) -> None:
    now = NOW + timedelta(minutes=minute)
    found = quiet_hours(ChannelSettings("UTC", None, (first, last), None), now)
    assert found is not None
    begin, end = found
    assert now < end
    assert (begin.time(), end.time()) == (time(first), time(last))
    assert timedelta(0) < end - begin <= timedelta(days=1)
    assert begin - now < timedelta(days=1)
    assert quiet_hours(ChannelSettings("UTC", None, None, None), now) is None


def test_quiet_hours_over_midnight_are_those_that_began_yesterday() -> None:
    quiet = ChannelSettings("UTC", None, (22, 8), None)
    assert quiet_hours(quiet, NOW.replace(hour=7)) == (NOW.replace(day=1, hour=22), NOW.replace(hour=8))
    assert quiet_hours(quiet, NOW.replace(hour=8)) == (NOW.replace(hour=22), NOW.replace(day=3, hour=8))


# ---- What -------------------------------------------------------------------------------------------------------


def test_a_digest_tells_what_changed_since_the_last() -> None:
    before = State(counts={"delivered": 10, "returned": 1, "cancelled": 0, "mailed": 20}, spent="8.40", silent=0)
    mix = Mix(
        {Status.DELIVERED: 14, Status.RETURNED: 3, Status.IN_TRANSIT: 5, Status.CANCELLED: 1}, spent=Decimal("16.80")
    )
    told, after = morning_of(channel(), account(mix), before, date(2026, 11, 2))
    assert told.since == {"delivered": 4, "returned": 2, "cancelled": 1, "mailed": 2}
    assert told.spent == Money(Decimal("8.40"))
    assert told.is_news
    assert after.counts == {"delivered": 14, "returned": 3, "cancelled": 1, "mailed": 22}
    assert after.spent == "16.80"
    again, _ = morning_of(channel(), account(mix), after, date(2026, 11, 2))
    assert not again.is_news
    assert again.spent.amount == 0


def test_of_what_a_channel_does_not_hear_nothing_is_counted() -> None:
    only = channel(notify_on={SECOND: frozenset()})
    told, _ = morning_of(only, account(mailed(5, 10), mailed(1, 4)), State(), date(2026, 11, 2))
    assert told.since["returned"] == 1
    assert told.runway is None


def drop(cost: str) -> AccountState:
    return account(
        Mix(), balance=Money(Decimal(100)), stage=CampaignStage.BOOKED, send_on=date(2026, 11, 9), cost=Decimal(cost)
    )  # fmt: skip


def test_a_balance_that_does_not_last_is_told_once_and_again_when_it_lasted_meanwhile() -> None:
    today = date(2026, 11, 2)
    first, low = morning_of(channel(), drop("100.01"), State(counts={"delivered": 0}), today)
    assert first.runway is not None
    assert low.low
    again, still = morning_of(channel(), drop("100.01"), low, today)
    assert again.runway is None
    assert still.low
    enough, fine = morning_of(channel(), drop("100.00"), low, today)
    assert enough.runway is None
    assert not fine.low
    assert morning_of(channel(), drop("100.01"), fine, today)[0].runway is not None
    # At the very first look nothing is told, so the next one tells it.
    assert not morning_of(channel(), drop("100.01"), State(), today)[1].low


def test_what_was_told_is_read_again_whatever_another_version_added() -> None:
    state = State({"delivered": 3}, "1.20", 4, [1, 2], True, "2026-11-02")
    assert State.read(state.written()) == state
    assert State.read("") == State()
    assert State.read('{"silent": 2, "later": 1}') == State(silent=2)


# ---- At the clock -----------------------------------------------------------------------------------------------


async def subscribed(office: Office, *wants: NotifyOn, settings: ChannelSettings = DIGEST) -> None:
    long_ago = office.clock.now() - timedelta(days=8)
    office.write(workspaces.subscribe, office.workspace.id, OPS, NO_CAMPAIGN, frozenset(wants), ANA, long_ago)
    office.write(channel_settings.keep, office.workspace.id, OPS, settings)


async def look(office: Office) -> None:
    await digests.watch(office.services, office.workspace.id)


def kept(office: Office) -> ChannelSubscription:
    return office.read(channel_settings.listeners, office.workspace.id, office.clock.now())[0]


async def test_nothing_is_told_of_what_was_there_before_and_then_each_day_what_is_new(office: Office) -> None:
    await office.campaign(*[Status.DELIVERED] * 3)
    await subscribed(office)
    await look(office)
    assert office.slack.said == []
    assert kept(office).digested_on == office.clock.now().date()
    await office.campaign(*[Status.DELIVERED] * 5)
    await look(office)
    assert office.slack.said == [], "once a day"
    office.clock.pass_time(days=1)
    await look(office)
    assert [(one.way, one.place) for one in office.slack.said] == [("post", OPS)]
    assert "2 delivered" in office.slack.last.text
    office.clock.pass_time(days=1)
    await look(office)
    assert len(office.slack.said) == 1, "where nothing is new, nothing is said"
    assert kept(office).digested_on == office.clock.now().date()


def posts(office: Office) -> list[str]:
    return [one.text.replace("*", "") for one in office.slack.of("post")]


async def typed(office: Office, *texts: str) -> None:
    for text in texts:
        await commands.mail_alerts(office.services, office.request(text))


async def test_off_and_on_between_two_digests_loses_neither_what_came_before_nor_between(office: Office) -> None:
    await office.campaign(*[Status.IN_TRANSIT] * 9)
    await subscribed(office)
    await look(office)
    await office.campaign(*[Status.DELIVERED] * 2, *[Status.IN_TRANSIT] * 7)
    await typed(office, "off")
    office.clock.pass_time(hours=15)
    await office.campaign(*[Status.DELIVERED] * 3, *[Status.IN_TRANSIT] * 6)
    await typed(office, "on")
    office.clock.pass_time(hours=9)
    await look(office)
    assert "Since the last digest" in posts(office)[-1]
    assert "3 delivered" in posts(office)[-1]


async def test_on_after_some_days_tells_what_came_since_and_not_what_came_while_it_was_off(office: Office) -> None:
    await office.campaign(*[Status.IN_TRANSIT] * 9)
    await subscribed(office)
    await look(office)
    await typed(office, "off")
    office.clock.pass_time(days=4)
    await office.campaign(*[Status.DELIVERED] * 2, *[Status.IN_TRANSIT] * 7)
    # Before the hour of that day's digest.
    office.clock.pass_time(hours=-7)
    await typed(office, "on")
    await look(office)
    office.clock.pass_time(hours=1)
    await office.campaign(*[Status.DELIVERED] * 5, *[Status.IN_TRANSIT] * 4)
    office.clock.pass_time(hours=3)
    await look(office)
    assert "Since alerts were turned on" in posts(office)[-1]
    assert "3 delivered" in posts(office)[-1]
    office.clock.pass_time(days=1)
    await office.campaign(*[Status.DELIVERED] * 6, *[Status.IN_TRANSIT] * 3)
    await look(office)
    assert "Since the last digest" in posts(office)[-1]
    assert "1 delivered" in posts(office)[-1]


async def test_the_history_of_a_campaign_that_is_told_from_today_on_is_no_news(office: Office) -> None:
    spring = await office.campaign(*[Status.DELIVERED] * 5, *[Status.IN_TRANSIT] * 5)
    await office.campaign(*[Status.RETURNED] * 30, *[Status.DELIVERED] * 30, ref="223", name="Autumn")
    await subscribed(office)
    await typed(office, "off", "on Spring lapsed")
    assert list(kept(office).notify_on) == [spring.id]
    await look(office)
    await typed(office, "on all")
    office.clock.pass_time(minutes=1)
    await look(office)
    await office.campaign(*[Status.DELIVERED] * 6, *[Status.IN_TRANSIT] * 4)
    await office.campaign(*[Status.RETURNED] * 30, *[Status.DELIVERED] * 32, ref="223", name="Autumn")
    before = len(posts(office))
    office.clock.pass_time(days=1)
    await look(office)
    (told,) = posts(office)[before:]
    assert "3 delivered" in told
    assert "came back" not in told, "nor is that Autumn's returns were above the limit before"


async def test_what_is_told_no_longer_hides_nothing_that_moved(office: Office) -> None:
    await office.campaign(*[Status.IN_TRANSIT] * 9)
    await office.campaign(*[Status.DELIVERED] * 60, ref="223", name="Autumn")
    await subscribed(office)
    await look(office)
    await typed(office, "only Spring lapsed")
    await alert_actions.carry_out(office.services, office.request(), write(AlertsDo("only", CampaignId(1))))
    office.clock.pass_time(minutes=1)
    await look(office)
    await office.campaign(*[Status.DELIVERED] * 2, *[Status.IN_TRANSIT] * 7)
    office.clock.pass_time(days=1)
    await look(office)
    assert "2 delivered" in posts(office)[-1]


async def test_a_muted_channel_hears_of_what_came_on_meanwhile_from_then_on(office: Office) -> None:
    await office.campaign(*[Status.IN_TRANSIT] * 9)
    await office.campaign(*[Status.DELIVERED] * 60, *[Status.IN_TRANSIT] * 4, ref="223", name="Autumn")
    await subscribed(office)
    await typed(office, "off", "on Spring lapsed")
    await look(office)
    await typed(office, "mute 23h", "on all")
    await look(office)
    await office.campaign(*[Status.DELIVERED] * 62, *[Status.IN_TRANSIT] * 2, ref="223", name="Autumn")
    office.clock.pass_time(days=1)
    await look(office)
    assert "2 delivered" in posts(office)[-1]


@pytest.mark.parametrize("muted", [False, True])
async def test_a_campaign_that_is_added_while_the_channel_rests_costs_no_other_its_alarm(
    office: Office, muted: bool
) -> None:
    await office.campaign(*[Status.DELIVERED] * 60)
    await office.campaign(*[Status.RETURNED] * 30, *[Status.DELIVERED] * 30, ref="223", name="Autumn")
    await subscribed(office, settings=DIGEST if muted else ChannelSettings("UTC", 9, (15, 21), 5))
    await typed(office, "off", "on Spring lapsed")
    await look(office)
    if muted:
        await typed(office, "mute 6h")
    office.clock.pass_time(hours=2)
    await typed(office, "on Autumn")
    await look(office)
    await office.campaign(*[Status.RETURNED] * 12, *[Status.DELIVERED] * 48)
    await look(office)
    before = len(posts(office))
    office.clock.pass_time(hours=6)
    await look(office)
    (told,) = posts(office)[before:]
    assert "Spring lapsed" in told
    assert "Autumn" not in told, "it had crossed before it was told"


@pytest.mark.parametrize("hours", [30, 33])
async def test_yesterdays_digest_is_of_yesterday_by_the_channels_clock(office: Office, hours: int) -> None:
    await office.campaign(*[Status.IN_TRANSIT] * 9)
    await subscribed(office, settings=ChannelSettings("America/Chicago", 9, None, 5))
    office.clock.pass_time(hours=2)
    await look(office)
    await typed(office, "off")
    await office.campaign(*[Status.DELIVERED] * 4, *[Status.IN_TRANSIT] * 5)
    # At 4 and at 7 PM in Chicago; at 7 it is the day after in UTC.
    office.clock.pass_time(hours=hours)
    await typed(office, "on")
    await look(office)
    assert "4 delivered" in posts(office)[-1]


async def test_news_that_is_written_at_the_hour_of_a_digest_does_not_cost_the_channel_its_digest(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    from handlers.alerts import holding

    monkeypatch.setattr(holding, "BREATH", 0.0)
    await office.campaign(*[Status.IN_TRANSIT] * 9)
    await subscribed(office)
    await look(office)
    await office.campaign(*[Status.DELIVERED] * 2, *[Status.IN_TRANSIT] * 7)
    office.clock.pass_time(days=1)
    held = office.write(outbox.hold, office.workspace.id, OPS)
    assert held is not None
    await look(office)
    assert posts(office) == []
    assert digests.owes(kept(office), office.clock.now())
    office.write(outbox.release, held)
    await look(office)
    assert "2 delivered" in posts(office)[-1]
    assert not digests.owes(kept(office), office.clock.now())


@pytest.mark.parametrize(("trouble", "later"), [(SlackDown(), True), (NotInChannel(), False), (ChannelClosed(), False)])
async def test_what_slack_does_not_take_now_is_told_later_and_what_it_never_takes_is_not(
    office: Office, trouble: Trouble, later: bool
) -> None:
    await office.campaign(Status.DELIVERED)
    await subscribed(office)
    await look(office)
    await office.campaign(*[Status.DELIVERED] * 2)
    office.clock.pass_time(days=1)
    office.slack.fail("post", trouble)
    await look(office)
    await look(office)
    assert len(office.slack.said) == later


async def test_an_alarm_is_told_once_and_not_of_what_had_crossed_before(office: Office) -> None:
    await office.campaign(*[Status.RETURNED] * 50)
    await subscribed(office, settings=ChannelSettings("UTC", None, None, 5))
    await look(office)
    assert office.slack.said == []
    await office.campaign(*[Status.RETURNED] * 50, ref="223", name="Autumn")
    office.slack.fail("post", SlackDown())
    await look(office)
    assert office.slack.said == []
    await look(office)
    assert "Autumn" in office.slack.last.text
    assert "Spring" not in office.slack.last.text
    await look(office)
    assert len(office.slack.said) == 1


async def test_what_arrived_since_the_last_count_is_not_past_its_expected_day(office: Office) -> None:
    handed = {"dispatched_at": office.clock.now() - timedelta(days=3)}
    campaign = await office.campaign(*[Status.IN_TRANSIT] * 33, piece=handed)
    await counting.bring_up_to_date(office.services, office.workspace.id, campaign.id)
    await subscribed(office)
    await look(office)
    office.clock.pass_time(days=2)
    await office.campaign(*[Status.DELIVERED] * 30, *[Status.IN_TRANSIT] * 3, piece=handed)
    office.clock.pass_time(days=20)
    await look(office)
    assert "30 delivered" in office.slack.last.text
    assert " 3 pieces are past their expected day" in office.slack.last.text


async def test_for_a_muted_channel_the_mail_is_not_counted_every_minute(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.campaign(*[Status.DELIVERED] * 3)
    await subscribed(office)
    await look(office)
    counted = list[WorkspaceId]()

    async def count(_services: Services, workspace_id: WorkspaceId) -> None:
        counted.append(workspace_id)

    monkeypatch.setattr(counting, "survey", count)
    office.write(outbox.mute, office.workspace.id, OPS, office.clock.now() + timedelta(days=30))
    office.clock.pass_time(days=1)
    await look(office)
    assert counted == []
    office.write(outbox.mute, office.workspace.id, OPS, None)
    await look(office)
    await look(office)
    assert counted == [office.workspace.id], "once a morning"


def test_what_is_late_is_told_again_only_when_it_has_grown() -> None:
    """A count that falls and rises to where it was is no news; nor does one campaign's hide behind another's."""

    def mornings(state: State, *days: tuple[int, ...]) -> list[int]:
        told = []
        for late in days:
            known = account(*(mailed(0, 100) for _ in late))
            mixes = {key: Mix({Status.IN_TRANSIT: 100}) for key in known.mixes}
            mail = {CampaignId(n): Said(silent) for n, silent in enumerate(late, 1)}
            seen = replace(known, mixes=mixes, mail=SimpleNamespace(of=mail.__getitem__, today=DAY))  # type: ignore[arg-type]
            morning, state = morning_of(channel(), seen, state, DAY)
            told.append(morning.silent)
        return told

    assert mornings(State(), (5,), (3,), (4,), (5,), (6,)) == [5, 0, 0, 0, 6]
    assert mornings(State(), (5, 0), (0, 2), (0, 2), (0, 3)) == [5, 2, 0, 3]
    assert mornings(State(silent=4), (4,), (5,)) == [0, 5], "kept by the version before"


@pytest.mark.parametrize(("day", "some"), [(date(2026, 11, 7), True), (date(2026, 11, 8), False)])
def test_what_should_arrive_is_of_the_channels_own_day(day: date, *, some: bool) -> None:
    """A Saturday evening is Sunday in UTC already; and on a Sunday no mail is delivered."""
    handed = date(2026, 11, 4)
    rows = [Transit(CampaignId(1), "letter A4", handed, None, 0, 500)]
    state = replace(account(Mix({Status.IN_TRANSIT: 500})), mail=forecast_queries.Account(rows, date(2026, 11, 8)))
    told, _ = morning_of(channel(), state, State(counts={"x": 1}), day)
    assert (told.due > 0, told.due == 0) == (some, not some)


@dataclass(frozen=True)
class Said:
    """What the forecast says of a campaign under way."""

    silent: int
    due_today: float = 0.0
    is_recent: bool = True


def test_stragglers_of_what_is_long_over_are_no_news() -> None:
    today, key = date(2026, 11, 2), CampaignId(1)
    mixes = Mix({Status.DELIVERED: 95, Status.IN_TRANSIT: 5})
    for ago, silent in ((20, 5), (100, 0)):
        on = today - timedelta(days=ago)
        rows = [Transit(key, "letter A4", on, Status.DELIVERED, 5, 95), Transit(key, "letter A4", on, None, 0, 5)]
        state = replace(account(mixes), mail=forecast_queries.Account(rows, today))
        told, after = morning_of(channel(), state, State(counts={"x": 1}, silent=3), today)
        assert (told.silent, after.silent) == (silent, silent)


async def test_a_weekly_report_has_its_pie_and_the_curve_in_its_thread(office: Office) -> None:
    handed = {"dispatched_at": office.clock.now() - timedelta(days=5)}
    campaign = await office.campaign(*[Status.DELIVERED] * 30, *[Status.IN_TRANSIT] * 3, piece=handed)
    await counting.bring_up_to_date(office.services, office.workspace.id, campaign.id)
    await subscribed(office, NotifyOn.WEEKLY, settings=ChannelSettings("UTC", 9, None, None))
    await look(office)
    report = office.slack.of("post")[0]
    assert "image" in str(report.shown.blocks)
    assert "33" in report.text
    await look(office)
    posts = office.slack.of("post")
    assert [one.thread for one in posts[1:]] == [report.ts]
    assert "Delivery of Spring lapsed" in posts[1].text
    assert kept(office).state == replace(State.read(kept(office).state), week="2026-11-02").written()


def figures(text: str) -> list[tuple[str, str]]:
    """Each number with its share, as they stand in a text."""
    return re.findall(r"(\d[\d,]*) \(([<>]? ?\d+%)\)", text.replace("&lt;", "<").replace("&gt;", ">"))


async def test_the_weekly_report_its_picture_and_what_is_read_of_the_picture_say_the_same(office: Office) -> None:
    await office.campaign(*[Status.DELIVERED] * 61, *[Status.IN_TRANSIT] * 3, Status.RETURNED)
    await office.campaign(*[Status.IN_TRANSIT] * 7, *[Status.CANCELLED] * 2, ref="223", name="Autumn")
    await subscribed(office, NotifyOn.WEEKLY, settings=ChannelSettings("America/Chicago", 8, None, None))
    await look(office)
    report = office.slack.of("post")[0]
    (pie,) = [one for one in office.drawn if isinstance(one, Pie)]
    (image,) = [one for one in report.shown.blocks if one["type"] == "image"]
    drawn = [(f"{row.number:,}", row.share) for row in rows_of(pie.mix)]
    assert figures(image["alt_text"]) == drawn
    assert figures(report.text) == drawn
    assert figures(str(report.shown.blocks[3:])) == drawn
    headline = report.shown.blocks[1]["text"]["text"].strip("*.")
    assert headline in report.text
    assert pie.title == report.shown.blocks[0]["text"]["text"]


async def test_a_weekly_report_leaves_out_what_is_over(office: Office) -> None:
    long_ago = office.clock.now() - timedelta(days=90)
    await office.campaign(*[Status.DELIVERED] * 40, ref="223", name="Autumn", piece={"created_at": long_ago})
    await office.campaign(*[Status.DELIVERED] * 30, *[Status.IN_TRANSIT] * 3)
    await subscribed(office, NotifyOn.WEEKLY, settings=ChannelSettings("UTC", 9, None, None))
    await look(office)
    report = office.slack.of("post")[0]
    assert "33 pieces" in report.text
    assert "Autumn" not in str(report.shown.blocks)


async def test_what_a_report_names_was_shown_to_all_in_the_channel(office: Office) -> None:
    campaign = await office.campaign(*[Status.IN_TRANSIT] * 3)
    await subscribed(office, NotifyOn.WEEKLY, settings=ChannelSettings("UTC", 9, None, None))
    guest = office.request("Spring lapsed", user=GUS, guest=True)
    await mail_status(office.services, guest)
    assert "is nothing of that" in office.slack.last.text
    await look(office)
    assert "Spring lapsed" in str(office.slack.of("post")[0].shown.blocks)
    assert office.read(privacy.shown_campaigns, office.workspace.id, OPS) == [campaign.id]
    await mail_status(office.services, office.request("Spring lapsed", user=GUS, guest=True))
    assert office.slack.last.text.startswith("Spring lapsed: ")


async def test_a_report_that_slack_refuses_showed_nothing(office: Office) -> None:
    await office.campaign(*[Status.IN_TRANSIT] * 3)
    await subscribed(office, NotifyOn.WEEKLY, settings=ChannelSettings("UTC", 9, None, None))
    office.slack.fail("post", ChannelClosed())
    await look(office)
    assert office.read(privacy.shown_campaigns, office.workspace.id, OPS) == []


async def test_a_week_without_mail_is_not_told(office: Office) -> None:
    await office.campaign(*[Status.DELIVERED] * 3, piece={"created_at": office.clock.now() - timedelta(days=90)})
    await subscribed(office, NotifyOn.WEEKLY, settings=ChannelSettings("UTC", 9, None, None))
    await look(office)
    assert office.slack.said == []
    assert State.read(kept(office).state).week == "2026-11-02"


@pytest.mark.parametrize("hour", [None, 9])
async def test_a_report_in_quiet_hours_is_no_first_look_at_the_returns(office: Office, hour: int | None) -> None:
    await office.campaign(*[Status.RETURNED] * 30, *[Status.IN_TRANSIT] * 30)
    await subscribed(office, NotifyOn.WEEKLY, settings=ChannelSettings("UTC", hour, (20, 18), 5))
    await look(office)
    assert digest_view.REPORT in str(office.slack.of("post")[0].shown.blocks)
    told = len(office.slack.said)
    office.clock.pass_time(hours=5)
    await look(office)
    assert len(office.slack.said) == told, "what had come back before is no news"


async def test_a_channel_that_somebody_else_writes_to_has_its_turn_later(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    from handlers.alerts import holding

    monkeypatch.setattr(holding, "BREATH", 0.0)
    await subscribed(office)
    held = office.write(outbox.hold, office.workspace.id, OPS)
    assert held is not None
    await look(office)
    assert kept(office).digested_on is None
    office.write(outbox.release, held)
    await look(office)
    assert kept(office).digested_on is not None


async def test_quiet_hours_are_noted_as_they_come(office: Office) -> None:
    await subscribed(office, settings=ChannelSettings("UTC", 9, (22, 8), None))
    await look(office)
    begin = office.clock.now().replace(hour=22)
    assert kept(office).quiet_window == (begin, begin + timedelta(hours=10))


async def test_without_subscriptions_nothing_is_read(office: Office) -> None:
    await office.campaign(Status.DELIVERED)
    await look(office)
    assert office.slack.calls == []
