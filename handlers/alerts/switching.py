"""A channel's alerts are turned on and off, muted and taken back, and everybody there reads of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Connection

from handlers.alerts import home_by, offer_view
from handlers.alerts import view as alerts_view
from handlers.alerts.home_by import HomeBy
from handlers.alerts.notices import SWITCHED_OFF
from handlers.alerts.state import State
from handlers.context import kept, replies
from handlers.context.asker import today_of, zone_of
from handlers.context.audit import record_audit
from handlers.context.services import Request, Services
from handlers.errors import Refusal
from handlers.text import short_answers
from handlers.text.buttons import AlertsUndo
from handlers.text.messages import Message
from storage import channel_settings, outbox, workspaces
from storage.audit import Act
from storage.ledger import missed
from storage.queries import mail as queries
from storage.records import (
    NO_CAMPAIGN,
    CampaignId,
    ChannelId,
    ChannelSettings,
    Ended,
    NotifyOn,
    Subscription,
    WorkspaceId,
)


class TooLateToUndo(Refusal):
    """That was more than ten minutes ago. Run /mailalerts to change it."""


async def current(services: Services, request: Request) -> list[Subscription]:
    """What the channel is told of."""
    return await services.memory.read(_told, request, services.clock.now())


def _told(connection: Connection, request: Request, now: datetime) -> list[Subscription]:
    """The same; a mute that is over is none."""
    found = workspaces.subscriptions_of(connection, request.workspace.id, request.channel)
    return [one if channel_settings.is_muted(one.muted_until, now) else replace(one, muted_until=None) for one in found]


async def earlier(services: Services, request: Request) -> Ended:
    """How the channel's alerts were before they were turned off."""
    return await services.memory.read(channel_settings.ended, request.workspace.id, request.channel)


async def listing(services: Services, request: Request) -> Message:
    """Everything that is on, in words."""
    now, today = services.clock.now(), await today_of(services, request)
    shown = await services.memory.read(_standing, request, now)
    if not shown[0]:
        return alerts_view.nothing_on(request.channel, was_on=bool((await earlier(services, request)).last))
    return alerts_view.listing(request.channel, *shown, today)


def _standing(
    connection: Connection, request: Request, now: datetime
) -> tuple[list[Subscription], ChannelSettings, list[HomeBy]]:
    """What is on, when it is told, and the days that were set."""
    key, channel, on = request.workspace.id, request.channel, _told(connection, request, now)
    days = home_by.heard(days_of(connection, key, channel), on)
    return on, channel_settings.of(connection, key, channel), days


def days_of(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId) -> list[HomeBy]:
    """The days by which campaigns are to be in homes, as this channel set them."""
    state = State.read(channel_settings.state_of(connection, workspace_id, channel))
    keys = [CampaignId(int(key)) for key in state.deadlines]
    known = {key: queries.campaign(connection, workspace_id, key) for key in keys}
    return home_by.days_of(state, {key: one.facts.name for key, one in known.items() if one is not None})


async def turn_on(services: Services, request: Request) -> None:
    """ "on", and no campaign named: as it was before it was turned off; else all campaigns."""
    on, before = await current(services, request), await earlier(services, request)
    if on and on[0].blocked:
        # Whoever invited the bot again asks for what was on, and for no more.
        await _bring_back(services, request, before, {one.campaign_id: one.notify_on for one in on})
        return
    if not on:
        known = await services.memory.read(_still_there, request, before.last)
        if known:
            await _bring_back(services, request, before, {one: before.notify_on[one] for one in known})
            return
    await switch_on(services, request, NO_CAMPAIGN, alerts_view.EVERY)


def _still_there(connection: Connection, request: Request, those: Sequence[CampaignId]) -> list[CampaignId]:
    key = request.workspace.id
    return [one for one in those if one == NO_CAMPAIGN or queries.campaign(connection, key, one) is not None]


async def _bring_back(
    services: Services, request: Request, before: Ended, wants: Mapping[CampaignId, frozenset[NotifyOn]], *,
    again: bool = True,
) -> None:  # fmt: skip
    """Tells the channel of these as it was told before, and says there what is on. A channel that cannot be posted to
    is told of nothing. Not `again`: it was told so of all campaigns, and of these by that alone."""
    if kept.was_done(request.kept):
        return
    key, channel, now = request.workspace.id, request.channel, services.clock.now()
    hours = before.settings or await _usual(services, request)

    def look(connection: Connection) -> tuple[list[Subscription], list[HomeBy]]:
        found = {one: queries.campaign(connection, key, one) for one in wants if one != NO_CAMPAIGN}
        names = {NO_CAMPAIGN: ""} | {one: known.facts.name for one, known in found.items() if known}
        muted = before.muted_until if channel_settings.is_muted(before.muted_until, now) else None
        on = [Subscription(channel, one, news, names.get(one, ""), muted) for one, news in wants.items()]
        on.sort(key=lambda one: (one.campaign_id != NO_CAMPAIGN, one.campaign_name))
        return on, home_by.heard(days_of(connection, key, channel), on)

    def work(connection: Connection) -> None:
        _begin_anew(connection, key, channel)
        for one, news in wants.items():
            workspaces.subscribe(connection, key, channel, one, news, request.user, now)
        channel_settings.keep(connection, key, channel, hours)

    on, days = await services.memory.read(look)
    said = alerts_view.on_again(request.user, on, hours, days, await today_of(services, request), again=again)
    await services.slack.post(channel, said)
    subject = ", ".join(one.campaign_name or alerts_view.EVERY for one in on)
    await record_audit(services, request, Act.SUBSCRIBED, subject, f"channel {channel}", work=work)


async def switch_on(services: Services, request: Request, campaign_id: CampaignId, what: str) -> None:
    """By words or by a button. What is told already stays as it was chosen, and what ended comes back so; where only a
    card was, news comes, too."""
    on = await current(services, request)
    wants = {one.campaign_id: one.notify_on for one in on}
    before = await earlier(services, request)
    if wants.get(campaign_id, wants.get(NO_CAMPAIGN)) and not kept.was_done(request.kept):
        await _is_on_already(services, request, on, before, what)
        return
    known = before.notify_on.get(campaign_id) or before.notify_on.get(NO_CAMPAIGN)
    if known and not on:
        own = bool(before.notify_on.get(campaign_id))
        await _bring_back(services, request, before, {campaign_id: known}, again=own)
        return
    await subscribe(services, request, campaign_id, what, known or frozenset(alerts_view.DEFAULT_WANTS))


async def _is_on_already(
    services: Services, request: Request, on: Sequence[Subscription], before: Ended, what: str
) -> None:
    """Nothing to turn on; but what stands in the way is mended, or can be."""
    if on[0].blocked:
        # Whoever invited the bot again asks for all that waits for that.
        await _bring_back(services, request, before, {one.campaign_id: one.notify_on for one in on})
        return
    if on[0].muted_until is not None:
        await replies.to_asker(services, request, offer_view.on_but_muted(what, on[0].muted_until))
        return
    note = f"Alerts for {alerts_view.named(what)} are already on here."
    await replies.to_asker(services, request, alerts_view.noted(await listing(services, request), note))


async def subscribe(
    services: Services, request: Request, campaign_id: CampaignId, what: str, notify_on: frozenset[NotifyOn],
    chosen: ChannelSettings | None = None, *, dropped: Sequence[CampaignId] = (),
) -> None:  # fmt: skip
    """Tells the channel from now on, and says so there. A channel that cannot be posted to is not subscribed.

    `chosen`: when; None leaves that as it is, or as it usually is; a zone of "" keeps the channel's. `dropped`: what it
    is no longer told of.
    """
    if kept.was_done(request.kept):
        return
    before = await current(services, request)
    known = (await earlier(services, request)).settings
    if chosen is None and known is None:
        chosen = await _usual(services, request)
    if chosen is not None and not chosen.zone:
        chosen = replace(chosen, zone=await _zone(services, request))
    names = {one.campaign_id: one.campaign_name or alerts_view.EVERY for one in before}
    ended = [names[one] for one in dropped if one in names and one != campaign_id]
    hours = chosen or known
    said = alerts_view.confirmed(what, notify_on, request.user, ended, hours, changed=campaign_id in names)
    await services.slack.post(request.channel, said)
    now, key = services.clock.now(), request.workspace.id

    def work(connection: Connection) -> None:
        _begin_anew(connection, key, request.channel)
        workspaces.subscribe(connection, key, request.channel, campaign_id, notify_on, request.user, now)
        workspaces.unsubscribe(connection, key, request.channel, [one for one in dropped if one != campaign_id])
        if chosen is not None:
            channel_settings.keep(connection, key, request.channel, chosen)

    await record_audit(services, request, Act.SUBSCRIBED, what, f"channel {request.channel}", work=work)


def _begin_anew(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId) -> None:
    """A channel that was told of nothing until now does not read in its digest what happened meanwhile."""
    told = channel_settings.state_of(connection, workspace_id, channel)
    if told and not workspaces.subscriptions_of(connection, workspace_id, channel):
        channel_settings.keep_state(connection, workspace_id, channel, State.read(told).anew().written())


async def _usual(services: Services, request: Request) -> ChannelSettings:
    """For a channel that chose nothing: by the asker's clock."""
    zone = str(await zone_of(services, request))
    return ChannelSettings(zone, alerts_view.DEFAULT_DIGEST, None, alerts_view.DEFAULT_ALARM)


async def _zone(services: Services, request: Request) -> str:
    """The channel's own; of one that never chose any, the asker's."""
    known = (await earlier(services, request)).settings
    return known.zone if known else str(await zone_of(services, request))


async def switch_off(services: Services, request: Request, campaign_id: CampaignId, what: str) -> None:
    """One campaign, or (0) everything. All there read of it, and can take it back for a while."""
    on = {one.campaign_id for one in await current(services, request)}
    if NO_CAMPAIGN in on and campaign_id not in on and not kept.was_done(request.kept):
        await replies.to_asker(services, request, offer_view.covered(what, campaign_id))
        return
    await end(services, request, {campaign_id: what})


async def end(
    services: Services, request: Request, ended: Mapping[CampaignId, str], chosen: ChannelSettings | None = None
) -> None:
    """These campaigns, by their names, or (0, alone and without `chosen`) everything. All there read of it, and can
    take it back for a while: not where another process ended them, for how it was before is not known any more.

    `chosen`: of the rest, when; a zone of "" keeps the channel's.
    """
    before = await current(services, request)
    every = chosen is None and NO_CAMPAIGN in ended
    ending = [one for one in before if every or one.campaign_id in ended]
    if chosen is not None and not chosen.zone:
        chosen = replace(chosen, zone=await _zone(services, request))
    key, channel = request.workspace.id, request.channel

    def work(connection: Connection) -> bool:
        number = workspaces.unsubscribe(connection, key, channel, None if every else list(ended))
        if chosen is not None and number:
            channel_settings.keep(connection, key, channel, chosen)
        return number > 0

    subject = ", ".join(ended.values())
    if not await record_audit(services, request, Act.UNSUBSCRIBED, subject, f"channel {channel}", work=work):
        names = ", ".join(alerts_view.named(one) for one in ended.values())
        text = f"Alerts for {names} weren't on in this channel. `/mailalerts on` turns them on."
        await replies.to_asker(services, request, short_answers.plain(text))
        return
    stays = NO_CAMPAIGN not in ended and NO_CAMPAIGN in {one.campaign_id for one in before}
    left = f" All campaigns stay on, {'this one' if len(ended) == 1 else 'these'} as the others." if stays else ""
    undo = AlertsUndo("off", _seconds(services.clock.now()), offer_view.packed(ending))
    taken_back = None if kept.was_done(request.kept) else undo
    rest = len(ending) < len(before)
    said = offer_view.switched_off(request.user, list(ended.values()), taken_back, left, rest=rest)
    await replies.to_channel(services, request, said)


async def mute(services: Services, request: Request, until: datetime | None) -> None:
    """Until then, or (None) no longer. All there read of it, and can take it back for a while (see `end`)."""
    before = await current(services, request)
    if not before:
        await replies.to_asker(services, request, await listing(services, request))
        return
    was = before[0].muted_until
    if until is None and was is None and not kept.was_done(request.kept):
        message = alerts_view.noted(await listing(services, request), "Nothing is muted here.")
        await replies.to_asker(services, request, message)
        return
    work = partial(outbox.mute, workspace_id=request.workspace.id, channel=request.channel, until=until)
    await record_audit(services, request, Act.MUTED if until else Act.UNMUTED, f"channel {request.channel}", work=work)
    verb = "mute" if until else "unmute"
    undo = AlertsUndo(verb, _seconds(services.clock.now()), str(_seconds(was)) if was else "")
    taken_back = None if kept.was_done(request.kept) else undo
    await replies.to_channel(services, request, offer_view.muted(request.user, until, taken_back))


async def undo(services: Services, request: Request, change: AlertsUndo) -> None:
    """As it was before, within ten minutes. News that waited then, or came in between, is told after all."""
    at = datetime.fromtimestamp(change.at, UTC)
    age = services.clock.now() - at
    if age > offer_view.UNDO and not kept.was_done(request.kept):
        raise TooLateToUndo
    key, channel = request.workspace.id, request.channel
    if await _is_over(services, request, change):
        await replies.in_place(services, request, offer_view.undone(request.user, ""))
        return

    def work(connection: Connection) -> None:
        if change.verb == "off":
            for campaign_id, wants in offer_view.unpacked(change.before):
                # As of the moment when it was turned off: what happened since is news.
                workspaces.subscribe(connection, key, channel, campaign_id, wants, request.user, at)
            outbox.reopen(connection, key, channel, SWITCHED_OFF, age)
        else:
            until = datetime.fromtimestamp(int(change.before), UTC) if change.before.isdigit() else None
            outbox.mute(connection, key, channel, until)

    act = {"off": Act.SUBSCRIBED, "mute": Act.UNMUTED}.get(change.verb, Act.MUTED)
    await record_audit(services, request, act, f"channel {channel}", "by Undo", work=work)
    if change.verb == "off":
        # After the subscription stands, so that nothing comes in between unseen. Done twice it adds nothing.
        found = await services.memory.read(missed.since, key, at)
        await services.memory.write(missed.tell, key, found)
    await replies.in_place(services, request, offer_view.undone(request.user, change.verb))


async def _is_over(services: Services, request: Request, change: AlertsUndo) -> bool:
    """Whether the mute that would be taken back, or would be set again, has ended by now."""
    if change.verb == "off" or kept.was_done(request.kept):
        return False
    now = services.clock.now()
    if change.verb == "unmute":
        return change.before.isdigit() and int(change.before) <= _seconds(now)
    on = await current(services, request)
    return not on or on[0].muted_until is None or on[0].muted_until <= now


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
