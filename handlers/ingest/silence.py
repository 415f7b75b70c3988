"""Whether the platform's webhook fell silent: pieces move, and it has not called for long."""

from datetime import timedelta
from typing import Final

import structlog

from handlers.context.installer import tell
from handlers.context.services import Services
from handlers.text import short_answers
from storage import workspaces
from storage.records import WorkspaceId

log = structlog.get_logger()

#: So much later than the last call a piece moved: with working webhooks that would have been a call.
SILENCE: Final = timedelta(hours=6)


async def listen_for_silence(services: Services, workspace_id: WorkspaceId) -> None:
    """When pieces move and the mail platform has not called for long, tells who set the bot up, once."""
    workspace = await services.memory.read(workspaces.by_id, workspace_id)
    moved = await services.memory.read(workspaces.newest_move, workspace_id)
    since = workspace.webhook_at
    if since is None or moved is None or moved - since < SILENCE or workspace.silence_told == since:
        return
    if not await services.memory.write(workspaces.tell_silence, workspace_id, workspace.silence_told, since):
        # Another process tells it.
        return
    log.warning("webhook.silent", workspace=workspace_id, since=since.isoformat())
    told = False
    try:
        known = services.platform.profile
        said = short_answers.silent(since, known.name, known.webhooks_at, known.webhook_pauses)
        told = await tell(services, workspace, said)
    finally:
        if not told:
            await services.memory.write(workspaces.tell_silence, workspace_id, since, workspace.silence_told)
