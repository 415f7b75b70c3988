"""What holds of whoever asks: their day, their mail account, the campaigns that they may know of."""

from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from sqlalchemy import Connection

from handlers.context.services import Request, Services
from handlers.errors import NotConnected, Trouble
from storage import privacy
from storage.queries import mail as queries
from storage.queries.mail import Named
from storage.records import StoredCampaign

log = structlog.get_logger()


def require_account(request: Request) -> None:
    """Raises NotConnected while the workspace has no mail account."""
    if request.workspace.connected_at is None:
        raise NotConnected


def visible_campaigns(connection: Connection, request: Request, limit: int) -> list[StoredCampaign]:
    """The most recent campaigns that the asker may know of."""
    if not request.guest:
        return queries.latest_campaigns(connection, request.workspace.id, limit)
    shown = privacy.shown_campaigns(connection, request.workspace.id, request.channel)
    return queries.latest_campaigns(connection, request.workspace.id, limit, shown)


def visible_names(connection: Connection, request: Request) -> Sequence[Named]:
    """The names of all campaigns that the asker may know of."""
    names = queries.campaign_names(connection, request.workspace.id)
    if not request.guest:
        return names
    shown = set(privacy.shown_campaigns(connection, request.workspace.id, request.channel))
    return [one for one in names if one.id in shown]


async def zone_of(services: Services, request: Request) -> ZoneInfo:
    """The asker's time zone; the team's, when Slack does not tell."""
    try:
        return ZoneInfo((await services.slack.person(request.user)).zone)
    except (Trouble, ZoneInfoNotFoundError, ValueError) as trouble:
        log.info("zone.unknown", reason=type(trouble).__name__)
    return services.policy.zone


async def today_of(services: Services, request: Request) -> date:
    """The asker's day."""
    return services.clock.now().astimezone(await zone_of(services, request)).date()
