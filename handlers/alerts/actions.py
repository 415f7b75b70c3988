"""What is pressed and saved about a channel's alerts."""

from handlers.alerts import commands as alerts_commands
from handlers.alerts import view as alerts_view
from handlers.context.lookups import Outdated, campaign_of, number_of
from handlers.context.services import Request, Services
from handlers.text.messages import escape
from storage.records import (
    NO_CAMPAIGN,
    CampaignId,
    NotifyOn,
)


async def alert_settings(services: Services, request: Request, _value: str) -> None:
    """*Alert settings*: the same modal as `/mailalerts`."""
    await alerts_commands.open_alert_settings(services, request)


async def save_alerts(
    services: Services, request: Request, campaign: str, notify_on: list[str], hours: tuple[str, str, str]
) -> None:
    """The settings were saved: they take the place of what this channel was told before."""
    try:
        chosen, told_at = frozenset(NotifyOn(want) for want in notify_on), alerts_view.chosen_hours("", *hours)
    except ValueError:
        raise Outdated from None
    campaign_id = CampaignId(number_of(campaign))
    what = alerts_view.EVERY
    if campaign_id != NO_CAMPAIGN:
        what = f"*{escape((await campaign_of(services, request, campaign)).facts.name)}*"
    await alerts_commands.subscribe(services, request, campaign_id, what, chosen, told_at, alone=True)
