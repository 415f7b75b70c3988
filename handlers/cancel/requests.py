"""A cancellation above the workspace's limit waits for a second person; and every act is written down."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy import Connection

from handlers.cancel import approval_view
from handlers.cancel.approval_view import Wanted
from handlers.context import intents as working
from handlers.context import kept as answering
from handlers.context.access import known_admins
from handlers.context.intents import Hold
from handlers.context.kept import TakenOverError
from handlers.context.services import Request, Services
from handlers.errors import ChannelClosed, NotInChannel, Refusal
from handlers.text import formatting, short_answers
from handlers.text.messages import Message
from storage import audit, intents, workspaces
from storage.audit import Act, Approval, Bound
from storage.intents import Kind
from storage.queries import mail as queries
from storage.records import CampaignId, Money, PieceId, WorkspaceId

log = structlog.get_logger()

POSTED_LATER: Final = "Somebody else has to approve this. {} I post the request as soon as that is over."


class NobodyWouldSee(Refusal):
    """This amount needs someone else's approval. Ask in a channel I'm in, where somebody can see the request."""


class OwnRequest(Refusal):
    """You asked for this, so someone else must approve it."""


class AlreadyDecided(Refusal):
    """This request was already decided."""


class Lapsed(Refusal):
    """This request expired after a day. Cancel again to ask for a new approval."""


class EarlierRequest(Refusal):
    """This request is from an earlier version of Piecewise and names no pieces. Please cancel again."""


class Outgrown(Refusal):
    """These pieces now cost more than the request said. Please cancel again."""


async def ask_second(
    services: Services,
    request: Request,
    wanted: Wanted,
    intent: int | tuple[Mapping[str, Any], Sequence[PieceId]],
    about: tuple[CampaignId, PieceId],
) -> str:
    """Posts the request where it was asked, now or as soon as Slack takes it: then the sentence that says so is given.

    Raises NobodyWouldSee where no second person would read it. `intent`: the one that holds the pieces already, or what
    to make it of. `about`: campaign and piece.
    """
    if not request.channel or request.channel.startswith("D"):
        raise NobodyWouldSee
    now, key = services.clock.now(), request.workspace.id

    def work(connection: Connection) -> tuple[int, int]:
        if isinstance(intent, int):
            held = intent
        else:
            payload, piece_ids = intent
            held = intents.keep(connection, key, Kind.CANCEL, payload, piece_ids=piece_ids, held=True)
        bound = Bound(held, wanted.pieces, wanted.saves.amount, wanted.unpriced)
        detail = f"{formatting.pieces(wanted.pieces)} worth {formatting.money(wanted.saves)}"
        subject = wanted.what
        audit.note(connection, key, request.user, Act.APPROVAL_ASKED, now, subject=subject, detail=detail)
        number = audit.ask_approval(connection, key, *about, request.user, now, bound)
        payload = {"approval": number, "by": request.user, "channel": request.channel}
        answering.pass_on(connection, request.kept)
        return number, intents.keep(connection, key, Kind.REQUEST, payload)

    number, row = await services.memory.write(work)
    refusal = await working.begin(services, key, row, partial(post_request, at_once=True))
    kept = await services.memory.read(audit.approval, key, number)
    if kept is not None and kept.outcome == Act.WITHDRAWN:
        raise NobodyWouldSee
    posted = await services.memory.read(intents.of, key, row)
    if posted is None or posted.told:
        return ""
    return POSTED_LATER.format(refusal or "Slack does not take it just now.")


async def post_request(hold: Hold, *, at_once: bool = False) -> timedelta | None:
    """Posts a request for approval. Where nobody would see it, it is withdrawn, and the asker is told (`at_once`: by
    who asks just now)."""
    services, payload = hold.services, hold.intent.payload
    found = await services.memory.read(audit.approval, hold.workspace_id, payload["approval"])
    if found is None or found.outcome not in ("", Act.WITHDRAWN):
        return None
    if not found.outcome and found.asked_at > services.clock.now() - audit.LAPSES:
        message = await _request(services, hold.workspace_id, found)
        try:
            await hold.tell(0, partial(services.slack.post, payload["channel"], message))
        except (NotInChannel, ChannelClosed) as refusal:
            log.info("request.withdrawn", reason=type(refusal).__name__, code=refusal.code)
        else:
            return None
    if not await services.memory.write(_withdraw, hold, found):
        raise TakenOverError
    if not at_once:
        await hold.tell(1, partial(services.slack.post, payload["by"], short_answers.refusal(NobodyWouldSee())))
    return None


async def _request(services: Services, workspace_id: WorkspaceId, found: Approval) -> Message:
    workspace = await services.memory.read(workspaces.by_id, workspace_id)
    what = await services.memory.read(named, workspace_id, found)
    wanted = Wanted(what, found.pieces, Money(found.amount, workspace.currency), found.unpriced)
    chosen = workspace.rules.cancellers
    deciders = (services.policy.cancellers if chosen is None else chosen) - {found.asked_by}
    if "admins" in deciders and "everyone" not in deciders:
        # Who is named reads it: nobody else looks for whom it is.
        deciders |= await known_admins(services, workspace_id, found.asked_by)
    above = workspace.rules.approval_above or Decimal(0)
    return approval_view.approval_wanted(found.id, wanted, found.asked_by, deciders, above)


def _withdraw(connection: Connection, hold: Hold, found: Approval) -> bool:
    """Neither the request nor its pieces wait any more. What was withdrawn before stays so."""
    if not intents.renew(connection, *hold.key):
        return False
    now = hold.services.clock.now()
    if audit.withdraw(connection, hold.workspace_id, found.id, now):
        audit.note(connection, hold.workspace_id, found.asked_by, Act.WITHDRAWN, now, detail="nobody would see it")
        if found.intent_id is not None:
            intents.drop_held(connection, hold.workspace_id, found.intent_id, Act.WITHDRAWN.value)
    return True


def named(connection: Connection, workspace_id: WorkspaceId, found: Approval) -> str:
    """What a request is about, in plain words."""
    if found.piece_id:
        piece = queries.piece_by_id(connection, workspace_id, found.piece_id)
        return f"piece {piece.ref}" if piece else "a piece"
    campaign = queries.campaign(connection, workspace_id, found.campaign_id)
    return campaign.facts.name if campaign else "a campaign"
