"""What is pressed and saved about a channel's alerts."""

from collections.abc import Collection
from datetime import UTC, datetime

from handlers.alerts import commands as alerts_commands
from handlers.alerts import deadlines, switching
from handlers.alerts import view as alerts_view
from handlers.context import replies
from handlers.context.lookups import campaign_of
from handlers.context.services import Request, Services
from handlers.errors import Outdated
from handlers.text import short_answers
from handlers.text.buttons import AlertsDo, AlertsUndo, OneCampaign
from handlers.text.codec import read
from storage.records import NO_CAMPAIGN, CampaignId, ChannelSettings, NotifyOn


async def alert_settings(services: Services, request: Request, _value: str) -> None:
    """*Alert settings*: the same modal as `/mailalerts`."""
    await alerts_commands.open_alert_settings(services, request)


async def carry_out(services: Services, request: Request, value: str) -> None:
    """A change that was offered as a button."""
    asked = read(AlertsDo, value)
    what = await _name(services, request, asked.campaign)
    if asked.verb == "list":
        await replies.to_asker(services, request, await switching.listing(services, request))
    elif asked.verb == "again":
        await switching.turn_on(services, request)
    elif asked.verb == "on":
        await switching.switch_on(services, request, asked.campaign, what)
    elif asked.verb == "card":
        await switching.subscribe(services, request, asked.campaign, what, frozenset())
    elif asked.verb == "off":
        await switching.switch_off(services, request, asked.campaign, what)
    elif asked.verb == "mute" and asked.until is not None:
        await switching.mute(services, request, datetime.fromtimestamp(asked.until, UTC))
    elif asked.verb == "no_day":
        await deadlines.keep_day(services, request, asked.campaign, what, None)
        await replies.to_channel(services, request, short_answers.plain(deadlines.no_day(what)))
    elif asked.verb == "unmute":
        await switching.mute(services, request, None)
    else:
        raise Outdated
    if request.response_url and asked.verb != "list":
        await replies.to_asker(services, request, short_answers.plain("Done."), replacing=True)


async def _name(services: Services, request: Request, campaign_id: CampaignId) -> str:
    """The name of a campaign (0: all); raises Outdated."""
    if campaign_id == NO_CAMPAIGN:
        return alerts_view.EVERY
    return (await campaign_of(services, request, campaign_id)).facts.name


async def undo(services: Services, request: Request, value: str) -> None:
    """*Undo*, for ten minutes."""
    await switching.undo(services, request, read(AlertsUndo, value))


async def save_alerts(
    services: Services, request: Request, asked: OneCampaign, notify_on: frozenset[NotifyOn], told_at: ChannelSettings,
    dropped: Collection[CampaignId] = (),
) -> None:  # fmt: skip
    """The settings were saved: of this campaign, beside whatever else is on and was not unticked.

    What is unticked ends, though it was this campaign's news that the form was about.
    """
    if asked.campaign in dropped:
        ending = {one: await _name(services, request, one) for one in sorted(dropped)}
        await switching.end(services, request, ending, told_at)
        return
    what = await _name(services, request, asked.campaign)
    await switching.subscribe(services, request, asked.campaign, what, notify_on, told_at, dropped=sorted(dropped))
