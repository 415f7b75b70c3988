"""Socket Mode: what Slack sends comes down a connection that we open, and meets the same checks as by HTTP."""

import json
from typing import Any

import structlog
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from sqlalchemy.exc import SQLAlchemyError

from bot.front import payloads
from bot.front.payloads import NotFromSlackError
from storage.failures import reason_of

log = structlog.get_logger()


class Socket(AsyncSocketModeHandler):
    """What is not acknowledged Slack shows as failed to the person, or sends again: no answer is the refusal."""

    async def handle(self, client: SocketModeClient, req: SocketModeRequest) -> None:  # type: ignore[override]
        """One envelope."""
        try:
            _require(req.payload)
            req.payload = payloads.without_empty(req.payload)
            await super().handle(client, req)
        except NotFromSlackError as error:
            log.warning("slack.not_understood", places=str(error))
        except SQLAlchemyError as error:
            log.error("slack.not_admitted", reason=reason_of(error))  # noqa: TRY400 - each of a crowd would say it


def _require(body: dict[str, Any]) -> None:
    try:
        payloads.require_clean(json.dumps(body))
    except ValueError as error:
        raise NotFromSlackError(type(error).__name__) from None
    payloads.require_slack(body)
