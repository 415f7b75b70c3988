"""Which of Slack's events may mean that we were removed: kept before they are acknowledged, then looked into."""

from datetime import UTC, datetime
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncBoltContext
from sqlalchemy.exc import SQLAlchemyError

from bot.front.dispatcher import InFlight
from bot.front.routes import Body, Listener
from bot.tenants import Installed, Many, Sole
from handlers.errors import SecretClosed, Trouble
from handlers.setup.leaving import Leaving
from storage.records import WorkspaceId

log = structlog.get_logger()


def departures(tenants: Sole | Many, leaving: Leaving, in_flight: InFlight) -> Listener:
    """The listener of `app_uninstalled` and `tokens_revoked`."""

    async def look(workspace_id: WorkspaceId) -> None:
        try:
            await leaving.look(workspace_id)
        except (Trouble, SQLAlchemyError) as trouble:
            # It stands in the database: the clock comes back to it.
            log.warning("leaving.not_looked_into", workspace=workspace_id, reason=type(trouble).__name__)

    async def listen(_ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        event = body["event"]
        # Bolt does not authorize these: what they are about may be gone already.
        named = context.enterprise_id, context.team_id, bool(context.is_enterprise_install)
        workspace_id, clock = await _whose(tenants, named, event), leaving.services.clock
        if workspace_id is None:
            return
        at = _moment(body.get("event_time"), clock.now())
        # Slack documents an id for each; to look into one twice is no harm.
        event_id = str(body.get("event_id") or f"{event['type']}:{at.isoformat()}")
        if await leaving.hear(workspace_id, event_id, at):
            in_flight.start(look(workspace_id), name=f"leaving:{workspace_id}")

    return listen


async def _whose(tenants: Sole | Many, named: tuple[str | None, str | None, bool], event: Body) -> WorkspaceId | None:
    """The workspace that this may be about; None when it is not about us."""
    try:
        found = await tenants.enter(*named)
    except SecretClosed:
        # Whose token it is cannot be told now: what it means is found out when the secret opens.
        return await tenants.number_of(*named)
    return found.workspace.id if found is not None and _is_ours(event, found) else None


def _moment(told: Any, now: datetime) -> datetime:
    """When it happened, in seconds since 1970; now, where that is not told or has yet to come."""
    try:
        return min(datetime.fromtimestamp(float(told), UTC), now)
    except (TypeError, ValueError, OverflowError, OSError):
        return now


def _is_ours(event: Body, found: Installed) -> bool:
    """Whether this is about the bot's own token: people's tokens we have none of, and other bots are not ours."""
    if event["type"] == "app_uninstalled":
        return True
    bots = (event.get("tokens") or {}).get("bot") or []
    return bool(bots) and found.bot_user in ("", *bots)
