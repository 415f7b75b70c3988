"""*Undo* of a change of a channel's alerts: what that changed is as it was before, as far as it still stands so.

The button stays for ten minutes, and others change the channel meanwhile. What is not so any longer is neither done nor
said: who pressed it reads how the channel stands.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from handlers.alerts import offer_view, switching
from handlers.alerts import view as alerts_view
from handlers.alerts.notices import SWITCHED_OFF
from handlers.context import kept, replies
from handlers.context.audit import record_audit
from handlers.context.services import Request, Services
from handlers.errors import Refusal
from handlers.text import short_answers
from handlers.text.buttons import AlertsUndo
from storage import channel_settings, outbox, workspaces
from storage.audit import Act
from storage.ledger import missed
from storage.queries import mail as queries
from storage.records import NO_CAMPAIGN, CampaignId, NotifyOn


class TooLateToUndo(Refusal):
    """That was more than ten minutes ago. Run /mailalerts to change it."""


async def undo(services: Services, request: Request, change: AlertsUndo) -> None:
    """As it was before, within ten minutes. News that waited then, or came in between, is told after all."""
    at, now = datetime.fromtimestamp(change.at, UTC), services.clock.now()
    if now - at > offer_view.UNDO and not kept.was_done(request.kept):
        raise TooLateToUndo
    key, channel = request.workspace.id, request.channel
    # Stays empty where another process did it: which campaigns those were is not known any more.
    back: list[CampaignId] = []

    def work(connection: Connection) -> bool:
        # What somebody else is choosing at this moment is read when it stands.
        channel_settings.lock(connection, key, channel)
        if change.verb == "off":
            back[:] = _turn_on_again(connection, request, change, at, now - at)
            return bool(back)
        return _mute_as_before(connection, request, change, now)

    act = {"off": Act.SUBSCRIBED, "mute": Act.UNMUTED}.get(change.verb, Act.MUTED)
    if not await record_audit(services, request, act, f"channel {channel}", "by Undo", work=work):
        await replies.to_asker(services, request, short_answers.plain(await _why_not(services, request, change)))
        return
    if change.verb == "off":
        # After the subscription stands, so that nothing comes in between unseen. Done twice it adds nothing.
        found = await services.memory.read(missed.since, key, at)
        await services.memory.write(missed.tell, key, found)
    names = await services.memory.read(_names, request, back)
    until, on = await _standing(services, request)
    await replies.in_place(services, request, offer_view.undone(request.user, change.verb, names, until, on=on))


def _turn_on_again(
    connection: Connection, request: Request, change: AlertsUndo, at: datetime, age: timedelta
) -> list[CampaignId]:
    """What ended is on again, but for what is on by now, which somebody may have chosen otherwise. Gives what
    came back."""
    key, channel = request.workspace.id, request.channel
    on = {one.campaign_id for one in workspaces.subscriptions_of(connection, key, channel)}
    back: list[tuple[CampaignId, frozenset[NotifyOn]]] = [
        one for one in offer_view.unpacked(change.before) if one[0] not in on
    ]
    for campaign_id, wants in back:
        # As of the moment when it was turned off: what happened since is news.
        workspaces.subscribe(connection, key, channel, campaign_id, wants, request.user, at)
    if back:
        outbox.reopen(connection, key, channel, SWITCHED_OFF, age)
    return [campaign_id for campaign_id, _ in back]


def _mute_as_before(connection: Connection, request: Request, change: AlertsUndo, now: datetime) -> bool:
    """The mute that was before, or none; not where somebody muted or unmuted the channel since."""
    key, channel = request.workspace.id, request.channel
    until = channel_settings.muted_until(connection, key, channel)
    lasts = int(until.timestamp()) if until and channel_settings.is_muted(until, now) else None
    before = datetime.fromtimestamp(int(change.before), UTC) if change.before.isdigit() else None
    before = before if channel_settings.is_muted(before, now) else None
    if lasts != change.until or (lasts is None and before is None):
        return False
    return outbox.mute(connection, key, channel, before)


def _names(connection: Connection, request: Request, those: Sequence[CampaignId]) -> list[str]:
    known = {one: queries.campaign(connection, request.workspace.id, one) for one in those if one != NO_CAMPAIGN}
    every = [alerts_view.EVERY] if NO_CAMPAIGN in those else []
    return every + [one.facts.name for one in known.values() if one is not None]


async def _standing(services: Services, request: Request) -> tuple[datetime | None, bool]:
    """Until when the channel is muted, and whether anything is on there."""
    until = await services.memory.read(channel_settings.muted_until, request.workspace.id, request.channel)
    lasts = until if channel_settings.is_muted(until, services.clock.now()) else None
    return lasts, bool(await switching.current(services, request))


async def _why_not(services: Services, request: Request, change: AlertsUndo) -> str:
    """How the channel stands, in which there was nothing to take back."""
    until, on = await _standing(services, request)
    if change.verb == "off":
        return "Those alerts are on again already, so there was nothing to undo."
    return offer_view.not_undone(until, on=on)
