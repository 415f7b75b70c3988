"""The audit log: its pages, and the whole of it as a file."""

import csv
import io
import tempfile
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from handlers.admin import view as admin_view
from handlers.context import intents as working
from handlers.context.access import require_settings_admin
from handlers.context.intents import Hold
from handlers.context.ports import FileToSend
from handlers.context.services import Request, Services
from handlers.pieces import exports
from handlers.text.buttons import OneRow
from handlers.text.codec import read
from storage import audit
from storage.audit import Act
from storage.intents import Kind
from storage.records import WorkspaceId

log = structlog.get_logger()

PAGE: Final = 15


async def open_log(services: Services, request: Request, _value: str) -> None:
    """*Audit log* in Home."""
    await require_settings_admin(services, request)
    await services.slack.open_view(request.trigger_id, await _page(services, request, None))


async def older(services: Services, request: Request, value: str) -> None:
    """*Older* in the audit log."""
    await require_settings_admin(services, request)
    await services.slack.update_view(request.view_id, await _page(services, request, read(OneRow, value).number))


async def _page(services: Services, request: Request, before: int | None) -> dict[str, object]:
    lines = await services.memory.read(audit.page, request.workspace.id, before, PAGE + 1)
    return admin_view.log_page(lines[:PAGE], lines[PAGE - 1].id if len(lines) > PAGE else None)


async def export_log(services: Services, request: Request, _value: str) -> None:
    """*Export CSV* in the audit log: the whole of it, in a direct message."""
    await require_settings_admin(services, request)
    number = await working.keep(services, request.workspace.id, Kind.LOG, {"by": request.user}, asked=request.kept)
    await working.begin(services, request.workspace.id, number, send_log)


async def send_log(hold: Hold) -> timedelta | None:
    """Writes the log as it is now, and sends it."""
    services, by = hold.services, hold.intent.payload["by"]

    async def send() -> None:
        with tempfile.TemporaryFile() as file:
            number = await services.memory.read(_write_log, hold.workspace_id, file)
            sent = FileToSend(file, "audit-log.csv", "Audit log", f"The audit log: {number} lines, newest first.")
            await services.slack.send_file(by, sent)

    def record_audit(connection: Connection) -> None:
        now = services.clock.now()
        audit.note(connection, hold.workspace_id, by, Act.EXPORTED, now, subject="the audit log")

    await hold.tell(0, send, record_audit)
    return None


def _write_log(connection: Connection, workspace_id: WorkspaceId, file: io.BufferedIOBase) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)  # type: ignore[type-var]
    writer = csv.writer(text)
    writer.writerow(("at", "person", "act", "subject", "detail"))
    number = 0
    for one in audit.every(connection, workspace_id):
        writer.writerow(
            exports.harmless(cell) for cell in (one.at.isoformat(), one.person, one.act, one.subject, one.detail)
        )
        number += 1
    text.detach()
    return number
