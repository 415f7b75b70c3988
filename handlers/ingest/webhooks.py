"""A webhook call: verified, kept in one transaction, answered. Slack is never called from here."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import structlog

from handlers.context.services import Services
from handlers.errors import PayloadRefused, SignatureRefused
from storage import workspaces
from storage.records import Workspace

log = structlog.get_logger()

#: That the platform shook hands is written down so often at most.
HANDSHAKES: Final = timedelta(minutes=1)


OK, BAD_REQUEST, UNAUTHORIZED = 200, 400, 401


async def receive(services: Services, workspace: Workspace, raw: bytes, headers: Mapping[str, str]) -> int:
    """The HTTP status to answer with. What could be understood is committed before it is given.

    Raises Overloaded, or what the database raised, when it could not be kept.
    """
    now = services.clock.now()
    try:
        async with services.webhook_queue.place(workspace.id) as until:
            delivery = services.platform.read_delivery(raw, headers, now)
            if not delivery.is_handshake:
                await services.webhook_queue.keep(workspace.id, delivery.batch, until)
    except SignatureRefused:
        log.warning("webhook.signature_refused", workspace=workspace.id)
        return UNAUTHORIZED
    except PayloadRefused:
        log.warning("webhook.payload_refused", workspace=workspace.id, size=len(raw))
        return BAD_REQUEST
    # Anybody can shake hands: it is no sign that the webhook works, and is not written down with every call.
    if delivery.is_handshake and (workspace.handshake_at is None or abs(now - workspace.handshake_at) > HANDSHAKES):
        await services.memory.write(workspaces.note, workspace.id, handshake_at=now)
    if delivery.ignored:
        log.warning("webhook.rows_ignored", workspace=workspace.id, webhook=delivery.event, ignored=delivery.ignored)
    return OK
