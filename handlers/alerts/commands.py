"""`/mailalerts`: what a channel is told, by form or by words."""

from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from handlers.alerts import view as alerts_view
from handlers.context import kept, matching, replies
from handlers.context.asker import zone_of
from handlers.context.audit import record_audit
from handlers.context.services import Request, Services
from handlers.errors import Refusal
from handlers.text import formatting, parsing, short_answers
from handlers.text.messages import Message
from handlers.text.parsing import AlertsAsk
from storage import channel_settings, outbox, workspaces
from storage.audit import Act
from storage.queries import mail as queries
from storage.records import NO_CAMPAIGN, CampaignId, ChannelSettings, NotifyOn


async def mail_alerts(services: Services, request: Request) -> None:
    """`/mailalerts`: what this channel is told. Bare opens the settings; words do the same by typing."""
    asked = parsing.clean(request.text)
    if parsing.wants_help(asked):
        await replies.to_asker(services, request, short_answers.help_alerts())
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
