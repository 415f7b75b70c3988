"""Who may do what in this workspace: its settings, approvals by a second person, the audit log, erasing a recipient."""

import csv
import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection

from handlers import actions, approving, automation, browsing, exports
from handlers import intents as working
from handlers.access import require_canceller, require_steward
from handlers.approving import AlreadyDecided, EarlierRequest, Lapsed, Outgrown, OwnRequest, write_down
from handlers.cancelling import Standing, delete_draft, standing_of, stop_pieces, worth_of
from handlers.intents import Hold, Work
from handlers.lookups import Outdated, number_of, piece_of
from handlers.messages import Message
from handlers.ports import FileToSend, Outage, Refusal
from handlers.services import Ask, Services
from handlers.views import rules, track
from handlers.views.rules import AmountRefused
from storage import audits, intents, privacy, workspaces
from storage.audits import Act, Approval
from storage.intents import Kind
from storage.records import CampaignId, Rules, WorkspaceId

log = structlog.get_logger()

PAGE: Final = 15
#: The settings, as the log names them.
NAMED: Final = {
    "cancellers": "who may cancel",
    "stewards": "who may change settings",
    "approval_above": "a second person above",
}


ALONE: Final = (
    "With this limit a second person must approve, but only one person may cancel. Add another person who may cancel, "
    "or leave the limit empty."
)


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
    wrong = "" if made.cancellers else "Name at least one person who may cancel."
    if made.approval_above is not None and approving.decides_alone(made, services.policy.cancellers):
        wrong = ALONE
    if wrong:
        again = rules.form(made, services.policy.cancellers, ask.workspace.currency, wrong, amount)
        await services.slack.update_view(ask.view_id, again)
        return
    keep = partial(workspaces.keep_rules, workspace_id=ask.workspace.id, rules=made)
    await write_down(services, ask, Act.RULES, detail=_told(ask.workspace.rules, made), work=keep)
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
    number = await working.keep(services, ask.workspace.id, Kind.LOG, {"by": ask.user})
    await working.begin(services, ask.workspace.id, number, send_log)


async def send_log(hold: Hold) -> timedelta | None:
    """Writes the log as it is now, and sends it."""
    services, by = hold.services, hold.intent.payload["by"]

    async def send() -> None:
        with tempfile.TemporaryFile() as file:
            number = await services.memory.read(_write_log, hold.workspace_id, file)
            sent = FileToSend(file, "audit-log.csv", "Audit log", f"The audit log: {number} lines, newest first.")
            await services.slack.send_file(by, sent)

    def write_down(connection: Connection) -> None:
        now = services.clock.now()
        audits.note(connection, hold.workspace_id, by, Act.EXPORTED, now, subject="the audit log")

    await hold.tell(0, send, write_down)
    return None


def _write_log(connection: Connection, workspace_id: WorkspaceId, file: io.BufferedIOBase) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)  # type: ignore[type-var]
    writer = csv.writer(text)
    writer.writerow(("at", "person", "act", "subject", "detail"))
    number = 0
    for one in audits.every(connection, workspace_id):
        writer.writerow(
            exports.harmless(cell) for cell in (one.at.isoformat(), one.person, one.act, one.subject, one.detail)
        )
        number += 1
    text.detach()
    return number


async def approve(services: Services, ask: Ask, value: str) -> None:
    """*Approve*: a second person who may cancel agrees, and what the request named is done, and no more."""
    decision = await _decide(services, ask, value, Act.APPROVED)
    message = rules.decided(decision.approval, decision.what, "approved", ask.user, services.clock.now())
    await _show_decision(services, ask, message)
    await actions.stop(services, ask, decision.intent_id, decision.what.strip("*"), decision.standing)


async def decline(services: Services, ask: Ask, value: str) -> None:
    """*Decline*: nothing is cancelled."""
    decision = await _decide(services, ask, value, Act.DECLINED)
    message = rules.decided(decision.approval, decision.what, "declined", ask.user, services.clock.now())
    await _show_decision(services, ask, message)


async def _show_decision(services: Services, ask: Ask, message: Message) -> None:
    """In the place of the request; what was decided holds also where that is gone."""
    try:
        await services.slack.edit(ask.channel, ask.message_ts, message)
    except (Refusal, Outage) as trouble:
        log.info("decision.not_shown", reason=type(trouble).__name__, code=trouble.code)


@dataclass(frozen=True)
class Decision:
    """A request that was just decided, what it is about in words, and what can still be stopped of it."""

    approval: Approval
    what: str
    intent_id: int
    standing: Standing


async def _decide(services: Services, ask: Ask, value: str, act: Act) -> Decision:
    await require_canceller(services, ask)
    return await services.memory.write(_decide_now, ask, number_of(value), act, services.clock.now())


def _decide_now(connection: Connection, ask: Ask, number: int, act: Act, now: datetime) -> Decision:
    """The decision and what follows from it, in one transaction; raises a Refusal with the one reason against it."""
    workspace_id = ask.workspace.id
    found = audits.approval(connection, workspace_id, number)
    if found is None:
        raise Outdated
    refusal = _against(found, ask, now)
    if refusal is not None:
        raise refusal
    if not audits.decide(connection, workspace_id, number, act.value, ask.user, now):
        raise AlreadyDecided
    what = approving.named(connection, workspace_id, found)
    intent = None if found.intent_id is None else intents.of(connection, workspace_id, found.intent_id)
    standing = Standing([], 0)
    if act is Act.DECLINED:
        if intent is not None:
            intents.drop_held(connection, workspace_id, intent.id, act.value)
    elif intent is None:
        raise EarlierRequest
    else:
        campaign_id = CampaignId(intent.payload["campaign"])
        standing = standing_of(connection, workspace_id, intent.id, campaign_id)
        worth = worth_of(standing.pieces, ask.workspace.currency)
        if worth.amount.amount > found.amount or worth.unpriced > found.unpriced:
            raise Outgrown
        if not intents.release_held(connection, workspace_id, intent.id, {**intent.payload, "approver": ask.user}):
            raise AlreadyDecided
        detail = f"approved by {ask.user}"
        audits.note(
            connection, workspace_id, found.asked_by, Act.CANCELLED, now, subject=what.strip("*"), detail=detail
        )
    audits.note(
        connection, workspace_id, ask.user, act, now, subject=what.strip("*"), detail=f"asked by {found.asked_by}"
    )
    return Decision(found, what, intent.id if intent else 0, standing)


def _against(found: Approval, ask: Ask, now: datetime) -> Refusal | None:
    """The one true reason why this person cannot decide it now."""
    if found.outcome:
        return AlreadyDecided(f"<@{found.decided_by}> {found.outcome} this request already.")
    if found.asked_at <= now - audits.LAPSES:
        return Lapsed()
    return OwnRequest() if found.asked_by == ask.user else None


async def erase(services: Services, ask: Ask, value: str) -> None:
    """*Erase recipient*: by request of the person, or of the law. Done at once; whoever asked is told, if later."""
    await require_steward(services, ask)
    piece = await piece_of(services, ask, value)
    now = services.clock.now()

    def also(connection: Connection) -> None:
        privacy.erase_piece(connection, ask.workspace.id, piece.id)
        audits.note(connection, ask.workspace.id, ask.user, Act.ERASED, now, subject=f"piece {piece.ref}")

    payload = {"ref": piece.ref, "by": ask.user, "view": ask.view_id}
    secrets = {"url": ask.response_url} if ask.response_url else {}
    number = await working.keep(services, ask.workspace.id, Kind.ERASE, payload, secrets, also=also)
    await working.begin(services, ask.workspace.id, number, tell_erased)


async def tell_erased(hold: Hold) -> timedelta | None:
    """Tells who asked that it is done: where they pressed, or in a direct message."""
    slack, payload = hold.services.slack, hold.intent.payload
    blocks = rules.erased(payload["ref"])
    message = Message(blocks[0]["text"]["text"], blocks)

    async def send() -> None:
        url = hold.secrets().get("url", "")
        try:
            if payload["view"]:
                await slack.update_view(payload["view"], track.modal("Erased", blocks))
                return
            if url:
                await slack.answer(url, message)
                return
        except Refusal as refusal:
            log.info("erased.told_directly", reason=type(refusal).__name__, code=refusal.code)
        await slack.post(payload["by"], message)

    await hold.tell(0, send)
    return None


#: What each kind of intent comes to, in whichever process takes it.
WORK: Final[Mapping[Kind, Work]] = {
    Kind.CANCEL: stop_pieces,
    Kind.DELETE: delete_draft,
    Kind.STEP: automation.finish_step,
    Kind.EXPORT: browsing.send_export,
    Kind.LOG: send_log,
    Kind.ERASE: tell_erased,
    Kind.REQUEST: approving.post_request,
}


async def resume(services: Services, workspace_id: WorkspaceId, intent_id: int) -> None:
    """Goes on with an intent that another process left, or that was to wait."""
    found = await services.memory.read(intents.of, workspace_id, intent_id)
    if found is not None:
        await working.begin(services, workspace_id, intent_id, WORK[found.kind])
