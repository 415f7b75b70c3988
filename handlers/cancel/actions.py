"""*Cancel…* and *Cancel this piece*: a dry run first, a second person where one is needed, then the work is begun."""

import asyncio
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import Connection

from handlers.cancel import view as cancel_view
from handlers.cancel.approval_view import Wanted
from handlers.cancel.requests import ask_second
from handlers.cancel.stopping import (
    Standing,
    Worth,
    delete_draft,
    payload_of,
    standing_of,
    stop_pieces,
    stoppable,
    worth_of,
)
from handlers.context import intents as working
from handlers.context import kept
from handlers.context.access import needs_second, require_canceller
from handlers.context.lookups import campaign_of, piece_of
from handlers.context.ports import Ability
from handlers.context.refreshing import refresh_campaign
from handlers.context.replies import refused
from handlers.context.services import Request, Services
from handlers.errors import Outage, Outdated, Refusal
from handlers.text import formatting, messages, short_answers
from handlers.text.buttons import Cancelling, OneCampaign, OnePiece
from handlers.text.codec import read
from handlers.text.messages import Block, Message, section
from storage import audit
from storage import intents as stored
from storage.audit import Act
from storage.intents import Intent, Kind
from storage.queries import mail as queries
from storage.records import (
    NO_PIECE,
    CampaignStage,
    Mix,
    Money,
    StoredCampaign,
    StoredPiece,
)

log = structlog.get_logger()

ASKED = "Somebody else has to approve this: the request stands in the channel."


async def cancel_one(services: Services, request: Request, value: str) -> None:
    """*Cancel this piece*, after its confirm dialog. The channel reads who did what."""
    await require_canceller(services, request)
    piece = await piece_of(services, request, read(OnePiece, value).piece)
    worth, payload = worth_of([piece], request.workspace.currency), payload_of(request)
    if needs_second(request.workspace.rules, worth.amount.amount, worth.unpriced):
        wanted = Wanted(f"piece {piece.ref}", 1, worth.amount, worth.unpriced)
        later = await ask_second(services, request, wanted, (payload, [piece.id]), (piece.campaign_id, piece.id))
        await refused(services, request, short_answers.refusal(later or ASKED))
        return
    note = partial(_note_asked, request=request, subject=f"piece {piece.ref}", worth=worth, now=services.clock.now())
    secrets = {"url": request.response_url} if request.response_url else {}
    key = request.workspace.id
    number = await working.keep(
        services, key, Kind.CANCEL, payload, secrets, piece_ids=[piece.id], also=note, asked=request.kept
    )
    await working.begin(services, key, number, stop_pieces)


def _note_asked(connection: Connection, request: Request, subject: str, worth: Worth, now: datetime) -> None:
    detail = f"{formatting.pieces(worth.pieces)} worth {formatting.money(worth.amount)}"
    audit.note(connection, request.workspace.id, request.user, Act.CANCELLED, now, subject=subject, detail=detail)


async def ask_cancel_campaign(services: Services, request: Request, value: str) -> None:
    """*Cancel…* on a campaign: a dry run first, in a modal."""
    await require_canceller(services, request)
    campaign = await campaign_of(services, request, read(OneCampaign, value).campaign)
    waiting = messages.modal(
        "Cancel campaign", [section(f"Asking {services.platform.name} what can still be stopped…")]
    )
    view_id = await services.slack.open_view(request.trigger_id, waiting)
    await services.slack.update_view(view_id, await _cancel_form(services, request, campaign))


async def _cancel_form(services: Services, request: Request, campaign: StoredCampaign) -> Block:
    fresh = await services.platform.campaign(campaign.facts.ref)
    if fresh.stage is CampaignStage.DRAFT:
        return cancel_view.delete_form(campaign, request.channel, services.platform.name)
    await refresh_campaign(services, request.workspace, campaign, force=True)

    def look(connection: Connection) -> tuple[Mix, list[StoredPiece]]:
        mix = queries.mix(connection, request.workspace.id, campaign.id)
        return mix, stoppable(connection, request.workspace.id, campaign.id)

    mix, pieces = await services.memory.read(look)
    dashboard = services.platform.dashboard(campaign.facts.ref)
    if not pieces:
        return cancel_view.nothing_to_cancel(campaign, mix, dashboard, services.platform.name)
    worth = worth_of(pieces, request.workspace.currency)
    ids, payload = [piece.id for piece in pieces], payload_of(request, campaign.id)
    # What is confirmed is what was shown: the form names these pieces, however the campaign grows meanwhile.
    number = await services.memory.write(
        stored.keep, request.workspace.id, Kind.CANCEL, payload, piece_ids=ids, held=True
    )  # fmt: skip
    above = request.workspace.rules.approval_above
    asks = needs_second(request.workspace.rules, worth.amount.amount, worth.unpriced)
    plan = cancel_view.DryRun(
        campaign,
        mix,
        len(pieces),
        worth.amount,
        worth.unpriced,
        dashboard,
        request.channel,
        number,
        services.platform.name,
        Ability.CANCEL_BOOKED in services.platform.profile.abilities,
        Money(above, request.workspace.currency) if asks and above is not None else None,
    )
    return cancel_view.dry_run(plan)


async def cancel_campaign(services: Services, request: Request, asked: Cancelling) -> None:
    """The dry run was confirmed: what it showed is stopped, or waits for a second person."""
    await require_canceller(services, request)
    campaign = await campaign_of(services, request, asked.campaign)
    if asked.intent is None:
        await _delete(services, request, campaign)
        return
    intent = await services.memory.read(stored.of, request.workspace.id, asked.intent)
    if intent is None or intent.kind is not Kind.CANCEL or intent.payload["by"] != request.user:
        raise Outdated
    if intent.payload["campaign"] != campaign.id:
        raise Outdated
    await refresh_campaign(services, request.workspace, campaign, force=True)
    standing = await services.memory.read(standing_of, request.workspace.id, intent.id, campaign.id)
    worth, name = worth_of(standing.pieces, request.workspace.currency), campaign.facts.name
    if needs_second(request.workspace.rules, worth.amount.amount, worth.unpriced):
        wanted = Wanted(name, worth.pieces, worth.amount, worth.unpriced)
        later = await ask_second(services, request, wanted, intent.id, (campaign.id, NO_PIECE))
        if later:
            await refused(services, request, short_answers.refusal(later))
        return
    if not await services.memory.write(_confirm, request, intent, campaign, worth, services.clock.now()):
        raise Outdated
    await stop(services, request, intent.id, name, standing)


def _confirm(
    connection: Connection, request: Request, intent: Intent, campaign: StoredCampaign, worth: Worth, now: datetime
) -> bool:
    # The form may have stood open for long: it is asked for now.
    payload = {**intent.payload, "asked_at": int(now.timestamp())}
    if not stored.release_held(connection, request.workspace.id, intent.id, payload):
        return False
    _note_asked(connection, request, campaign.facts.name, worth, now)
    kept.pass_on(connection, request.kept)
    return True


async def stop(services: Services, request: Request, intent_id: int, name: str, standing: Standing) -> None:
    """Works off what was decided, from now on, and says so at once."""
    first = cancel_view.begun(name, len(standing.pieces), standing.grown)
    await asyncio.gather(
        _say_first(services, request, first), working.begin(services, request.workspace.id, intent_id, stop_pieces)
    )


async def _say_first(services: Services, request: Request, message: Message) -> None:
    """To the person who confirmed, where they are. Without it the end is told all the same."""
    try:
        await services.slack.whisper(request.channel, request.user, message)
    except Outage as outage:
        log.info("cancel.begun_untold", reason=type(outage).__name__)
    except Refusal:
        try:
            await services.slack.post(request.user, message)
        except (Outage, Refusal) as trouble:
            log.info("cancel.begun_untold", reason=type(trouble).__name__, code=trouble.code)


async def _delete(services: Services, request: Request, campaign: StoredCampaign) -> None:
    payload = payload_of(request, campaign.id)
    note = partial(
        audit.note, workspace_id=request.workspace.id, person=request.user, act=Act.CANCELLED, now=services.clock.now(),
        subject=campaign.facts.name, detail="a draft",
    )  # fmt: skip
    number = await working.keep(services, request.workspace.id, Kind.DELETE, payload, also=note, asked=request.kept)
    await working.begin(services, request.workspace.id, number, delete_draft)
