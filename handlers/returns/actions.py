"""The returns desk: a campaign's returns with their addresses, checked, explained and settled by people."""

from collections import Counter
from dataclasses import replace

from sqlalchemy import Connection

from handlers.charts.drawing import Bars
from handlers.context import kept, replies
from handlers.context.lookups import Outdated, campaign_of, number_of, piece_of
from handlers.context.ports import AddressCheck
from handlers.context.services import Ask, Services
from handlers.errors import Outage, Refusal
from handlers.forecast import queries as forecast_queries
from handlers.ingest import counting
from handlers.returns import view as returns_view
from handlers.returns.view import Desk, RangeDesk
from handlers.status.view import Line
from handlers.text import buttons
from handlers.text.messages import Block, Picture
from handlers.text.status_styles import STYLES
from storage.queries import mail as queries
from storage.queries import piece_pages, returns
from storage.queries.piece_pages import Wish
from storage.queries.returns import Place
from storage.records import NO_CAMPAIGN, ChannelId, PieceId, StoredCampaign
from storage.statuses import Status


async def open_desk(services: Services, ask: Ask, value: str) -> None:
    """*Returns* of a campaign."""
    campaign = await campaign_of(services, ask, value)
    origin = f"{ask.channel},{ask.message_ts}" if ask.channel else ""
    await services.slack.open_view(ask.trigger_id, await _desk(services, ask, campaign, origin, None))


async def open_range(services: Services, ask: Ask, value: str) -> None:
    """*Returns* in Home: by campaign, over the mail of its range. Read from tallies."""
    try:
        _, span = buttons.carried(value)
    except ValueError:
        raise Outdated from None

    def look(connection: Connection) -> RangeDesk:
        mixes = queries.mixes(connection, ask.workspace.id, span.days)
        known = queries.campaigns_of(connection, ask.workspace.id)
        lines = [Line(one, mixes[one.id]) for one in known if one.id in mixes and mixes[one.id].of(Status.RETURNED)]
        return RangeDesk(span, queries.merge(list(mixes.values())), lines)

    await services.slack.open_view(ask.trigger_id, returns_view.range_desk(await services.memory.read(look)))


async def push_desk(services: Services, ask: Ask, value: str) -> None:
    """A campaign's desk, over the list of campaigns."""
    campaign = await campaign_of(services, ask, value)
    await services.slack.push_view(ask.trigger_id, await _desk(services, ask, campaign, "", None))


async def turn_page(services: Services, ask: Ask, value: str) -> None:
    """The next page."""
    key, _, rest = value.partition("|")
    after, _, origin = rest.partition("|")
    campaign = await campaign_of(services, ask, key)
    view = await _desk(services, ask, campaign, origin, PieceId(number_of(after)))
    await services.slack.update_view(ask.view_id, view)


async def _desk(services: Services, ask: Ask, campaign: StoredCampaign, origin: str, after: PieceId | None) -> Block:
    def look(connection: Connection) -> Desk:
        workspace_id = ask.workspace.id
        mix = queries.mix(connection, workspace_id, campaign.id)
        usual = forecast_queries.share_returned(queries.total(connection, workspace_id, but=[NO_CAMPAIGN, campaign.id]))
        wish = Wish(Status.RETURNED)
        page = (
            piece_pages.page(connection, workspace_id, campaign.id, wish, after, returns_view.PAGE + 1)
            if mix.of(Status.RETURNED)
            else []
        )
        notes = returns.notes_of(connection, workspace_id, [piece.id for piece in page])
        places = returns.places_of(connection, workspace_id, campaign.id)
        return Desk(campaign, mix, usual, places, page, notes, origin, after)

    return returns_view.desk(await services.memory.read(look))


async def show_map(services: Services, ask: Ask, value: str) -> None:
    """Returns by state as a picture: in the thread from which the desk was opened, or to the person."""
    key, _, origin = value.partition("|")
    campaign = await campaign_of(services, ask, key)
    await counting.bring_up_to_date(services, ask.workspace.id, campaign.id)
    places: Counter[Place] = await services.memory.read(returns.places_of, ask.workspace.id, campaign.id)
    rows = returns_view.by_state(places)
    most = tuple(rows[: returns_view.BARS])
    shown = "Returned pieces by the state they were sent to"
    message = returns_view.map_answer(campaign, places, shown)
    if most:
        bars = Bars(f"Returns of {campaign.facts.name}", shown, most, STYLES[Status.RETURNED].color)
        picture = Picture(await services.studio.bars(bars), message.text, bars.title)
        message = replace(message, picture=picture)
    channel, _, thread = origin.partition(",")
    place = replace(ask, channel=ChannelId(channel or ask.user), thread=thread or None)
    await replies.to_channel(services, place, message)


async def open_piece(services: Services, ask: Ask, value: str) -> None:
    """One returned piece, over the list."""
    piece = await piece_of(services, ask, value)
    await services.slack.push_view(ask.trigger_id, await _piece(services, ask, piece.id))


async def _piece(
    services: Services, ask: Ask, piece_id: PieceId, check: AddressCheck | None = None, said: str = ""
) -> Block:
    piece = await piece_of(services, ask, str(piece_id))
    notes = await services.memory.read(returns.notes_of, ask.workspace.id, [piece_id])
    return returns_view.returned_piece(piece, notes.get(piece_id, returns.Note()), check, said)


async def check_address(services: Services, ask: Ask, value: str) -> None:
    """Asks the platform's register of addresses."""
    piece = await piece_of(services, ask, value)
    check, said = None, ""
    if not piece.recipient.address:
        said = "Stannp has not told this piece's address yet: open its tracking first."
    else:
        try:
            check = await services.platform.check_address(piece.recipient)
        except (Outage, Refusal) as trouble:
            said = f"The address could not be checked: {trouble}"
    await services.slack.update_view(ask.view_id, await _piece(services, ask, piece.id, check, said))


async def note_reason(services: Services, ask: Ask, value: str) -> None:
    """Why it came back, as it stands on the piece."""
    piece = await piece_of(services, ask, ask.metadata)
    if value not in returns_view.REASONS:
        raise Outdated

    def note(connection: Connection) -> None:
        if kept.is_first(connection, ask.kept):
            returns.note_reason(connection, ask.workspace.id, piece.id, value, ask.user)

    await services.memory.write(note)
    await services.slack.update_view(ask.view_id, await _piece(services, ask, piece.id))


async def mark_handled(services: Services, ask: Ask, value: str) -> None:
    """Settled, or open again."""
    key, _, done = value.partition("|")
    piece = await piece_of(services, ask, key)
    moment = services.clock.now() if done else None

    def settle(connection: Connection) -> None:
        if kept.is_first(connection, ask.kept):
            returns.settle(connection, ask.workspace.id, piece.id, ask.user, moment)

    await services.memory.write(settle)
    await services.slack.update_view(ask.view_id, await _piece(services, ask, piece.id))
