"""A Slack token that ends: what an answer says of it, and what is recorded of its renewal."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection

from bot.platforms import values
from handlers.errors import SlackDown
from storage import secrets as sealed_secrets
from storage import troubles
from storage.records import WorkspaceId
from storage.troubles import Kind
from storage.vault import Vault

#: How long (in seconds) a token lives whose answer does not say so (docs.slack.dev: "expire every 12 hours").
LIVES: Final = 43_200


def token_of(answer: Any, now: datetime) -> dict[str, Any]:
    """The token of an answer of `oauth.v2.access`, with when it ends (as a number of seconds) if it does.

    Raises SlackDown for an answer without one.
    """
    if not isinstance(answer, dict) or not answer.get("access_token"):
        raise SlackDown(code="no_token")
    kept: dict[str, Any] = {"token": answer["access_token"], "scopes": answer.get("scope", "")}
    if answer.get("refresh_token"):
        lasts = values.whole(answer.get("expires_in"))
        kept |= {"refresh": answer["refresh_token"], "ends": now.timestamp() + (LIVES if lasts is None else lasts)}
    return kept


def ends_of(slack: dict[str, Any]) -> datetime | None:
    """When this token ends; None for one that does not."""
    return datetime.fromtimestamp(slack["ends"], UTC) if slack.get("ends") and slack.get("refresh") else None


def keep_new(
    connection: Connection,
    vault: Vault,
    workspace_id: WorkspaceId,
    refresh: str,
    renewed: dict[str, Any],
    now: datetime,
) -> bool:
    """Keeps it, unless there is a newer installation; gives whether."""
    troubles.end(connection, workspace_id, Kind.TOKEN)
    return sealed_secrets.keep_renewed(connection, vault, workspace_id, refresh, renewed, now)


def refuse_new(
    connection: Connection, workspace_id: WorkspaceId, sealed: str, ends: datetime | None, now: datetime
) -> None:
    """Slack gave nothing: that is told, while there is time to mend it."""
    sealed_secrets.end_renewal(connection, workspace_id, sealed)
    troubles.begin(connection, workspace_id, Kind.TOKEN, now, ends)
