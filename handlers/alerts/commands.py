"""`/mailalerts`: what a channel is told, by form or by words."""

from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from handlers.alerts import view as alerts_view
from handlers.context import kept, matching, replies
from handlers.context.asker import zone_of
from handlers.context.audit import write_down
from handlers.context.services import Ask, Services
from handlers.errors import Refusal
from handlers.text import formatting, parsing, short_answers
from handlers.text.messages import Message, escape, quote
from handlers.text.parsing import AlertsAsk
from storage import channel_settings, outbox, workspaces
from storage.audit import Act
from storage.queries import mail as queries
from storage.records import NO_CAMPAIGN, CampaignId, Choices, Want


async def mail_alerts(services: Services, ask: Ask) -> None:
    """`/mailalerts`: what this channel is told. Bare opens the settings; words do the same by typing."""
    asked = parsing.clean(ask.text)
    if parsing.wants_help(asked):
        await replies.to_asker(services, ask, short_answers.help_alerts())
        return
    wish = parsing.parse_alerts(asked)
    if wish.verb == "":
        await open_alert_settings(services, ask)
    elif wish.verb == "list":
        await replies.to_asker(services, ask, await _listing(services, ask))
    elif wish.verb == "on":
        await _switch_on(services, ask, wish.target)
    elif wish.verb == "off":
        await _switch_off(services, ask, wish.target)
    else:
        await _mute(services, ask, wish)


async def _listing(services: Services, ask: Ask) -> Message:
    current = await services.memory.read(workspaces.subscriptions_of, ask.workspace.id, ask.channel)
    return alerts_view.listing(ask.channel, current)


async def open_alert_settings(services: Services, ask: Ask) -> None:
    """Shows the settings of the channel that was asked in."""
    current = await services.memory.read(workspaces.subscriptions_of, ask.workspace.id, ask.channel)
    known = await services.memory.read(queries.latest_campaigns, ask.workspace.id, alerts_view.OFFERED)
    chosen = await services.memory.read(channel_settings.of, ask.workspace.id, ask.channel)
    await services.slack.open_view(ask.trigger_id, alerts_view.settings_form(ask.channel, current, known, chosen))


async def _named_campaign(services: Services, ask: Ask, target: str) -> tuple[CampaignId, str]:
    """The campaign of this name and its name in words; raises Refusal naming the nearest."""
    if not target or target.casefold() in ("all", alerts_view.EVERY):
        return NO_CAMPAIGN, alerts_view.EVERY
    found = await services.memory.read(matching.match, ask.workspace.id, target)
    if len(found.found) == 1 and found.sure:
        return found.found[0].id, f"*{escape(found.found[0].facts.name)}*"
    names = [one.facts.name for one in found.found[:3]] or found.near
    raise Refusal(short_answers.not_found(quote(target), names).text)


async def _switch_on(services: Services, ask: Ask, target: str) -> None:
    campaign_id, what = await _named_campaign(services, ask, target)
    await subscribe(services, ask, campaign_id, what, frozenset(alerts_view.DEFAULT_WANTS))


async def subscribe(
    services: Services,
    ask: Ask,
    campaign_id: CampaignId,
    what: str,
    wants: frozenset[Want],
    chosen: Choices | None = None,
    *,
    alone: bool = False,
) -> None:
    """Tells the channel from now on, and says so there. A channel that cannot be posted to is not subscribed.

    `chosen`: when; None leaves that as it is, or as it usually is. `alone`: it is told of nothing else any more.
    """
    if kept.was_done(ask.kept):
        return
    zone = str(await zone_of(services, ask))
    before = await services.memory.read(workspaces.subscriptions_of, ask.workspace.id, ask.channel)
    if chosen is None and not before:
        chosen = Choices(zone, alerts_view.DEFAULT_DIGEST, None, alerts_view.DEFAULT_ALARM)
    message = alerts_view.confirmed(what, wants, ask.user)
    await services.slack.post(ask.channel, message)
    now, key = services.clock.now(), ask.workspace.id

    def work(connection: Connection) -> None:
        workspaces.subscribe(connection, key, ask.channel, campaign_id, wants, ask.user, now)
        if alone:
            _drop_others(connection, ask, campaign_id)
        if chosen is not None:
            channel_settings.keep(connection, key, ask.channel, replace(chosen, zone=zone))

    await write_down(services, ask, Act.SUBSCRIBED, what.strip("*"), f"channel {ask.channel}", work=work)


def _drop_others(connection: Connection, ask: Ask, but: CampaignId) -> None:
    for one in workspaces.subscriptions_of(connection, ask.workspace.id, ask.channel):
        if one.campaign_id != but:
            workspaces.unsubscribe(connection, ask.workspace.id, one.channel, one.campaign_id)


async def _switch_off(services: Services, ask: Ask, target: str) -> None:
    campaign_id, what = await _named_campaign(services, ask, target)

    def work(connection: Connection) -> bool:
        return bool(workspaces.unsubscribe(connection, ask.workspace.id, ask.channel, campaign_id if target else None))

    where = f"channel {ask.channel}"
    ended = await write_down(services, ask, Act.UNSUBSCRIBED, what.strip("*"), where, work=work)
    said = f"This channel is no longer told of {what}." if ended else f"This channel was not told of {what}."
    await replies.to_asker(services, ask, short_answers.plain(f"{said} `/mailalerts on` changes that."))


async def _mute(services: Services, ask: Ask, wish: AlertsAsk) -> None:
    current = await services.memory.read(workspaces.subscriptions_of, ask.workspace.id, ask.channel)
    if not current:
        await replies.to_asker(services, ask, alerts_view.listing(ask.channel, current))
        return
    until = services.clock.now() + wish.mute if wish.mute else None
    mute = partial(outbox.mute, workspace_id=ask.workspace.id, channel=ask.channel, until=until)
    await write_down(services, ask, Act.MUTED if until else Act.UNMUTED, f"channel {ask.channel}", work=mute)
    said = (
        f"Muted until {formatting.stamp(until)}. What happens meanwhile is told then." if until else "No longer muted."
    )
    await replies.to_asker(services, ask, short_answers.plain(said))
