"""What somebody pressed, chose or submitted. A value from Slack is only an id: everything is looked up again."""

import asyncio
from dataclasses import replace
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import Connection

from handlers import commands, expectations, forecasts, intents, replies, surveys
from handlers.access import note_shown, require_canceller, require_shown
from handlers.approving import ask_second, needs_second
from handlers.arguments import Range
from handlers.cancelling import (
    Standing,
    Worth,
    delete_draft,
    payload_of,
    standing_of,
    stop_pieces,
    stoppable,
    worth_of,
)
from handlers.charts import Curve
from handlers.forecasts import Point
from handlers.freshness import refresh_campaign
from handlers.lookups import Outdated, campaign_of, number_of, piece_of
from handlers.messages import Block, Message, escape, section
from handlers.ports import Outage, Refusal
from handlers.services import Ask, Services
from handlers.views import alerts, cancel, controls, status, track, words
from handlers.views.rules import Wanted
from storage import audits, enquiries, transits, workspaces
from storage import intents as stored
from storage.audits import Act
from storage.intents import Intent, Kind
from storage.records import (
    NO_CAMPAIGN,
    NO_PIECE,
    CampaignId,
    ChannelId,
    Mix,
    StoredCampaign,
    StoredPiece,
    Want,
)

log = structlog.get_logger()

ASKED = "Somebody else has to approve this: the request stands in the channel."


def _carried(value: str) -> tuple[CampaignId | None, Range]:
    try:
        return controls.carried(value)
    except ValueError:
        raise Outdated from None


async def pick_campaign(services: Services, ask: Ask, value: str) -> None:
    """A campaign was chosen from a list: its answer goes to the channel."""
    campaign_id, span = _carried(value)
    campaign = await campaign_of(services, ask, str(campaign_id))
    today = await commands.today_of(services, ask)
    message = await commands.campaign_message(services, ask, campaign, span, today)
    await replies.to_channel(services, ask, message)
    await note_shown(services, ask, campaign.id)


async def pick_piece(services: Services, ask: Ask, value: str) -> None:
    """A piece was chosen from a list: its timeline takes the list's place."""
    piece = await piece_of(services, ask, value)
    message = await commands.piece_message(services, ask, piece)
    await replies.to_asker(services, ask, message, replacing=True)


async def refresh(services: Services, ask: Ask, value: str) -> None:
    """The same answer with fresh numbers, or with another range, in the same place."""
    campaign_id, span = _carried(value)
    today = await commands.today_of(services, ask)
    if campaign_id is None:
        message = await commands.account_message(services, ask, span, today)
    else:
        campaign = await campaign_of(services, ask, str(campaign_id))
        message = await commands.campaign_message(services, ask, campaign, span, today, force=True)
    await replies.in_place(services, ask, message)


async def track_piece(services: Services, ask: Ask, value: str) -> None:
    """A piece's timeline: over the open list, or for the asker alone in the channel."""
    piece = await piece_of(services, ask, value)
    if not ask.view_id:
        await replies.to_asker(services, ask, await commands.piece_message(services, ask, piece))
        return
    await require_shown(services, ask, piece.campaign_id, piece)
    waiting = track.modal("Tracking", [section("Asking Stannp for the latest scans…")])
    view_id = await services.slack.push_view(ask.trigger_id, waiting)
    message = await commands.piece_message(services, ask, piece)
    await services.slack.update_view(view_id, track.modal(f"Piece {piece.ref}", message.blocks))


async def share_piece(services: Services, ask: Ask, value: str) -> None:
    """*Share to channel* on a private timeline: everyone there sees it, without the full name and address."""
    piece = await piece_of(services, ask, value)
    scans = await services.memory.read(enquiries.timeline, ask.workspace.id, piece.id)
    if not ask.channel:
        raise Refusal("There is no channel here to share it with. Ask with `/mailtrack` in the channel.")
    await services.slack.post(ask.channel, track.shared(piece, scans, ask.user))
    await note_shown(services, ask, piece.campaign_id, piece.id)


async def cancel_one(services: Services, ask: Ask, value: str) -> None:
    """*Cancel this piece*, after its confirm dialog. The channel reads who did what."""
    await require_canceller(services, ask)
    piece = await piece_of(services, ask, value)
    worth, payload = worth_of([piece], ask.workspace.currency), payload_of(ask)
    if needs_second(ask, worth.amount.amount, worth.unpriced):
        wanted = Wanted(f"piece {escape(piece.ref)}", 1, worth.amount, worth.unpriced)
        later = await ask_second(services, ask, wanted, (payload, [piece.id]), (piece.campaign_id, piece.id))
        await refused(services, ask, later or ASKED)
        return
    note = partial(_note_asked, ask=ask, subject=f"piece {piece.ref}", worth=worth, now=services.clock.now())
    secrets = {"url": ask.response_url} if ask.response_url else {}
    key = ask.workspace.id
    number = await intents.keep(services, key, Kind.CANCEL, payload, secrets, piece_ids=[piece.id], also=note)
    await intents.begin(services, key, number, stop_pieces)


def _note_asked(connection: Connection, ask: Ask, subject: str, worth: Worth, now: datetime) -> None:
    detail = f"{worth.pieces} pieces worth {worth.amount.amount} {worth.amount.currency}"
    audits.note(connection, ask.workspace.id, ask.user, Act.CANCELLED, now, subject=subject, detail=detail)


async def ask_cancel_campaign(services: Services, ask: Ask, value: str) -> None:
    """*Cancel…* on a campaign: a dry run first, in a modal."""
    await require_canceller(services, ask)
    campaign = await campaign_of(services, ask, value)
    waiting = track.modal("Cancel campaign", [section("Asking Stannp what can still be stopped…")])
    view_id = await services.slack.open_view(ask.trigger_id, waiting)
    await services.slack.update_view(view_id, await _cancel_form(services, ask, campaign))


async def _cancel_form(services: Services, ask: Ask, campaign: StoredCampaign) -> Block:
    fresh = await services.platform.campaign(campaign.facts.ref)
    if fresh.status in status.UNBOOKED:
        return cancel.delete_form(campaign, ask.channel)
    await refresh_campaign(services, ask.workspace, campaign, force=True)

    def look(connection: Connection) -> tuple[Mix, list[StoredPiece]]:
        mix = enquiries.mix(connection, ask.workspace.id, campaign.id)
        return mix, stoppable(connection, ask.workspace.id, campaign.id)

    mix, pieces = await services.memory.read(look)
    dashboard = services.platform.dashboard(campaign.facts.ref)
    if not pieces:
        return cancel.nothing_to_cancel(campaign, dashboard)
    worth = worth_of(pieces, ask.workspace.currency)
    ids, payload = [piece.id for piece in pieces], payload_of(ask, campaign.id)
    # What is confirmed is what was shown: the form names these pieces, however the campaign grows meanwhile.
    number = await services.memory.write(
        stored.keep, ask.workspace.id, Kind.CANCEL, payload, piece_ids=ids, held=True
    )  # fmt: skip
    plan = cancel.DryRun(campaign, mix, len(pieces), worth.amount, worth.unpriced, dashboard, ask.channel, number)
    return cancel.dry_run(plan)


async def cancel_campaign(services: Services, ask: Ask, metadata: str) -> None:
    """The dry run was confirmed: what it showed is stopped, or waits for a second person."""
    await require_canceller(services, ask)
    named = metadata.partition("|")[0]
    if not named.startswith(cancel.CONFIRMS):
        await _delete(services, ask, await campaign_of(services, ask, named))
        return
    intent = await services.memory.read(stored.of, ask.workspace.id, number_of(named[len(cancel.CONFIRMS) :]))
    if intent is None or intent.kind is not Kind.CANCEL or intent.payload["by"] != ask.user:
        raise Outdated
    campaign = await campaign_of(services, ask, str(intent.payload["campaign"]))
    await refresh_campaign(services, ask.workspace, campaign, force=True)
    standing = await services.memory.read(standing_of, ask.workspace.id, intent.id, campaign.id)
    worth, name = worth_of(standing.pieces, ask.workspace.currency), escape(campaign.facts.name)
    if needs_second(ask, worth.amount.amount, worth.unpriced):
        wanted = Wanted(f"*{name}*", worth.pieces, worth.amount, worth.unpriced)
        later = await ask_second(services, ask, wanted, intent.id, (campaign.id, NO_PIECE))
        if later:
            await refused(services, ask, later)
        return
    if not await services.memory.write(_confirm, ask, intent, campaign, worth, services.clock.now()):
        raise Outdated
    await stop(services, ask, intent.id, name, standing)


def _confirm(
    connection: Connection, ask: Ask, intent: Intent, campaign: StoredCampaign, worth: Worth, now: datetime
) -> bool:
    if not stored.release_held(connection, ask.workspace.id, intent.id, intent.payload):
        return False
    _note_asked(connection, ask, campaign.facts.name, worth, now)
    return True


async def stop(services: Services, ask: Ask, intent_id: int, name: str, standing: Standing) -> None:
    """Works off what was decided, from now on, and says so at once. `name` is escaped."""
    first = cancel.begun(name, len(standing.pieces), standing.grown)
    await asyncio.gather(
        _say_first(services, ask, first), intents.begin(services, ask.workspace.id, intent_id, stop_pieces)
    )


async def _say_first(services: Services, ask: Ask, message: Message) -> None:
    """To the person who confirmed, where they are. Without it the end is told all the same."""
    try:
        await services.slack.whisper(ask.channel, ask.user, message)
    except Outage as outage:
        log.info("cancel.begun_untold", reason=type(outage).__name__)
    except Refusal:
        try:
            await services.slack.post(ask.user, message)
        except (Outage, Refusal) as trouble:
            log.info("cancel.begun_untold", reason=type(trouble).__name__, code=trouble.code)


async def _delete(services: Services, ask: Ask, campaign: StoredCampaign) -> None:
    payload = payload_of(ask, campaign.id)
    note = partial(
        audits.note, workspace_id=ask.workspace.id, person=ask.user, act=Act.CANCELLED, now=services.clock.now(),
        subject=campaign.facts.name, detail="a draft",
    )  # fmt: skip
    number = await intents.keep(services, ask.workspace.id, Kind.DELETE, payload, also=note)
    await intents.begin(services, ask.workspace.id, number, delete_draft)


async def delivery_curve(services: Services, ask: Ask, value: str) -> None:
    """*Delivery curve*: actual against expected, in the thread of the answer."""
    campaign = await campaign_of(services, ask, value)
    await surveys.bring_up_to_date(services, ask.workspace.id, campaign.id)
    today = await commands.today_of(services, ask)

    def look(connection: Connection) -> tuple[list[Point], int]:
        known = transits.since(connection, ask.workspace.id, today - forecasts.HISTORY)
        expected, those = expectations.split(known, campaign.id, today)
        return forecasts.points(those, expected, today), len(expected.curves)

    points, own = await services.memory.read(look)
    title, caption = f"Delivery of {campaign.facts.name}", status.CURVE_CAPTION
    picture = await services.studio.curve(Curve(title, caption, tuple(points))) if points else None
    message = status.curve_answer(campaign, points, own, picture)
    await replies.to_channel(services, replace(ask, thread=ask.message_ts or None), message)


async def alert_settings(services: Services, ask: Ask, _value: str) -> None:
    """*Alert settings*: the same modal as `/mailalerts`."""
    await commands.open_alert_settings(services, ask)


async def save_alerts(
    services: Services, ask: Ask, campaign: str, wants: list[str], hours: tuple[str, str, str]
) -> None:
    """The settings were saved: they take the place of what this channel was told before."""
    try:
        chosen, told_at = frozenset(Want(want) for want in wants), alerts.chosen_hours("", *hours)
    except ValueError:
        raise Outdated from None
    campaign_id = CampaignId(number_of(campaign))
    what = alerts.EVERY
    if campaign_id != NO_CAMPAIGN:
        what = f"*{escape((await campaign_of(services, ask, campaign)).facts.name)}*"
    await commands.subscribe(services, ask, campaign_id, what, chosen, told_at)
    await services.memory.write(_drop_others, ask, campaign_id)


def _drop_others(connection: Connection, ask: Ask, kept: CampaignId) -> None:
    for one in workspaces.subscriptions_of(connection, ask.workspace.id, ChannelId(ask.channel)):
        if one.campaign_id != kept:
            workspaces.unsubscribe(connection, ask.workspace.id, one.channel, one.campaign_id)


async def refused(services: Services, ask: Ask, text: str) -> None:
    """Something could not be done: the reason, to the person who asked, wherever they can be reached."""
    message = words.plain(text)
    if ask.response_url or ask.channel:
        await replies.to_asker(services, ask, message)
    elif ask.view_id:
        await services.slack.update_view(ask.view_id, track.modal("Not possible", message.blocks))
    else:
        await services.slack.post(ask.user, message)
