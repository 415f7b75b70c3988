"""Who may do what in this workspace: its settings, approvals by a second person, the audit log, erasing a recipient."""

import csv
import io
import tempfile
from dataclasses import replace
from typing import Final

import structlog
from sqlalchemy import Connection

from handlers import actions, exports
from handlers.access import require_canceller, require_steward
from handlers.approving import write_down
from handlers.lookups import Outdated, number_of, piece_of
from handlers.messages import Message, escape
from handlers.ports import FileToSend, Outage, Refusal
from handlers.services import Ask, Services
from handlers.views import rules, track
from handlers.views.rules import AmountRefused
from storage import audits, enquiries, privacy, workspaces
from storage.audits import Act, Approval
from storage.records import CampaignId, Rules

log = structlog.get_logger()

PAGE: Final = 15
#: The settings, as the log names them.
NAMED: Final = {
    "cancellers": "who may cancel",
    "stewards": "who may change settings",
    "approval_above": "a second person above",
}


class NotYours(Refusal):
    """A second person must decide this, and in time: you asked for it yourself, it was decided, or a day has passed."""


async def open_settings(services: Services, ask: Ask, _value: str) -> None:
    """*Settings* in Home."""
    await require_steward(services, ask)
    view = rules.form(ask.workspace.rules, services.policy.cancellers, ask.workspace.currency)
    await services.slack.open_view(ask.trigger_id, view)


async def save_settings(services: Services, ask: Ask, chosen: Rules, amount: str) -> None:
    """The settings were submitted. A wrong amount is asked for again, with all else as it was chosen."""
    await require_steward(services, ask)
    try:
        made = replace(chosen, approval_above=rules.amount(amount))
    except AmountRefused as refusal:
        again = rules.form(chosen, services.policy.cancellers, ask.workspace.currency, str(refusal), amount)
        await services.slack.update_view(ask.view_id, again)
        return
    if not made.cancellers:
        again = rules.form(
            made, frozenset(), ask.workspace.currency, "Name at least one person who may cancel.", amount
        )
        await services.slack.update_view(ask.view_id, again)
        return
    await services.memory.write(workspaces.keep_rules, ask.workspace.id, made)
    await write_down(services, ask, Act.RULES, detail=_told(ask.workspace.rules, made))
    await services.slack.update_view(ask.view_id, rules.saved())


def _told(before: Rules, after: Rules) -> str:
    return "; ".join(
        f"{said}: {_word(getattr(before, name))} → {_word(getattr(after, name))}"
        for name, said in NAMED.items()
        if getattr(before, name) != getattr(after, name)
    )


def _word(value: object) -> str:
    if value is None:
        return "not set"
    return ", ".join(sorted(value)) if isinstance(value, frozenset) else str(value)


async def open_log(services: Services, ask: Ask, _value: str) -> None:
    """*Audit log* in Home."""
    await require_steward(services, ask)
    await services.slack.open_view(ask.trigger_id, await _page(services, ask, None))


async def older(services: Services, ask: Ask, value: str) -> None:
    """*Older* in the audit log."""
    await require_steward(services, ask)
    await services.slack.update_view(ask.view_id, await _page(services, ask, number_of(value)))


async def _page(services: Services, ask: Ask, before: int | None) -> dict[str, object]:
    lines = await services.memory.read(audits.page, ask.workspace.id, before, PAGE + 1)
    return rules.log_page(lines[:PAGE], lines[PAGE - 1].id if len(lines) > PAGE else None)


async def export_log(services: Services, ask: Ask, _value: str) -> None:
    """*Export CSV* in the audit log: the whole of it, in a direct message."""
    await require_steward(services, ask)
    with tempfile.TemporaryFile() as file:
        number = await services.memory.read(_write_log, ask, file)
        sent = FileToSend(file, "audit-log.csv", "Audit log", f"The audit log: {number} lines, newest first.")
        await services.slack.send_file(ask.user, sent)
    await write_down(services, ask, Act.EXPORTED, "the audit log")


def _write_log(connection: Connection, ask: Ask, file: io.BufferedIOBase) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)  # type: ignore[type-var]
    writer = csv.writer(text)
    writer.writerow(("at", "person", "act", "subject", "detail"))
    number = 0
    for one in audits.every(connection, ask.workspace.id):
        writer.writerow(
            exports.harmless(cell) for cell in (one.at.isoformat(), one.person, one.act, one.subject, one.detail)
        )
        number += 1
    text.detach()
    return number


async def approve(services: Services, ask: Ask, value: str) -> None:
    """*Approve*: a second person who may cancel agrees, and it is done."""
    approval, what = await _decide(services, ask, value, Act.APPROVED)
    message = rules.decided(approval, what, "approved", ask.user, services.clock.now())
    await _show_decision(services, ask, message)
    if approval.piece_id:
        await actions.stop_piece(services, ask, await piece_of(services, ask, str(approval.piece_id)))
    else:
        await actions.stop_campaign(services, ask, str(approval.campaign_id))


async def decline(services: Services, ask: Ask, value: str) -> None:
    """*Decline*: nothing is cancelled."""
    approval, what = await _decide(services, ask, value, Act.DECLINED)
    message = rules.decided(approval, what, "declined", ask.user, services.clock.now())
    await _show_decision(services, ask, message)


async def _show_decision(services: Services, ask: Ask, message: Message) -> None:
    """In the place of the request; what was decided holds also where that is gone."""
    try:
        await services.slack.edit(ask.channel, ask.message_ts, message)
    except (Refusal, Outage) as trouble:
        log.info("decision.not_shown", reason=type(trouble).__name__, code=trouble.code)


async def _decide(services: Services, ask: Ask, value: str, act: Act) -> tuple[Approval, str]:
    await require_canceller(services, ask)
    found = await services.memory.read(audits.approval, ask.workspace.id, number_of(value))
    if found is None:
        raise Outdated
    what = await services.memory.read(_named, ask, found)
    now = services.clock.now()
    if not await services.memory.write(audits.decide, ask.workspace.id, found.id, act.value, ask.user, now):
        raise NotYours
    await write_down(services, ask, act, what.strip("*"), f"asked by {found.asked_by}")
    return found, what


def _named(connection: Connection, ask: Ask, found: Approval) -> str:
    if found.piece_id:
        piece = enquiries.piece_by_id(connection, ask.workspace.id, found.piece_id)
        return f"piece {piece.ref}" if piece else "a piece"
    campaign = enquiries.campaign(connection, ask.workspace.id, CampaignId(found.campaign_id))
    return f"*{escape(campaign.facts.name)}*" if campaign else "a campaign"


async def erase(services: Services, ask: Ask, value: str) -> None:
    """*Erase recipient*: by request of the person, or of the law."""
    await require_steward(services, ask)
    piece = await piece_of(services, ask, value)
    await services.memory.write(privacy.erase_piece, ask.workspace.id, piece.id)
    await write_down(services, ask, Act.ERASED, f"piece {piece.ref}")
    if ask.view_id:
        await services.slack.update_view(ask.view_id, track.modal("Erased", rules.erased(piece.ref)))
    else:
        await actions.refused(services, ask, rules.erased(piece.ref)[0]["text"]["text"])
