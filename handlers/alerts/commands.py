"""`/mailalerts`: what a channel is told, by form or by words."""

from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from handlers.alerts import risks
from handlers.alerts import view as alerts_view
from handlers.alerts.holding import holding
from handlers.alerts.state import State
from handlers.context import kept, matching, replies
from handlers.context.asker import today_of, zone_of
from handlers.context.audit import record_audit
from handlers.context.services import Request, Services
from handlers.errors import Refusal
from handlers.text import days_ahead, formatting, parsing, short_answers
from handlers.text.days_ahead import Deadline
from handlers.text.messages import Message, escape
from handlers.text.parsing import AlertsAsk
from storage import channel_settings, outbox, workspaces
from storage.audit import Act
from storage.queries import mail as queries
from storage.records import NO_CAMPAIGN, CampaignId, ChannelSettings, ChannelSubscription, NotifyOn


async def mail_alerts(services: Services, request: Request) -> None:
    """`/mailalerts`: what this channel is told. Bare opens the settings; words do the same by typing."""
    asked = parsing.clean(request.text)
    if parsing.wants_help(asked):
        await replies.to_asker(services, request, short_answers.help_alerts())
        return
    if (deadline := days_ahead.deadline(asked)) is not None:
        await _set_deadline(services, request, deadline)
        return
    asked_for = parsing.parse_alerts(asked)
    if asked_for.verb == "":
        await open_alert_settings(services, request)
    elif asked_for.verb == "list":
        await replies.to_asker(services, request, await _listing(services, request))
    elif asked_for.verb == "on":
        await _switch_on(services, request, asked_for.target)
    elif asked_for.verb == "off":
        await _switch_off(services, request, asked_for.target)
    else:
        await _mute(services, request, asked_for)


async def _listing(services: Services, request: Request) -> Message:
    current = await services.memory.read(workspaces.subscriptions_of, request.workspace.id, request.channel)
    return alerts_view.listing(request.channel, current)


async def open_alert_settings(services: Services, request: Request) -> None:
    """Shows the settings of the channel that was asked in."""
    current = await services.memory.read(workspaces.subscriptions_of, request.workspace.id, request.channel)
    known = await services.memory.read(queries.latest_campaigns, request.workspace.id, alerts_view.OFFERED)
    chosen = await services.memory.read(channel_settings.of, request.workspace.id, request.channel)
    await services.slack.open_view(
        request.trigger_id, alerts_view.settings_form(request.channel, current, known, chosen)
    )


async def _named_campaign(services: Services, request: Request, target: str) -> tuple[CampaignId, str]:
    """The campaign of this name and its name; raises Refusal naming the nearest."""
    if not target or target.casefold() in ("all", alerts_view.EVERY):
        return NO_CAMPAIGN, alerts_view.EVERY
    found = await services.memory.read(matching.match, request.workspace.id, target)
    if len(found.found) == 1 and found.sure:
        return found.found[0].id, found.found[0].facts.name
    names = [one.facts.name for one in found.found[:3]] or found.near
    raise Refusal(short_answers.no_campaign(target, names))


async def _switch_on(services: Services, request: Request, target: str) -> None:
    campaign_id, what = await _named_campaign(services, request, target)
    await subscribe(services, request, campaign_id, what, frozenset(alerts_view.DEFAULT_WANTS))


async def subscribe(
    services: Services,
    request: Request,
    campaign_id: CampaignId,
    what: str,
    notify_on: frozenset[NotifyOn],
    chosen: ChannelSettings | None = None,
    *,
    alone: bool = False,
) -> None:
    """Tells the channel from now on, and says so there. A channel that cannot be posted to is not subscribed.

    `chosen`: when; None leaves that as it is, or as it usually is. `alone`: it is told of nothing else any more.
    """
    if kept.was_done(request.kept):
        return
    zone = str(await zone_of(services, request))
    before = await services.memory.read(workspaces.subscriptions_of, request.workspace.id, request.channel)
    if chosen is None and not before:
        chosen = ChannelSettings(zone, alerts_view.DEFAULT_DIGEST, None, alerts_view.DEFAULT_ALARM)
    message = alerts_view.confirmed(what, notify_on, request.user)
    await services.slack.post(request.channel, message)
    now, key = services.clock.now(), request.workspace.id

    def work(connection: Connection) -> None:
        workspaces.subscribe(connection, key, request.channel, campaign_id, notify_on, request.user, now)
        if alone:
            _drop_others(connection, request, campaign_id)
        if chosen is not None:
            channel_settings.keep(connection, key, request.channel, replace(chosen, zone=zone))

    await record_audit(services, request, Act.SUBSCRIBED, what, f"channel {request.channel}", work=work)


def _drop_others(connection: Connection, request: Request, but: CampaignId) -> None:
    for one in workspaces.subscriptions_of(connection, request.workspace.id, request.channel):
        if one.campaign_id != but:
            workspaces.unsubscribe(connection, request.workspace.id, one.channel, one.campaign_id)


async def _switch_off(services: Services, request: Request, target: str) -> None:
    campaign_id, what = await _named_campaign(services, request, target)

    def work(connection: Connection) -> bool:
        return bool(
            workspaces.unsubscribe(connection, request.workspace.id, request.channel, campaign_id if target else None)
        )

    where = f"channel {request.channel}"
    ended = await record_audit(services, request, Act.UNSUBSCRIBED, what, where, work=work)
    named = alerts_view.named(what)
    said = f"This channel is no longer told of {named}." if ended else f"This channel was not told of {named}."
    await replies.to_asker(services, request, short_answers.plain(f"{said} `/mailalerts on` changes that."))


async def _mute(services: Services, request: Request, asked_for: AlertsAsk) -> None:
    current = await services.memory.read(workspaces.subscriptions_of, request.workspace.id, request.channel)
    if not current:
        await replies.to_asker(services, request, alerts_view.listing(request.channel, current))
        return
    until = services.clock.now() + asked_for.mute if asked_for.mute else None
    mute = partial(outbox.mute, workspace_id=request.workspace.id, channel=request.channel, until=until)
    await record_audit(services, request, Act.MUTED if until else Act.UNMUTED, f"channel {request.channel}", work=mute)
    said = (
        f"Muted until {formatting.stamp(until)}. What happens meanwhile is told then." if until else "No longer muted."
    )
    await replies.to_asker(services, request, short_answers.plain(said))


async def _set_deadline(services: Services, request: Request, asked: Deadline) -> None:
    """Keeps the day by which a campaign is to be in homes, for a channel that is told of it. Raises Refusal."""
    campaign_id, name = await _named_campaign(services, request, asked.what.removeprefix("on "))
    if campaign_id == NO_CAMPAIGN:
        raise Refusal("Name the campaign: `/mailalerts Spring in home by Dec 12`.")
    today = await today_of(services, request)
    day = None if asked.day.casefold() == "off" else days_ahead.read(asked.day, today)
    if day is not None and day <= today:
        raise Refusal(f"{formatting.day(day)} is not ahead of us. Choose a later day.")
    below = asked.below or risks.BELOW
    await _require_told(services, request, campaign_id, name)
    async with holding(services, request.workspace.id, request.channel) as held:
        if held is None:
            raise Refusal("This channel is being written to. Try again in a moment.")
        current = await _require_told(services, request, campaign_id, name)
        state = State.read(current.state).with_deadline(campaign_id, day, below, first=not current.state)
        keep = partial(channel_settings.told, held=held, state=state.written())
        where = f"channel {request.channel}, in homes by {day or 'no day'}"
        await record_audit(services, request, Act.RULES, name, where, work=keep)
    if day is None:
        said = f"No day is set for *{escape(name)}* any more."
    else:
        said = (
            f"*{escape(name)}* is to be in homes by {formatting.day(day)}. This channel is told once, when the chance "
            f"of that falls below {below} %. `/mailalerts {escape(name)} in home by off` ends it."
        )
    await replies.to_channel(services, request, short_answers.plain(said))


async def _require_told(
    services: Services, request: Request, campaign_id: CampaignId, name: str
) -> ChannelSubscription:
    """What the channel is told of; raises Refusal where this campaign is not among it."""
    now = services.clock.now()
    found = await services.memory.read(channel_settings.listeners, request.workspace.id, now, request.channel)
    if not found or found[0].hears_of(campaign_id) is None:
        raise Refusal(f"This channel is not told of {name}. `/mailalerts on` changes that.")
    return found[0]
