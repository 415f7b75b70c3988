"""Leaving: Slack's word that we were removed is looked into before anything is destroyed, and until it is clear.

Both events may come late, twice, and in any order (docs.slack.dev: reference/events/app_uninstalled); tokens are
revoked one by one, too, while the installation goes on (docs.slack.dev: authentication/using-token-rotation).
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from handlers.context.services import Services, Tenants
from handlers.errors import Removed, Trouble
from storage import audit, leases, workspaces
from storage import secrets as sealed_secrets
from storage.audit import Act
from storage.records import Workspace, WorkspaceId
from storage.secrets import SecretKind

log = structlog.get_logger()

#: So far apart two clocks may be: an event that is older than the installation by more is about an earlier one.
CLOCKS: Final = timedelta(minutes=5)
#: Slack's words for an installation that is no more. Any other refusal may pass, and has to last.
ENDED: Final = frozenset({"account_inactive", "token_revoked", "invalid_refresh_token"})
REFUSED: Final = ENDED | {"invalid_auth", "not_authed", "token_expired"}
LASTS: Final = timedelta(minutes=1)
#: Looked into at once.
TOGETHER: Final = 8


@dataclass(frozen=True)
class Leaving:
    """Looks into what Slack said. `services` are what all workspaces share."""

    services: Services
    tenants: Tenants
    #: When a token was first refused in a way that may pass, by the clock that nobody sets.
    doubts: dict[WorkspaceId, float] = field(default_factory=dict)

    async def hear(self, workspace_id: WorkspaceId, event_id: str, at: datetime) -> bool:
        """Keeps what Slack said, that it is not forgotten; gives whether it is to be looked into now.

        `at` is when it happened, by Slack's clock.
        """
        return await self.services.memory.write_grouped(_hear, workspace_id, event_id, at, self.services.clock.now())

    async def look_again(self) -> None:
        """Looks into all that is not clear yet. What breaks for one is raised when all others were looked into."""
        places = asyncio.Semaphore(TOGETHER)

        async def look(workspace_id: WorkspaceId) -> None:
            async with places:
                await self.look(workspace_id)

        unclear = await self.services.memory.read(workspaces.leaving)
        ended = await asyncio.gather(*map(look, unclear), return_exceptions=True)
        for error in ended:
            if error is not None:
                raise error

    async def look(self, workspace_id: WorkspaceId) -> None:
        """Asks Slack whether the token is good. Only a refusal that is beyond doubt ends the installation.

        That it is good is believed some time after Slack said otherwise: not all of its machines know at once.
        """
        workspace = await self.services.memory.read(workspaces.by_id, workspace_id)
        said, since = workspace.leaving_at, workspace.installed_at
        if said is None or workspace.removed_at is not None:
            return
        if since is not None and said < since - CLOCKS:
            await self._stays(workspace_id, said, "older")
            return
        tested = await self.services.memory.read(sealed_secrets.sealed, workspace_id, SecretKind.SLACK)
        if tested is None and since is not None:
            # There is no token that could be good.
            await self._leave(workspace, tested)
            return
        try:
            # Another process may have renewed the token meanwhile.
            self.tenants.forget(workspace_id)
            await (await self.tenants.of(workspace_id)).slack.test()
        except Removed:
            return
        except Trouble as trouble:
            if self._is_over(workspace_id, trouble.code):
                await self._leave(workspace, tested)
            else:
                log.warning("leaving.unclear", workspace=workspace_id, code=trouble.code)
        else:
            self.doubts.pop(workspace_id, None)
            if not timedelta(0) <= self.services.clock.now() - said < LASTS:
                await self._stays(workspace_id, said, "works")

    def _is_over(self, workspace_id: WorkspaceId, code: str) -> bool:
        if code not in REFUSED:
            self.doubts.pop(workspace_id, None)
            return False
        now = self.services.clock.elapsed()
        return code in ENDED or now - self.doubts.setdefault(workspace_id, now) >= LASTS.total_seconds()

    async def _stays(self, workspace_id: WorkspaceId, said: datetime, reason: str) -> None:
        self.doubts.pop(workspace_id, None)
        await self.services.memory.write(workspaces.stays, workspace_id, said)
        log.info("leaving.not_so", workspace=workspace_id, reason=reason)

    async def _leave(self, workspace: Workspace, tested: str | None) -> None:
        """Its secrets go now, and what else is kept some time later."""
        if workspace.installed_at is None and not tested:
            # The one workspace that the settings name: its token is not ours to drop.
            log.error("removed", do="Install the app again, and set SLACK_BOT_TOKEN to its new token.")
            await self.services.memory.write(workspaces.note, workspace.id, leaving_at=None)
            return
        now = self.services.clock.now()
        purge_at = now + self.services.policy.keep_removed
        if await self.services.memory.write(_leave, workspace.id, tested, now, purge_at):
            log.info("removed", workspace=workspace.id)
        self.doubts.pop(workspace.id, None)
        self.tenants.forget(workspace.id)


def _hear(connection: Connection, workspace_id: WorkspaceId, event_id: str, at: datetime, now: datetime) -> bool:
    if not leases.first_time(connection, f"{workspace_id}:event:{event_id}", now):
        return False
    before = workspaces.by_id(connection, workspace_id).leaving_at
    workspaces.note(connection, workspace_id, leaving_at=max(at, before or at))
    return True


def _leave(
    connection: Connection, workspace_id: WorkspaceId, tested: str | None, now: datetime, purge_at: datetime
) -> bool:
    gone = sealed_secrets.remove(connection, workspace_id, tested, now, purge_at)
    if gone:
        audit.note(connection, workspace_id, "", Act.REMOVED, now)
    return gone
