"""What is pressed and saved about a channel's alerts."""

from handlers.alerts import commands as alerts_commands
from handlers.alerts import view as alerts_view
from handlers.context.lookups import campaign_of
from handlers.context.services import Request, Services
from handlers.text.buttons import OneCampaign
from storage.records import (
    NO_CAMPAIGN,
    ChannelSettings,
    NotifyOn,
)


async def alert_settings(services: Services, request: Request, _value: str) -> None:
    """*Alert settings*: the same modal as `/mailalerts`."""
    await alerts_commands.open_alert_settings(services, request)


async def save_alerts(
    services: Services, request: Request, asked: OneCampaign, notify_on: frozenset[NotifyOn], told_at: ChannelSettings
) -> None:
    """The settings were saved: they take the place of what this channel was told before."""
    what = alerts_view.EVERY
    if asked.campaign != NO_CAMPAIGN:
        what = (await campaign_of(services, request, asked.campaign)).facts.name
    await alerts_commands.subscribe(services, request, asked.campaign, what, notify_on, told_at, alone=True)
