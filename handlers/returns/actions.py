"""The returns desk: a campaign's returns with their addresses, checked, explained and settled by people."""

from collections import Counter
from dataclasses import replace

import structlog
from sqlalchemy import Connection

from handlers.charts.values import States
from handlers.context import replies
from handlers.context.audit import record_audit
from handlers.context.lookups import campaign_of, piece_of
from handlers.context.refreshing import as_known
from handlers.context.services import Request, Services
from handlers.errors import Outage, Outdated, Refusal, Trouble
from handlers.forecast import queries as forecast_queries
from handlers.ingest import counting
from handlers.returns import view as returns_view
from handlers.returns.view import RangeReturns, Returns
from handlers.status.view import CampaignLine
from handlers.text import buttons, formatting
from handlers.text.buttons import OneCampaign, OnePiece, OneReturn, ReturnsOf, Settled, Word
from handlers.text.codec import read
from handlers.text.messages import Block, Picture
from handlers.text.reasons import REASONS
from storage.audit import Act
from storage.queries import mail as queries
from storage.queries import returns
from storage.queries.returns import Place
from storage.records import NO_CAMPAIGN, ChannelId
from storage.statuses import Status

log = structlog.get_logger()


async def open_desk(services: Services, request: Request, value: str) -> None:
    """*Returns* of a campaign."""
    shown = ReturnsOf.behind(read(OneCampaign, value).campaign, None, request.channel, request.message_ts)
    await services.slack.open_view(request.trigger_id, await _returns(services, request, shown))


async def open_range(services: Services, request: Request, value: str) -> None:
    """*Returns* in Home: by campaign, over the mail of its range. Read from tallies."""
    _, span = buttons.carried(value)

    def look(connection: Connection) -> RangeReturns:
        mixes = queries.mixes(connection, request.workspace.id, span.days)
        known = queries.campaigns_of(connection, request.workspace.id)
        lines = [
            CampaignLine(one, mixes[one.id]) for one in known if one.id in mixes and mixes[one.id].of(Status.RETURNED)
        ]
        return RangeReturns(span, queries.merge(list(mixes.values())), lines)

    await services.slack.open_view(request.trigger_id, returns_view.range_desk(await services.memory.read(look)))


async def push_desk(services: Services, request: Request, value: str) -> None:
    """A campaign's desk, over the list of campaigns."""
    shown = ReturnsOf(read(OneCampaign, value).campaign)
    await services.slack.push_view(request.trigger_id, await _returns(services, request, shown))


async def turn_page(services: Services, request: Request, value: str) -> None:
    """The next page."""
    await services.slack.update_view(request.view_id, await _returns(services, request, read(ReturnsOf, value)))


async def _returns(services: Services, request: Request, asked: ReturnsOf, said: str = "") -> Block:
    campaign, last = await campaign_of(services, request, asked.campaign), asked.last

    def look(connection: Connection) -> Returns:
        workspace_id = request.workspace.id
        mix = queries.mix(connection, workspace_id, campaign.id)
        usual = forecast_queries.share_returned(queries.total(connection, workspace_id, but=[NO_CAMPAIGN, campaign.id]))
        # Without any, all of the campaign's pieces would be read to find none.
        any_back = bool(mix.of(Status.RETURNED))
        page = returns.latest(connection, workspace_id, campaign.id, last, returns_view.PAGE + 1) if any_back else []
        notes = returns.notes_of(connection, workspace_id, [piece.id for piece in page])
        places = returns.places_of(connection, workspace_id, campaign.id)
        handled = returns.count_handled(connection, workspace_id, campaign.id)
        return Returns(campaign, mix, usual, places, page, notes, asked.channel, asked.thread, last, handled, said)

    return returns_view.desk(await services.memory.read(look))


async def show_map(services: Services, request: Request, value: str) -> None:
    """Returns by state as a picture: in the thread from which the desk was opened, or to the person."""
    asked = read(ReturnsOf, value)
    campaign = await campaign_of(services, request, asked.campaign)
    await counting.bring_up_to_date(services, request.workspace.id, campaign.id)
    places: Counter[Place] = await services.memory.read(returns.places_of, request.workspace.id, campaign.id)
    mailed = await counting.mailed_by_state(services, request.workspace.id, campaign.id)
    rows = returns_view.rates_by_state(places, mailed)
    mix = await services.memory.read(queries.mix, request.workspace.id, campaign.id)
    message = returns_view.map_answer(campaign, mix, rows)
    if any(back for _, back, _ in rows):
        known = as_known(services, request.workspace).as_of or services.clock.now()
        moment = formatting.day(known.astimezone(services.policy.zone).date())
        states = States(campaign.facts.name, returns_view.map_headline(mix, rows), tuple(rows), moment)
        png = await services.renderer.states(states)
        message = replace(message, picture=Picture(png, message.text, f"Returns of {campaign.facts.name}"))
    place = replace(request, channel=asked.channel or ChannelId(request.user), thread=asked.thread or None)
    for_all = await replies.to_channel(services, place, message)
    if request.view_id:
        said = returns_view.map_shown(asked.channel, asked.thread, for_all=for_all)
        try:
            await services.slack.update_view(request.view_id, await _returns(services, request, asked, said))
        except Trouble as trouble:
            log.info("returns.list_not_renewed", reason=type(trouble).__name__, code=trouble.code)


async def open_piece(services: Services, request: Request, value: str) -> None:
    """One returned piece, over the list."""
    shown = replace(read(OneReturn, value), desk=request.view_id)
    await services.slack.push_view(request.trigger_id, await _piece(services, request, shown))


async def _piece(services: Services, request: Request, shown: OneReturn, said: str = "") -> Block:
    piece = await piece_of(services, request, shown.piece)
    notes = await services.memory.read(returns.notes_of, request.workspace.id, [piece.id])
    return returns_view.returned_piece(piece, notes.get(piece.id, returns.Note()), shown, said, services.clock.now())


async def _show_noted(services: Services, request: Request, shown: OneReturn) -> None:
    """The piece with what was noted, and the list under it, where that is still open."""
    await services.slack.update_view(request.view_id, await _piece(services, request, shown))
    if not shown.desk:
        return
    try:
        await services.slack.update_view(shown.desk, await _returns(services, request, shown.listed))
    except Trouble as trouble:
        log.info("returns.list_not_renewed", reason=type(trouble).__name__, code=trouble.code)


async def check_address(services: Services, request: Request, value: str) -> None:
    """Asks the platform's register of addresses."""
    piece = await piece_of(services, request, read(OnePiece, value).piece)
    shown, said = read(OneReturn, request.metadata), ""
    if piece.erased:
        said = "This piece's recipient was erased, so there's no address to check."
    elif not piece.recipient.address:
        said = "I don't know this piece's address yet. Open its tracking first."
    else:
        try:
            found = await services.platform.check_address(piece.recipient)
            shown = returns_view.checked(shown, found)
            said_of_it = "in the postal database" if found.is_valid else "not in the postal database"
            await record_audit(services, request, Act.CHECKED, f"piece {piece.ref}", said_of_it)
        except (Outage, Refusal) as trouble:
            said = f"The address couldn't be checked: {trouble}"
    await services.slack.update_view(request.view_id, await _piece(services, request, shown, said))


async def note_reason(services: Services, request: Request, value: str) -> None:
    """Why it came back, as it stands on the piece."""
    shown = read(OneReturn, request.metadata)
    piece = await piece_of(services, request, shown.piece)
    reason = read(Word, value).word
    if reason not in REASONS:
        raise Outdated

    def note(connection: Connection) -> bool:
        return returns.note_reason(connection, request.workspace.id, piece.id, reason, request.user)

    why = REASONS[reason]
    await record_audit(services, request, Act.REASON, f"piece {piece.ref}", why, work=note)
    await _show_noted(services, request, shown)


async def mark_handled(services: Services, request: Request, value: str) -> None:
    """Settled, or open again."""
    asked, shown = read(Settled, value), read(OneReturn, request.metadata)
    piece = await piece_of(services, request, asked.piece)
    moment = services.clock.now() if asked.done else None

    def settle(connection: Connection) -> bool:
        return returns.settle(connection, request.workspace.id, piece.id, request.user, moment)

    act = Act.HANDLED if asked.done else Act.REOPENED
    await record_audit(services, request, act, f"piece {piece.ref}", work=settle)
    await _show_noted(services, request, shown)
