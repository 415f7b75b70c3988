"""A channel's alerts are turned on and off, muted and taken back, and everybody there reads of it."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection

from handlers.alerts import home_by, offer_view
from handlers.alerts import view as alerts_view
from handlers.alerts.home_by import HomeBy
from handlers.alerts.state import State
from handlers.alerts.state import zone_of as zone_of_channel
from handlers.context import kept, replies
from handlers.context.asker import today_of, zone_of
from handlers.context.audit import record_audit
from handlers.context.services import Request, Services
from handlers.errors import Outdated, Refusal, Trouble
from handlers.text import short_answers
from handlers.text.buttons import AlertsUndo
from handlers.text.messages import Message
from storage import channel_settings, outbox, workspaces
from storage.audit import Act
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

log = structlog.get_logger()

#: So old is a digest at most from which the next one goes on, though alerts were off between them.
RECENT: Final = timedelta(days=1)


async def current(services: Services, request: Request) -> list[Subscription]:
    """What the channel is told of."""
    return await services.memory.read(_told, request, services.clock.now())


class ChangedMeanwhile(Refusal):
    """Somebody changed this channel's alerts since you opened the settings. Nothing was saved: open them again."""


def stands(connection: Connection, request: Request) -> str:
    """A word for what the channel is told, and when: another one as soon as somebody changes that."""
    key, channel = request.workspace.id, request.channel
    on = workspaces.subscriptions_of(connection, key, channel)
    told = sorted((int(one.campaign_id), sorted(one.notify_on)) for one in on)
    known = json.dumps([told, astuple(channel_settings.of(connection, key, channel))])
    return hashlib.sha256(known.encode()).hexdigest()[:16]


def _is_blocked(connection: Connection, request: Request) -> bool:
    on = workspaces.subscriptions_of(connection, request.workspace.id, request.channel)
    return any(one.blocked for one in on)


async def require_unchanged(services: Services, request: Request, stood: str) -> None:
    """Raises ChangedMeanwhile where the channel stands otherwise by now, before anything is posted of what is saved."""
    if not kept.was_done(request.kept):
        await services.memory.read(_require_stood, request, stood)


def _require_stood(connection: Connection, request: Request, stood: str) -> None:
    """Raises ChangedMeanwhile where the channel stands otherwise ("": however it stood): what is saved would end or
    bring back what somebody else decided."""
    if stood not in ("", stands(connection, request)):
        raise ChangedMeanwhile


def _hold(connection: Connection, request: Request, stood: str) -> tuple[str, bool]:
    """How the channel stands, and whether it was blocked: nobody else changes it until the transaction ends. Raises
    ChangedMeanwhile."""
    key, channel = request.workspace.id, request.channel
    channel_settings.lock(connection, key, channel)
    was_blocked = _is_blocked(connection, request)
    # Of a channel that is new there was nothing to lock.
    outbox.open_channel(connection, key, channel)
    _require_stood(connection, request, stood)
    return stands(connection, request), was_blocked


async def _keep_posted(
    services: Services, request: Request, ts: str, subject: str, work: Callable[[Connection], bool]
) -> None:
    """Does what the channel has just read. It is posted first, for a channel that cannot be posted to is told of
    nothing; where somebody else was faster, the post is edited to say so, and ChangedMeanwhile goes on to the asker."""
    try:
        await record_audit(services, request, Act.SUBSCRIBED, subject, f"channel {request.channel}", work=work)
    except ChangedMeanwhile:
        said = alerts_view.not_saved(request.user)
        try:
            await replies.when_taken(services, lambda: services.slack.edit(request.channel, ts, said))
        except Trouble as trouble:
            log.warning("alerts.not_corrected", reason=type(trouble).__name__, code=trouble.code)
        raise


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
    """ "on", and no campaign named: as it was before it was turned off; else all campaigns. Nothing that the channel
    chose grows by that."""
    on, before = await current(services, request), await earlier(services, request)
    if on and not kept.was_done(request.kept):
        wants = {one.campaign_id: one.notify_on for one in on}
        names = alerts_view.names_of(on)
        await _is_on_already(services, request, on, before, names, all_too=not wants.get(NO_CAMPAIGN))
        return
    if not on:
        known = await services.memory.read(still_there, request, before.last)
        if known:
            await _bring_back(services, request, before, {one: before.notify_on[one] for one in known})
            return
    await switch_on(services, request, NO_CAMPAIGN, alerts_view.EVERY)


def still_there(connection: Connection, request: Request, those: Sequence[CampaignId]) -> list[CampaignId]:
    """Those of these campaigns that are known."""
    key = request.workspace.id
    return [one for one in those if one == NO_CAMPAIGN or queries.campaign(connection, key, one) is not None]


async def _bring_back(
    services: Services, request: Request, before: Ended, wants: Mapping[CampaignId, frozenset[NotifyOn]], *,
    again: bool = True, stood: str = "",
) -> None:  # fmt: skip
    """Tells the channel of these as it was told before, and says there what is on. A channel that cannot be posted to
    is told of nothing. Not `again`: it was told so of all campaigns, and of these by that alone. `stood`: see
    `subscribe`."""
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

    def work(connection: Connection) -> bool:
        before_it, was_blocked = _hold(connection, request, stood)
        _begin_anew(connection, key, channel, now)
        for one, news in wants.items():
            workspaces.subscribe(connection, key, channel, one, news, request.user, now)
        channel_settings.keep(connection, key, channel, hours)
        return was_blocked or before_it != stands(connection, request)

    on, days = await services.memory.read(look)
    said = alerts_view.on_again(request.user, on, hours, days, await today_of(services, request), again=again)
    ts = await services.slack.post(channel, said)
    await _keep_posted(services, request, ts, ", ".join(alerts_view.what_of(one) for one in on), work)


async def switch_on(services: Services, request: Request, campaign_id: CampaignId, what: str) -> None:
    """By words or by a button. What is told already stays as it was chosen, and what ended comes back so; where only a
    card was, news comes, too."""
    on = await current(services, request)
    wants = {one.campaign_id: one.notify_on for one in on}
    before = await earlier(services, request)
    if wants.get(campaign_id, wants.get(NO_CAMPAIGN)) and not kept.was_done(request.kept):
        await _is_on_already(services, request, on, before, alerts_view.named(what))
        return
    known = before.notify_on.get(campaign_id) or before.notify_on.get(NO_CAMPAIGN)
    if known and not on:
        own = bool(before.notify_on.get(campaign_id))
        await _bring_back(services, request, before, {campaign_id: known}, again=own)
        return
    await subscribe(services, request, campaign_id, what, known or frozenset(alerts_view.DEFAULT_WANTS))


async def _is_on_already(
    services: Services, request: Request, on: Sequence[Subscription], before: Ended, names: str, *,
    all_too: bool = False,
) -> None:  # fmt: skip
    """Nothing to turn on; but what stands in the way is mended, or can be. `all_too`: all campaigns are offered."""
    if on[0].blocked:
        # Whoever invited the bot again asks for all that waits for that, and for no more.
        await _bring_back(services, request, before, {one.campaign_id: one.notify_on for one in on})
        return
    if on[0].muted_until is not None:
        said = offer_view.on_but_muted(names, on[0].muted_until, all_too=all_too)
    else:
        said = offer_view.on_already(await listing(services, request), names, all_too=all_too)
    await replies.to_asker(services, request, said)


async def bring_back_saved(
    services: Services, request: Request, ticked: frozenset[NotifyOn], chosen: ChannelSettings, stood: str = ""
) -> None:
    """The settings of a channel without alerts were saved for all that it had: with the news that each had, unless
    something else was ticked. `chosen`: when; a zone of "" keeps the channel's. `stood`: see `subscribe`. Raises
    Outdated."""
    before = await earlier(services, request)
    on = {one.campaign_id for one in await current(services, request)}
    known = await services.memory.read(still_there, request, before.last)
    if on and not kept.was_done(request.kept):
        # Somebody else turned alerts on since the form was opened.
        await turn_on(services, request)
        return
    if not known:
        raise Outdated
    same = ticked == before.notify_on[known[0]]
    zone = chosen.zone or await _zone(services, request)
    wants = {one: before.notify_on[one] if same else ticked for one in known}
    await _bring_back(services, request, replace(before, settings=replace(chosen, zone=zone)), wants, stood=stood)


async def leave_only(services: Services, request: Request, campaign_id: CampaignId, what: str) -> None:
    """This campaign alone is on from now on, with the news that it had by itself or as one of all; the rest ends."""
    on, before = await current(services, request), await earlier(services, request)
    wants = {one.campaign_id: one.notify_on for one in on}
    known = [wants.get(campaign_id), wants.get(NO_CAMPAIGN)]
    known += [before.notify_on.get(campaign_id), before.notify_on.get(NO_CAMPAIGN)]
    news = next((one for one in known if one), frozenset(alerts_view.DEFAULT_WANTS))
    await subscribe(services, request, campaign_id, what, news, dropped=[one for one in wants if one != campaign_id])


async def subscribe(
    services: Services, request: Request, campaign_id: CampaignId, what: str, notify_on: frozenset[NotifyOn],
    chosen: ChannelSettings | None = None, *, dropped: Sequence[CampaignId] = (), stood: str = "",
) -> None:  # fmt: skip
    """Tells the channel from now on, and says so there. A channel that cannot be posted to is not subscribed. Where
    nothing changes, the asker alone reads of it.

    `chosen`: when; None leaves that as it is, or as it usually is; a zone of "" keeps the channel's. `dropped`: what it
    is no longer told of. `stood`: how the channel stood when that was chosen; raises ChangedMeanwhile where it stands
    otherwise.
    """
    if kept.was_done(request.kept):
        return
    before = await current(services, request)
    known = (await earlier(services, request)).settings
    is_usual = chosen is None and known is None
    if is_usual:
        chosen = await _usual(services, request)
    if chosen is not None and not chosen.zone:
        chosen = replace(chosen, zone=await _zone(services, request))
    names = {one.campaign_id: alerts_view.what_of(one) for one in before}
    ended = [names[one] for one in dropped if one in names and one != campaign_id]
    own = next((one for one in before if one.campaign_id == campaign_id), None)
    if own and not own.blocked and own.notify_on == notify_on and not ended and chosen in (None, known):
        text = f"Alerts for {alerts_view.named(what)} stay as they are here."
        await replies.to_asker(services, request, short_answers.plain(text))
        return
    hours = chosen or known
    muted = await _muted_until(services, request)
    said = alerts_view.confirmed(what, notify_on, request.user, ended, hours, changed=own is not None, muted=muted)
    ts = await services.slack.post(request.channel, said)
    now, key = services.clock.now(), request.workspace.id

    def work(connection: Connection) -> bool:
        before_it, was_blocked = _hold(connection, request, stood)
        _begin_anew(connection, key, request.channel, now)
        workspaces.subscribe(connection, key, request.channel, campaign_id, notify_on, request.user, now)
        workspaces.unsubscribe(connection, key, request.channel, [one for one in dropped if one != campaign_id])
        # What is usual for one is not what somebody else has just been given.
        if chosen is not None and not (is_usual and channel_settings.ended(connection, key, request.channel).settings):
            channel_settings.keep(connection, key, request.channel, chosen)
        # Of two who say the same at once, one has done it.
        return was_blocked or before_it != stands(connection, request)

    await _keep_posted(services, request, ts, what, work)


async def leave_card(services: Services, request: Request, campaign_id: CampaignId, what: str) -> None:
    """Of a campaign that was to be turned off where all are on: its card alone. Where nothing is on by now, nothing."""
    on = {one.campaign_id for one in await current(services, request)}
    if not on & {campaign_id, NO_CAMPAIGN} and not kept.was_done(request.kept):
        await replies.to_asker(services, request, await listing(services, request))
        return
    await subscribe(services, request, campaign_id, what, frozenset())


async def _muted_until(services: Services, request: Request) -> datetime | None:
    """The end of a mute that lasts, which does not end with the alerts."""
    key, now = request.workspace.id, services.clock.now()
    until = await services.memory.read(channel_settings.muted_until, key, request.channel)
    return until if channel_settings.is_muted(until, now) else None


def _begin_anew(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, now: datetime) -> None:
    """A channel that was told of nothing for a while does not read in its digest what happened meanwhile. One that had
    its digest yesterday does: the next one goes on from there."""
    told = channel_settings.state_of(connection, workspace_id, channel)
    if not told or workspaces.subscriptions_of(connection, workspace_id, channel):
        return
    state, last = State.read(told), channel_settings.digested_on(connection, workspace_id, channel)
    # By the channel's own clock, as the day of the digest is.
    today = now.astimezone(zone_of_channel(channel_settings.of(connection, workspace_id, channel))).date()
    if not state.heard or last is None or abs(today - last) > RECENT:
        channel_settings.keep_state(connection, workspace_id, channel, state.anew().written())


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
    services: Services, request: Request, ended: Mapping[CampaignId, str], chosen: ChannelSettings | None = None,
    stood: str = "",
) -> None:  # fmt: skip
    """These campaigns, by their names, or (0, alone and without `chosen`) everything. All there read of it, and can
    take it back for a while: not where another process ended them, for how it was before is not known any more.

    `chosen`: of the rest, when; a zone of "" keeps the channel's. `stood`: see `subscribe`.
    """
    before = await current(services, request)
    every = chosen is None and NO_CAMPAIGN in ended
    ending = [one for one in before if every or one.campaign_id in ended]
    if chosen is not None and not chosen.zone:
        chosen = replace(chosen, zone=await _zone(services, request))
    key, channel = request.workspace.id, request.channel

    def work(connection: Connection) -> bool:
        channel_settings.lock(connection, key, channel)
        _require_stood(connection, request, stood)
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
    # Who says "off" where some are on reads which these were, and not that it was all campaigns.
    some = every and bool(ending) and all(one.campaign_id != NO_CAMPAIGN for one in ending)
    said_ended = [alerts_view.what_of(one) for one in ending] if some else list(ended.values())
    said = offer_view.switched_off(request.user, said_ended, taken_back, left, rest=rest)
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
    act = Act.MUTED if until else Act.UNMUTED
    if not await record_audit(services, request, act, f"channel {request.channel}", work=work):
        # Two who say the same at once: one of them has just been heard.
        await replies.to_asker(services, request, await listing(services, request))
        return
    verb, now = "mute" if until else "unmute", _seconds(services.clock.now())
    undo = AlertsUndo(verb, now, str(_seconds(was)) if was else "", _seconds(until) if until else None)
    taken_back = None if kept.was_done(request.kept) else undo
    await replies.to_channel(services, request, offer_view.muted(request.user, until, taken_back))


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
