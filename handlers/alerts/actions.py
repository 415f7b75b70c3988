"""What is pressed and saved about a channel's alerts."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from handlers.alerts import commands as alerts_commands
from handlers.alerts import deadlines, switching, undoing
from handlers.alerts import view as alerts_view
from handlers.alerts.home_by import HomeBy
from handlers.context import kept, replies
from handlers.context.lookups import campaign_of
from handlers.context.services import Request, Services
from handlers.errors import Outdated
from handlers.text import short_answers
from handlers.text.buttons import AlertsDo, AlertsUndo, OneCampaign
from handlers.text.codec import read
from storage import workspaces
from storage.records import NO_CAMPAIGN, CampaignId, ChannelSettings, NotifyOn, Subscription


async def alert_settings(services: Services, request: Request, _value: str) -> None:
    """*Alert settings*: the same modal as `/mailalerts`."""
    await alerts_commands.open_alert_settings(services, request)


async def carry_out(services: Services, request: Request, value: str) -> None:
    """A change that was offered as a button."""
    asked = read(AlertsDo, value)
    what = await _name(services, request, asked.campaign)
    if asked.verb == "list":
        await replies.to_asker(services, request, await switching.listing(services, request))
        return
    before = await services.memory.read(_standing, request)
    if asked.verb in MUTES:
        await _mute(services, request, asked)
    elif asked.verb == "no_day":
        await deadlines.end_day(services, request, asked.campaign, what)
    elif asked.verb == "again":
        await switching.turn_on(services, request)
    elif asked.verb in SWITCHES:
        await SWITCHES[asked.verb](services, request, asked.campaign, what)
    else:
        raise Outdated
    changed = kept.was_done(request.kept) or await services.memory.read(_standing, request) != before
    # What was offered a while ago may be so already, or out of place: then that was said, and nothing is done.
    if request.response_url and changed:
        await replies.to_asker(services, request, short_answers.plain("Done."), replacing=True)


MUTES: Final = ("mute", "mute_for", "unmute")
#: What is done with a campaign (0: all).
SWITCHES: Final = {
    "on": switching.switch_on,
    "only": switching.leave_only,
    "card": switching.leave_card,
    "off": switching.switch_off,
}


async def _mute(services: Services, request: Request, asked: AlertsDo) -> None:
    """For so long as was offered, or no longer; raises Outdated where that was not said."""
    if asked.verb == "unmute":
        await switching.mute(services, request, None)
    elif asked.until is None:
        raise Outdated
    elif asked.verb == "mute_for":
        await switching.mute(services, request, services.clock.now() + timedelta(seconds=asked.until))
    else:
        await alerts_commands.mute_until(services, request, datetime.fromtimestamp(asked.until, UTC))


def _standing(connection: Connection, request: Request) -> tuple[list[Subscription], list[HomeBy]]:
    key, channel = request.workspace.id, request.channel
    return workspaces.subscriptions_of(connection, key, channel), switching.days_of(connection, key, channel)


async def _name(services: Services, request: Request, campaign_id: CampaignId) -> str:
    """The name of a campaign (0: all); raises Outdated."""
    if campaign_id == NO_CAMPAIGN:
        return alerts_view.EVERY
    return (await campaign_of(services, request, campaign_id)).facts.name


async def _own_name(services: Services, request: Request, campaign_id: CampaignId) -> str:
    """The same of what is on here, which may be gone by now; raises Outdated for another one that is."""
    on = {one.campaign_id: alerts_view.what_of(one) for one in await switching.current(services, request)}
    return on.get(campaign_id) or await _name(services, request, campaign_id)


async def undo(services: Services, request: Request, value: str) -> None:
    """*Undo*, for ten minutes."""
    await undoing.undo(services, request, read(AlertsUndo, value))


async def save_as_it_was(
    services: Services, request: Request, notify_on: frozenset[NotifyOn], told_at: ChannelSettings, stood: str = ""
) -> None:
    """The settings of a channel that is off were saved, about all that it had."""
    await switching.bring_back_saved(services, request, notify_on, told_at, stood)


async def save_alerts(
    services: Services, request: Request, asked: OneCampaign, notify_on: frozenset[NotifyOn], told_at: ChannelSettings,
    dropped: Collection[CampaignId] = (), stood: str = "",
) -> None:  # fmt: skip
    """The settings were saved: of this campaign, beside whatever else is on and was not unticked.

    What is unticked ends, though it was this campaign's news that the form was about.
    """
    if asked.campaign in dropped:
        ending = {one: await _own_name(services, request, one) for one in sorted(dropped)}
        await switching.end(services, request, ending, told_at, stood)
        return
    what = await _own_name(services, request, asked.campaign)
    ended = sorted(dropped)
    await switching.subscribe(services, request, asked.campaign, what, notify_on, told_at, dropped=ended, stood=stood)
