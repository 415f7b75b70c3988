"""What a channel reads at its own hour: what landed, came back and was spent since the last time. Once, or not at all.

Every number comes from tallies: what they are now, less what they were at the last digest.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

import structlog
from sqlalchemy import Connection

from handlers.alerts import digest_view, risks
from handlers.alerts.digest_view import Alarm, Morning
from handlers.alerts.holding import Overtaken, holding, record
from handlers.alerts.state import State, zone_of
from handlers.charts.values import Curve, Pie
from handlers.context import replies
from handlers.context.services import Services
from handlers.errors import LASTING, Outage, Refusal
from handlers.forecast import model
from handlers.forecast import queries as forecast_queries
from handlers.ingest import counting
from handlers.status import view as status_view
from handlers.status.runway import runway_of
from handlers.status.view import CampaignLine
from handlers.text import formatting
from handlers.text.messages import Message, Picture
from storage import channel_settings, outbox, privacy, workspaces
from storage.outbox import Hold
from storage.queries import mail as queries
from storage.queries.current import current_campaigns
from storage.records import (
    NO_CAMPAIGN,
    CampaignId,
    ChannelSettings,
    ChannelSubscription,
    Mix,
    Money,
    NotifyOn,
    StoredCampaign,
    WorkspaceId,
)
from storage.statuses import MAILED, UNDER_WAY, Status

log = structlog.get_logger()

MONDAY: Final = 0
#: When the weekly report comes where no morning digest is wanted, by the channel's clock.
WEEKLY_HOUR: Final = 9
#: What a digest counts, under the names by which it is kept.
COUNTED: Final = {
    "delivered": (Status.DELIVERED,),
    "returned": (Status.RETURNED,),
    "cancelled": (Status.CANCELLED,),
    "mailed": tuple(MAILED),
}


@dataclass(frozen=True)
class AccountState:
    """Everything that digests are made of, read once for all channels."""

    campaigns: dict[CampaignId, StoredCampaign]
    mixes: dict[CampaignId, Mix]
    mail: forecast_queries.Account
    currency: str
    balance: Money | None


async def watch(services: Services, workspace_id: WorkspaceId) -> None:
    """Looks at the clock for every channel: its quiet hours, its alarm, and its digest."""
    now = services.clock.now()
    listeners = await services.memory.read(channel_settings.listeners, workspace_id, now)
    if not listeners:
        return
    if any(_is_morning(one, now) for one in listeners if not one.resting):
        # By older counts, what arrived since would seem to be late.
        await counting.survey(services, workspace_id)
    account = await services.memory.read(_account, workspace_id, now)
    for subscription in listeners:
        await _note_quiet_window(services, workspace_id, subscription, now)
        if is_due(subscription, account, now):
            await _serve(services, workspace_id, subscription, account, now)


def is_due(subscription: ChannelSubscription, account: AccountState, now: datetime) -> bool:
    """Whether this channel may have to be told, or looked at for the first time."""
    state = State.read(subscription.state)
    if subscription.resting:
        return _is_to_follow(subscription, state)
    watched = not is_quiet(subscription, now) and (
        _is_first(subscription, state)
        or _is_risk_due(subscription, state, now)
        or bool(alarms(subscription, account, state))
    )
    return watched or owes(subscription, now) or _is_to_follow(subscription, state)


def owes(subscription: ChannelSubscription, now: datetime) -> bool:
    """Whether the hour of its digest or of its weekly report has come, and it had neither that day."""
    due = _is_morning(subscription, now) or _is_weekly_due(subscription, State.read(subscription.state), now)
    return due and not subscription.resting


def _is_to_follow(subscription: ChannelSubscription, state: State) -> bool:
    """Whether its counts are not those of what it is told now."""
    if not state.counts:
        return state.fresh
    return bool(state.heard) and state.heard != sorted(subscription.notify_on)


def _is_first(subscription: ChannelSubscription, state: State) -> bool:
    return not subscription.state or state.unseen


def _is_risk_due(subscription: ChannelSubscription, state: State, now: datetime) -> bool:
    """Deadlines are looked at once an hour: each look foretells its campaign."""
    return bool(_deadlines(subscription, state)) and state.risk_hour != _hour(now)


def _deadlines(subscription: ChannelSubscription, state: State) -> dict[str, list[str | int]]:
    """The days of campaigns that the channel is told of now."""
    return {key: day for key, day in state.deadlines.items() if subscription.hears_of(CampaignId(int(key))) is not None}


def _hour(now: datetime) -> str:
    return f"{now:%Y-%m-%dT%H}"


def is_quiet(subscription: ChannelSubscription, now: datetime) -> bool:
    """Whether these are its quiet hours."""
    hours = quiet_hours(subscription.settings, now)
    return hours is not None and hours[0] <= now < hours[1]


def _is_past_hour(subscription: ChannelSubscription, now: datetime) -> bool:
    hour = subscription.settings.digest_hour
    return hour is not None and now.astimezone(zone_of(subscription.settings)).hour >= hour


def _is_morning(subscription: ChannelSubscription, now: datetime) -> bool:
    # Also one that was digested "tomorrow": by a clock that has been set back since.
    return (
        _is_past_hour(subscription, now)
        and subscription.digested_on != now.astimezone(zone_of(subscription.settings)).date()
    )


def _is_weekly_due(subscription: ChannelSubscription, state: State, now: datetime) -> bool:
    local = now.astimezone(zone_of(subscription.settings))
    notify_on = frozenset(want for those in subscription.notify_on.values() for want in those)
    wanted = NotifyOn.WEEKLY in notify_on and local.weekday() == MONDAY and state.week != str(local.date())
    hour = subscription.settings.digest_hour
    return wanted and local.hour >= (WEEKLY_HOUR if hour is None else hour)


async def _serve(
    services: Services,
    workspace_id: WorkspaceId,
    subscription: ChannelSubscription,
    account: AccountState,
    now: datetime,
) -> None:
    """Looks at a channel while nobody else writes to it. What was told meanwhile by another process is told once."""
    async with holding(services, workspace_id, subscription.channel) as held:
        if held is None:
            log.info("digest.later", channel=subscription.channel, reason="busy")
            return
        again = await services.memory.read(channel_settings.listeners, workspace_id, now, subscription.channel)
        if again and is_due(again[0], account, now):
            await _look_at(services, held, again[0], account, now)


def _account(connection: Connection, workspace_id: WorkspaceId, now: datetime) -> AccountState:
    workspace = workspaces.by_id(connection, workspace_id)
    return AccountState(
        {one.id: one for one in queries.campaigns_of(connection, workspace_id)},
        queries.mixes(connection, workspace_id),
        forecast_queries.account(connection, workspace_id, now.date()),
        workspace.currency,
        workspace.balance,
    )


async def _note_quiet_window(
    services: Services, workspace_id: WorkspaceId, subscription: ChannelSubscription, now: datetime
) -> None:
    hours = quiet_hours(subscription.settings, now)
    if hours is not None and hours != subscription.quiet_window:
        await services.memory.write(channel_settings.note_quiet_window, workspace_id, subscription.channel, *hours)


def quiet_hours(chosen: ChannelSettings, now: datetime) -> tuple[datetime, datetime] | None:
    """The quiet hours that last at this moment, or come next."""
    if chosen.quiet is None:
        return None
    zone, (first, last) = zone_of(chosen), chosen.quiet
    today = now.astimezone(zone).date()
    for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
        begin = datetime.combine(day, time(first), zone)
        end = datetime.combine(day + timedelta(days=last <= first), time(last), zone)
        if end > now:
            return begin.astimezone(now.tzinfo), end.astimezone(now.tzinfo)
    return None


async def _look_at(
    services: Services, held: Hold, subscription: ChannelSubscription, account: AccountState, now: datetime
) -> None:
    local = now.astimezone(zone_of(subscription.settings))
    state = await _follow(services, held, subscription, account, State.read(subscription.state))
    if subscription.resting:
        return
    if not is_quiet(subscription, now):
        state = await _raise_alarms(services, held, subscription, account, state)
        state = await _tell_risks(services, held, subscription, account, state, now)
    elif _is_first(subscription, state):
        # What is written below is no look at its alarms: that comes when the quiet hours are over.
        state = replace(state, unseen=True)
    if _is_morning(subscription, now):
        state = await _tell_morning(services, held, subscription, account, state, local)
    if _is_weekly_due(subscription, state, now):
        await _tell_week(services, held, subscription, account, replace(state, week=str(local.date())))


async def _follow(
    services: Services, held: Hold, subscription: ChannelSubscription, account: AccountState, state: State
) -> State:
    """What is told since a moment ago is counted from now on, and what was told until then up to now: else the history
    of a campaign would be news of the next digest, or hide what moved."""
    if not _is_to_follow(subscription, state):
        return state
    before = {CampaignId(one) for one in state.heard}
    added, ended = _mix_of(account, subscription.notify_on), _mix_of(account, before)
    more, less = _counts(added), _counts(ended)
    counts = {name: state.counts.get(name, 0) + number - less[name] for name, number in more.items()}
    spent = Decimal(state.spent or 0) + added.spent - ended.spent
    # Of what had crossed before a campaign was told, nothing is news, either. What was told already is looked at in its
    # turn: in quiet hours, or while the channel rests, it may cross.
    crossed = [one.campaign.id for one in alarms(subscription, account, state)]
    alarmed = [*state.alarmed, *(one for one in crossed if not before & {NO_CAMPAIGN, one})]
    heard = [int(one) for one in sorted(subscription.notify_on)]
    state = replace(state, counts=counts, spent=str(spent), heard=heard, alarmed=alarmed)
    await record(services, channel_settings.told, held, state.written())
    return state


def _mix_of(account: AccountState, told: Collection[CampaignId]) -> Mix:
    """All mail of these campaigns (0: of all)."""
    heard = [key for key in account.campaigns if key in account.mixes and (NO_CAMPAIGN in told or key in told)]
    return queries.merge([account.mixes[key] for key in heard])


def _counts(mix: Mix) -> dict[str, int]:
    return {name: mix.of(*those) for name, those in COUNTED.items()}


async def _raise_alarms(
    services: Services, held: Hold, subscription: ChannelSubscription, account: AccountState, state: State
) -> State:
    """Tells of all that crossed since the last look in one message; of what had crossed before the first, nothing."""
    raised, first_look = alarms(subscription, account, state), _is_first(subscription, state)
    if not raised and not first_look:
        return state
    named = [one.campaign.id for one in raised[: digest_view.LISTED]]
    if raised and not first_look and await _post(services, held, digest_view.alarm(raised), None, named) is None:
        return state
    state = replace(state, alarmed=[*state.alarmed, *(int(one.campaign.id) for one in raised)], unseen=False)
    await record(services, channel_settings.told, held, state.written())
    return state


async def _tell_risks(
    services: Services,
    held: Hold,
    subscription: ChannelSubscription,
    account: AccountState,
    state: State,
    now: datetime,
) -> State:
    """Tells once of each campaign that may not be in homes by the day that was set."""
    if not _is_risk_due(subscription, state, now):
        return state
    due = _deadlines(subscription, state)
    known = account.campaigns, account.mixes
    found = await services.memory.read(lambda _: risks.found(due, state.at_risk, *known, account.mail))
    named = [one.campaign.id for one in found[: risks.LISTED]]
    if found and await _post(services, held, risks.message(found, services.platform.name), None, named) is None:
        return state
    told = [*state.at_risk, *(int(one.campaign.id) for one in found)]
    state = replace(state, at_risk=told, risk_hour=_hour(now))
    await record(services, channel_settings.told, held, state.written())
    return state


def alarms(subscription: ChannelSubscription, account: AccountState, state: State) -> list[Alarm]:
    """Campaigns whose returns crossed what the channel chose, each once."""
    limit = subscription.settings.alarm_percent
    if limit is None:
        return []
    found = []
    everything = queries.merge([mix for key, mix in account.mixes.items() if key != NO_CAMPAIGN])
    for campaign in _heard(subscription, account):
        mix = account.mixes[campaign.id]
        mailed, back = mix.of(*MAILED), mix.of(Status.RETURNED)
        if (
            mailed >= forecast_queries.ENOUGH_MAILED
            and back * 100 > mailed * limit
            and campaign.id not in state.alarmed
        ):
            usual = forecast_queries.share_returned(_without(everything, mix))
            found.append(Alarm(campaign, mix, limit, usual))
    return found


def _without(everything: Mix, one: Mix) -> Mix:
    return Mix({status: everything.of(status) - one.of(status) for status in Status})


def _heard(subscription: ChannelSubscription, account: AccountState) -> list[StoredCampaign]:
    return [
        campaign
        for key, campaign in account.campaigns.items()
        if key in account.mixes and subscription.hears_of(key) is not None
    ]


async def _tell_morning(
    services: Services, held: Hold, subscription: ChannelSubscription, account: AccountState, state: State,
    local: datetime,
) -> State:  # fmt: skip
    # Off the loop: it foretells each campaign.
    morning, after = await services.memory.read(lambda _: morning_of(subscription, account, state, local.date()))
    # Of what was there before the first digest nothing is news.
    if state.counts and morning.is_news and await _post(services, held, digest_view.morning(morning)) is None:
        return state
    await record(services, channel_settings.told, held, after.written(), on=local.date())
    return after


def morning_of(
    subscription: ChannelSubscription, account: AccountState, state: State, today: date
) -> tuple[Morning, State]:
    """What changed since the last digest, and what to remember of it."""
    heard, first = _heard(subscription, account), state.fresh or not state.counts
    mix = _mix_of(account, subscription.notify_on)
    counts = _counts(mix)
    # By the channel's day: in the evening it may be another one than in UTC.
    mail = account.mail if account.mail.today == today else replace(account.mail, today=today)
    due, silent = 0.0, dict[str, int]()
    for campaign in heard:
        told = mail.of(campaign.id) if account.mixes[campaign.id].of(*UNDER_WAY) else None
        # A few of each campaign never get a final scan: of those long over they would add up for ever.
        if told and told.is_recent:
            silent[str(campaign.id)] = told.silent
            due += told.due_today
    since = {name: number - state.counts.get(name, 0) for name, number in counts.items()}
    spent = mix.spent - Decimal(state.spent or mix.spent)
    runway = None
    if subscription.hears_of(NO_CAMPAIGN) is not None:
        runway = runway_of([*account.campaigns.values()], account.mixes, account.balance, today)
    morning = Morning(
        since=since,
        spent=Money(spent, account.currency),
        due=round(due),
        silent=sum(silent.values()) if _has_grown(silent, state) and not state.fresh else 0,
        runway=runway if runway and runway.short > 0 and not state.low and not state.fresh else None,
        fresh=state.fresh,
    )
    # At the first digest nothing of this is told yet: the second one does.
    low = bool(not first and runway and runway.short > 0)
    late = {key: max(number, state.late.get(key, 0)) for key, number in silent.items()}
    keys = [int(one) for one in sorted(subscription.notify_on)]
    after = replace(state, counts=counts, spent=str(mix.spent), silent=sum(late.values()), late=late, low=low)
    return morning, replace(after, heard=keys, fresh=False)


def _has_grown(silent: dict[str, int], state: State) -> bool:
    """Whether more pieces of a campaign are late than were ever told. By an earlier version only their sum was kept."""
    if state.silent and not state.late:
        return sum(silent.values()) > state.silent
    return any(number > state.late.get(key, 0) for key, number in silent.items())


async def _tell_week(
    services: Services, held: Hold, subscription: ChannelSubscription, account: AccountState, after: State
) -> None:
    today = date.fromisoformat(after.week)
    heard = {one.id: one for one in _heard(subscription, account)}
    moving = await services.memory.read(current_campaigns, held.workspace_id, today)
    lines = [CampaignLine(heard[key], account.mixes[key]) for key in moving if key in heard]
    if not lines:
        await record(services, channel_settings.told, held, after.written())
        return
    mix = queries.merge([line.mix for line in lines])
    message = digest_view.week(lines, mix, Money(mix.spent, account.currency), today)
    if mix.total:
        moment = formatting.moment(services.clock.now(), zone_of(subscription.settings))
        pie = Pie.of(digest_view.REPORT, moment, mix)
        message = replace(message, picture=Picture(await services.renderer.pie(pie), digest_view.alt(mix), pie.title))
    posted = await _post(services, held, message, named=[line.campaign.id for line in lines[: digest_view.LISTED]])
    if posted is None:
        return
    await record(services, channel_settings.told, held, after.written())
    if posted:
        await _tell_curve(services, held, lines, account, posted)


async def _tell_curve(
    services: Services, held: Hold, lines: Sequence[CampaignLine], account: AccountState, thread: str
) -> None:
    """The delivery curve of the campaign with most mail under way, in the report's thread."""
    under_way = [line for line in lines if line.mix.of(*UNDER_WAY)]
    if not under_way:
        return
    most = max(under_way, key=lambda line: line.mix.of(*UNDER_WAY))
    campaign = most.campaign
    told = await services.memory.read(lambda _: model.worked_out(account.mail.of(campaign.id)))
    if told:
        curve = Curve.of(campaign.facts.name, status_view.curve_headline(told), told, most.mix)
        picture = await services.renderer.curve(curve)
        message = status_view.curve_answer(campaign, told, most.mix, picture, services.platform.name)
        await _post(services, held, message, thread, [campaign.id])


async def _post(
    services: Services, held: Hold, message: Message, thread: str | None = None, named: Sequence[CampaignId] = ()
) -> str | None:
    """The message's `ts`; "" where Slack will never take it, which is only logged; None where it is tried again later.
    Guests were shown the campaigns that are `named` in it, too.

    Just before it is posted it must still be ours: we may have been paused, or a picture was long in coming.
    """
    sent = [""]

    async def send(shown: Message) -> None:
        if not await services.memory.write(outbox.renew, [held]):
            raise Overtaken
        sent[0] = await services.slack.post(held.channel, shown, thread=thread)

    try:
        await replies.show(services, message, send)
    except LASTING as refusal:
        log.info("digest.refused", channel=held.channel, reason=type(refusal).__name__, code=refusal.code)
    except (Outage, Refusal) as trouble:
        log.info("digest.later", channel=held.channel, reason=type(trouble).__name__, code=trouble.code)
        return None
    if sent[0]:
        await services.memory.write(privacy.show_campaigns, held.workspace_id, held.channel, named)
    return sent[0]
