"""A webhook call: verified, kept as it came, answered. What it says is read later; Slack is never called from here."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import structlog

from handlers.context.services import Services
from handlers.errors import SignatureRefused
from storage import workspaces
from storage.records import Workspace

log = structlog.get_logger()

#: That the platform shook hands is written down so often at most.
HANDSHAKES: Final = timedelta(minutes=1)


OK, UNAUTHORIZED = 200, 401


async def receive(services: Services, workspace: Workspace, raw: bytes, headers: Mapping[str, str]) -> int:
    """The HTTP status to answer with. A signed call is kept for good before it is given, whatever it says.

    Raises Overloaded, or what the database raised, when it could not be kept.
    """
    try:
        signed = services.platform.admit(raw, headers)
    except SignatureRefused:
        log.warning("webhook.signature_refused", workspace=workspace.id)
        return UNAUTHORIZED
    if signed:
        await services.inflow.keep(workspace.id, services.platform.profile.key, raw)
        return OK
    now = services.clock.now()
    # Anybody can shake hands: it is no sign that the webhook works, and is not written down with every call.
    if workspace.handshake_at is None or abs(now - workspace.handshake_at) > HANDSHAKES:
        await services.memory.write(workspaces.note, workspace.id, handshake_at=now)
    return OK
