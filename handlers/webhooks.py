"""A webhook call: verified, kept in one transaction, answered. Slack is never called from here."""

from collections.abc import Mapping

import structlog

from handlers.ports import PayloadRefused, SignatureRefused
from handlers.services import Services
from storage.records import Workspace

log = structlog.get_logger()

OK, BAD_REQUEST, UNAUTHORISED = 200, 400, 401


async def receive(services: Services, workspace: Workspace, raw: bytes, headers: Mapping[str, str]) -> int:
    """The HTTP status to answer with. What could be understood is committed before it is given.

    Raises Overloaded, or what the database raised, when it could not be kept.
    """
    now = services.clock.now()
    try:
        delivery = services.platform.read_delivery(raw, headers, now)
        await services.intake.keep(workspace.id, delivery.batch)
    except SignatureRefused:
        log.warning("webhook.signature_refused", workspace=workspace.id)
        return UNAUTHORISED
    except PayloadRefused:
        log.warning("webhook.payload_refused", workspace=workspace.id, size=len(raw))
        return BAD_REQUEST
    if delivery.ignored:
        log.warning("webhook.rows_ignored", workspace=workspace.id, webhook=delivery.event, ignored=delivery.ignored)
    return OK
