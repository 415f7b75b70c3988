"""A second person's decision: approved or declined, once, for exactly what the request named."""

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection

from handlers.cancel import actions as cancel_actions
from handlers.cancel import approval_view, requests
from handlers.cancel.requests import AlreadyDecided, EarlierRequest, Lapsed, Outgrown, OwnRequest
from handlers.cancel.stopping import Standing, standing_of, worth_of
from handlers.context import kept
from handlers.context.access import require_decider, who_decides
from handlers.context.services import Request, Services
from handlers.errors import Outdated, Refusal
from handlers.text.buttons import OneRow
from handlers.text.codec import read
from handlers.text.messages import Message
from storage import audit, intents
from storage.audit import Act, Approval
from storage.records import CampaignId, UserId

log = structlog.get_logger()


async def approve(services: Services, request: Request, value: str) -> None:
    """*Approve*: a second person who may cancel agrees, and what the request named is done, and no more."""
    decision = await _decide(services, request, value, Act.APPROVED)
    message = approval_view.decided(decision.approval, decision.what, "approved", request.user, services.clock.now())
    try:
        await _show_decision(services, request, message)
    finally:
        # Whatever becomes of the words.
        await cancel_actions.stop(services, request, decision.intent_id, decision.what, decision.standing)


async def decline(services: Services, request: Request, value: str) -> None:
    """*Decline*: nothing is cancelled."""
    decision = await _decide(services, request, value, Act.DECLINED)
    message = approval_view.decided(decision.approval, decision.what, "declined", request.user, services.clock.now())
    await _show_decision(services, request, message)


async def _show_decision(services: Services, request: Request, message: Message) -> None:
    """In the place of the request; what was decided holds also where that is gone. Raises an Outage: shown later."""
    try:
        await services.slack.edit(request.channel, request.message_ts, message)
    except Refusal as trouble:
        log.info("decision.not_shown", reason=type(trouble).__name__, code=trouble.code)


@dataclass(frozen=True)
class Decision:
    """A request that was just decided, what it is about in words, and what can still be stopped of it."""

    approval: Approval
    what: str
    intent_id: int
    standing: Standing


async def _decide(services: Services, request: Request, value: str, act: Act) -> Decision:
    number = read(OneRow, value).number
    asked = await services.memory.read(audit.approval, request.workspace.id, number)
    asked_by = UserId(asked.asked_by) if asked else request.user
    await require_decider(services, request, asked_by)
    try:
        return await services.memory.write(_decide_now, request, number, act, services.clock.now())
    except OwnRequest as own:
        raise OwnRequest(f"{own} {await who_decides(services, request, asked_by)}") from None


def _decide_now(connection: Connection, request: Request, number: int, act: Act, now: datetime) -> Decision:
    """The decision and what follows from it, in one transaction; raises a Refusal with the one reason against it."""
    workspace_id = request.workspace.id
    found = audit.approval(connection, workspace_id, number)
    if found is None:
        raise Outdated
    if kept.was_done(request.kept):
        return _decided_before(connection, request, found)
    refusal = _against(found, request, now)
    if refusal is not None:
        raise refusal
    if not audit.decide(connection, workspace_id, number, act.value, request.user, now):
        raise AlreadyDecided
    what = requests.named(connection, workspace_id, found)
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
        worth = worth_of(standing.pieces, request.workspace.currency)
        if worth.amount.amount > found.amount or worth.unpriced > found.unpriced:
            raise Outgrown
        decided = {"approver": request.user, "asked_at": int(found.asked_at.timestamp())}
        if not intents.release_held(connection, workspace_id, intent.id, {**intent.payload, **decided}):
            raise AlreadyDecided
        detail = f"approved by {request.user}"
        audit.note(connection, workspace_id, found.asked_by, Act.CANCELLED, now, subject=what, detail=detail)
    audit.note(connection, workspace_id, request.user, act, now, subject=what, detail=f"asked by {found.asked_by}")
    kept.is_first(connection, request.kept)
    return Decision(found, what, intent.id if intent else 0, standing)


def _decided_before(connection: Connection, request: Request, found: Approval) -> Decision:
    """What this very request decided before its process died: it is left to be shown, and begun."""
    standing = Standing([], 0)
    if found.intent_id is not None:
        standing = standing_of(connection, request.workspace.id, found.intent_id, CampaignId(found.campaign_id))
    return Decision(found, requests.named(connection, request.workspace.id, found), found.intent_id or 0, standing)


def _against(found: Approval, request: Request, now: datetime) -> Refusal | None:
    """The one true reason why this person cannot decide it now."""
    if found.outcome:
        return AlreadyDecided(f"This request was {found.outcome} already.", by=found.decided_by)
    if found.asked_at <= now - audit.LAPSES:
        return Lapsed()
    return OwnRequest() if found.asked_by == request.user else None
