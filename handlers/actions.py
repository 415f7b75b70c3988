"""What somebody pressed, chose or submitted. A value from Slack is only an id: everything is looked up again."""

from dataclasses import replace
from decimal import Decimal

from sqlalchemy import Connection

from handlers import commands, expectations, forecasts, replies, surveys
from handlers.access import note_shown, require_canceller, require_shown
from handlers.approving import ask_second, needs_second, write_down
from handlers.arguments import Range
from handlers.cancelling import cancel_all, cancel_piece, stoppable
from handlers.charts import Curve
from handlers.forecasts import Point
from handlers.freshness import refresh_campaign
from handlers.lookups import Outdated, campaign_of, number_of, piece_of
from handlers.messages import Block, Message, escape, section
from handlers.ports import CampaignBooked, NotInChannel, Refusal
from handlers.services import Ask, Services
from handlers.views import alerts, cancel, controls, status, track, words
from storage import enquiries, transits, workspaces
from storage.audits import Act
from storage.records import (
    NO_CAMPAIGN,
    NO_PIECE,
    CampaignId,
    ChannelId,
    Mix,
    Money,
    StoredCampaign,
    StoredPiece,
    Want,
)

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
    if needs_second(ask, piece.cost or Decimal(0)):
        await ask_second(services, ask, piece.campaign_id, piece.id, f"piece {piece.ref}", _worth(ask, [piece]))
        await refused(services, ask, ASKED)
        return
    await stop_piece(services, ask, piece)


async def stop_piece(services: Services, ask: Ask, piece: StoredPiece) -> None:
    """Asks for it, and tells the asker and the channel what really happened."""
    result = await cancel_piece(services, ask.workspace, piece, ask.user)
    saved = Money(piece.cost, ask.workspace.currency) if piece.cost is not None else None
    message = cancel.piece_result(result, ask.user, services.clock.now(), saved)
    await write_down(services, ask, Act.CANCELLED, f"piece {piece.ref}", result.outcome.value)
    if ask.view_id:
        await services.slack.update_view(ask.view_id, track.modal("Cancel", message.blocks))
    else:
        await replies.to_asker(services, ask, message, replacing=True)
    if result.outcome is cancel.Outcome.CANCELLED and ask.channel:
        await _announce(services, ask, message)


async def _announce(services: Services, ask: Ask, message: Message) -> None:
    """Says it in the channel as well; the asker has their answer already, so a closed channel is no failure."""
    try:
        await services.slack.post(ask.channel, message)
    except (NotInChannel, Refusal):
        return


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
        return mix, stoppable(connection, ask.workspace, campaign.id)

    mix, pieces = await services.memory.read(look)
    dashboard = services.platform.dashboard(campaign.facts.ref)
    if not pieces:
        return cancel.nothing_to_cancel(campaign, dashboard)
    saves = _worth(ask, pieces)
    return cancel.dry_run(cancel.DryRun(campaign, mix, len(pieces), saves, dashboard, ask.channel))


def _worth(ask: Ask, pieces: list[StoredPiece]) -> Money:
    return Money(sum((piece.cost or Decimal(0) for piece in pieces), Decimal(0)), ask.workspace.currency)


async def cancel_campaign(services: Services, ask: Ask, metadata: str) -> None:
    """The dry run was confirmed: ask for each piece, and tell the channel what really happened."""
    await require_canceller(services, ask)
    campaign = await campaign_of(services, ask, metadata.partition("|")[0])
    fresh = await services.platform.campaign(campaign.facts.ref)
    dashboard = services.platform.dashboard(campaign.facts.ref)
    if fresh.status in status.UNBOOKED:
        await _tell(services, ask, await _delete(services, ask, campaign, dashboard))
        return
    await refresh_campaign(services, ask.workspace, campaign, force=True)
    pieces = await services.memory.read(stoppable, ask.workspace, campaign.id)
    worth = _worth(ask, pieces)
    if needs_second(ask, worth.amount):
        what = f"*{escape(campaign.facts.name)}*"
        await ask_second(services, ask, campaign.id, NO_PIECE, what, worth)
        return
    await _stop_all(services, ask, campaign, pieces)


async def stop_campaign(services: Services, ask: Ask, value: str) -> None:
    """All of a campaign that can still be stopped, after a second person agreed."""
    campaign = await campaign_of(services, ask, value)
    await refresh_campaign(services, ask.workspace, campaign, force=True)
    await _stop_all(services, ask, campaign, await services.memory.read(stoppable, ask.workspace, campaign.id))


async def _stop_all(services: Services, ask: Ask, campaign: StoredCampaign, pieces: list[StoredPiece]) -> None:
    dashboard = services.platform.dashboard(campaign.facts.ref)
    results = await cancel_all(services, ask.workspace, pieces, ask.user)
    stopped = [result.piece for result in results if result.outcome is cancel.Outcome.CANCELLED]
    now = services.clock.now()
    message = cancel.campaign_result(campaign, results, ask.user, now, _worth(ask, stopped), dashboard)
    told = f"{len(stopped)} of {len(results)} pieces stopped"
    await write_down(services, ask, Act.CANCELLED, campaign.facts.name, told)
    await _tell(services, ask, message)


async def _delete(services: Services, ask: Ask, campaign: StoredCampaign, dashboard: str) -> Message:
    try:
        await services.platform.delete_campaign(campaign.facts.ref)
    except CampaignBooked as booked:
        return cancel.booked(str(booked), dashboard)
    await write_down(services, ask, Act.CANCELLED, campaign.facts.name, "the draft was deleted")
    return cancel.deleted(campaign, ask.user, services.clock.now())


async def _tell(services: Services, ask: Ask, message: Message) -> None:
    """To the channel, or where that cannot be, to the person (a submitted modal has no address for answers)."""
    try:
        await services.slack.post(ask.channel, message)
    except Refusal:
        await services.slack.post(ask.user, message)


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
