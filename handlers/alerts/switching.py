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
    NotifyOn,
    Subscription,
    WorkspaceId,
)


class TooLateToUndo(Refusal):
    """That was more than ten minutes ago. Run /mailalerts to change it."""


async def current(services: Services, request: Request) -> list[Subscription]:
    """What the channel is told of."""
    return await services.memory.read(workspaces.subscriptions_of, request.workspace.id, request.channel)


async def listing(services: Services, request: Request) -> Message:
    """Everything that is on, in words."""

    def look(connection: Connection) -> tuple[list[Subscription], ChannelSettings, list[HomeBy]]:
        key, channel = request.workspace.id, request.channel
        current = workspaces.subscriptions_of(connection, key, channel)
        days = days_of(connection, key, channel) if current else []
        return current, channel_settings.of(connection, key, channel), days

    today = await today_of(services, request)
    return alerts_view.listing(request.channel, *await services.memory.read(look), today)


def days_of(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId) -> list[HomeBy]:
    """The days by which campaigns are to be in homes, as this channel set them."""
    state = State.read(channel_settings.state_of(connection, workspace_id, channel))
    keys = [CampaignId(int(key)) for key in state.deadlines]
    known = {key: queries.campaign(connection, workspace_id, key) for key in keys}
    return home_by.days_of(state, {key: one.facts.name for key, one in known.items() if one is not None})


async def switch_on(services: Services, request: Request, campaign_id: CampaignId, what: str) -> None:
    """By words or by a button. What is told already stays as it was chosen; where only a card was, news comes, too."""
    on = {one.campaign_id: one.notify_on for one in await current(services, request)}
    if on.get(campaign_id, on.get(NO_CAMPAIGN)) and not kept.was_done(request.kept):
        muted = (await current(services, request))[0].muted_until
        if muted is not None:
            await replies.to_asker(services, request, offer_view.on_but_muted(what, muted))
            return
        message = await listing(services, request)
        note = f"Alerts for {alerts_view.named(what)} are already on here."
        await replies.to_asker(services, request, alerts_view.noted(message, note))
        return
    await subscribe(services, request, campaign_id, what, frozenset(alerts_view.DEFAULT_WANTS))


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
    if chosen is None and not before:
        chosen = ChannelSettings("", alerts_view.DEFAULT_DIGEST, None, alerts_view.DEFAULT_ALARM)
    if chosen is not None and not chosen.zone:
        chosen = replace(chosen, zone=await _zone(services, request, before))
    names = {one.campaign_id: one.campaign_name or alerts_view.EVERY for one in before}
    ended = [names[one] for one in dropped if one in names and one != campaign_id]
    said = alerts_view.confirmed(what, notify_on, request.user, ended, changed=campaign_id in names)
    await services.slack.post(request.channel, said)
    now, key = services.clock.now(), request.workspace.id

    def work(connection: Connection) -> None:
        workspaces.subscribe(connection, key, request.channel, campaign_id, notify_on, request.user, now)
        for one in dropped:
            if one != campaign_id:
                workspaces.unsubscribe(connection, key, request.channel, one)
        if chosen is not None:
            channel_settings.keep(connection, key, request.channel, chosen)

    await record_audit(services, request, Act.SUBSCRIBED, what, f"channel {request.channel}", work=work)


async def _zone(services: Services, request: Request, before: Sequence[Subscription]) -> str:
    """The channel's own; of one that is told of nothing yet, the asker's."""
    if before:
        chosen = await services.memory.read(channel_settings.of, request.workspace.id, request.channel)
        return chosen.zone
    return str(await zone_of(services, request))


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
        chosen = replace(chosen, zone=await _zone(services, request, before))
    key, channel = request.workspace.id, request.channel

    def work(connection: Connection) -> bool:
        number = sum(workspaces.unsubscribe(connection, key, channel, None if every else one) for one in ended)
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
    await replies.to_channel(services, request, offer_view.switched_off(request.user, ended.values(), taken_back, left))


async def mute(services: Services, request: Request, until: datetime | None) -> None:
    """Until then, or (None) no longer. All there read of it, and can take it back for a while (see `end`)."""
    before = await current(services, request)
    if not before:
        await replies.to_asker(services, request, await listing(services, request))
        return
    was = before[0].muted_until
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
