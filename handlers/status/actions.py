"""What is pressed on an answer of `/mailstatus`: another campaign, another range, fresh numbers, the curve."""

from dataclasses import replace
from datetime import date

from sqlalchemy import Connection

from handlers.charts.values import Curve
from handlers.context import asker, replies
from handlers.context.access import note_shown
from handlers.context.lookups import campaign_of
from handlers.context.services import Request, Services
from handlers.errors import Outdated
from handlers.forecast import model
from handlers.forecast import queries as forecast_queries
from handlers.forecast.model import Forecast
from handlers.ingest import counting
from handlers.status import answers, choice_view, comparing
from handlers.status import view as status_view
from handlers.text import codec, parsing
from handlers.text.buttons import Comparing, OneCampaign, OtherDates, carried
from handlers.text.codec import read
from handlers.text.parsing import Range
from storage.queries import mail as queries
from storage.records import CampaignId, Mix


async def pick_campaign(services: Services, request: Request, value: str) -> None:
    """A campaign was chosen from a list: its answer goes to the channel."""
    campaign_id, span = carried(value)
    if campaign_id is None:
        raise Outdated
    campaign = await campaign_of(services, request, campaign_id)
    today = await asker.today_of(services, request)
    message = await answers.campaign_message(services, request, campaign, span, today)
    await replies.to_channel(services, request, message)
    await note_shown(services, request, campaign.id)


async def refresh(services: Services, request: Request, value: str) -> None:
    """The same answer with fresh numbers, or with another range, or with calendars to choose one, in the same place."""
    picks = codec.is_of(OtherDates, value)
    campaign_id, span = carried(read(OtherDates, value).shown if picks else value)
    today = await asker.today_of(services, request)
    if span.days.current:
        span = parsing.now(today)
    await _show(services, request, campaign_id, span, today, picks=picks)


async def _show(
    services: Services, request: Request, campaign_id: CampaignId | None, span: Range, today: date, note: str = "",
    *, picks: bool = False,
) -> None:  # fmt: skip
    if campaign_id is None:
        message = await answers.account_message(services, request, span, today)
    else:
        campaign = await campaign_of(services, request, campaign_id)
        message = await answers.campaign_message(services, request, campaign, span, today, force=True)
    message = status_view.picking(message, campaign_id, span) if picks else message
    await replies.in_place(services, request, choice_view.noted(message, note))


async def choose_first(services: Services, request: Request, value: str) -> None:
    """The first day of a range was chosen in the answer's calendar."""
    await _choose_day(services, request, value, is_first=True)


async def choose_last(services: Services, request: Request, value: str) -> None:
    """The last day."""
    await _choose_day(services, request, value, is_first=False)


async def _choose_day(services: Services, request: Request, value: str, *, is_first: bool) -> None:
    """The same answer of the range that this day makes with the other one; without another, of this day until today."""
    (campaign_id, shown), today = carried(request.block_id), await asker.today_of(services, request)
    try:
        chosen = date.fromisoformat(value)
    except ValueError:
        raise Outdated from None
    first = chosen if is_first else (shown.days.first or chosen)
    last = (shown.days.last or today) if is_first else chosen
    kept, note = parsing.between(first, last, today)
    await _show(services, request, campaign_id, parsing.kept(kept, today), today, note, picks=True)


async def compare(services: Services, request: Request, value: str) -> None:
    """Two were chosen to be compared: the answer goes to the channel."""
    those = read(Comparing, value)
    await replies.to_channel(services, request, await comparing.message(services, request, those))
    await comparing.note_compared(services, request, those)


async def delivery_curve(services: Services, request: Request, value: str) -> None:
    """*Delivery curve*: actual against expected, in the thread of the answer."""
    campaign = await campaign_of(services, request, read(OneCampaign, value).campaign)
    await counting.bring_up_to_date(services, request.workspace.id, campaign.id)
    today = await asker.today_of(services, request)

    def look(connection: Connection) -> tuple[Forecast | None, Mix]:
        told = forecast_queries.of_campaign(connection, request.workspace.id, campaign.id, today)
        return model.worked_out(told), queries.mix(connection, request.workspace.id, campaign.id)

    told, mix = await services.memory.read(look)
    picture = None
    if told:
        curve = Curve.of(campaign.facts.name, status_view.curve_headline(told), told, mix)
        picture = await services.renderer.curve(curve)
    message = status_view.curve_answer(campaign, told, mix, picture, services.platform.name)
    await replies.to_channel(services, replace(request, thread=request.message_ts or None), message)
