"""What is pressed on an answer of `/mailstatus`: another campaign, another range, fresh numbers, the curve."""

from dataclasses import replace

from sqlalchemy import Connection

from handlers.charts.drawing import Curve
from handlers.context import asker, replies
from handlers.context.access import note_shown
from handlers.context.lookups import campaign_of
from handlers.context.services import Request, Services
from handlers.errors import Outdated
from handlers.forecast import model
from handlers.forecast import queries as forecast_queries
from handlers.forecast.model import Forecast
from handlers.ingest import counting
from handlers.status import answers, comparing
from handlers.status import view as status_view
from handlers.text.buttons import Comparing, OneCampaign, carried
from handlers.text.codec import read


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
    """The same answer with fresh numbers, or with another range, in the same place."""
    campaign_id, span = carried(value)
    today = await asker.today_of(services, request)
    if campaign_id is None:
        message = await answers.account_message(services, request, span, today)
    else:
        campaign = await campaign_of(services, request, campaign_id)
        message = await answers.campaign_message(services, request, campaign, span, today, force=True)
    await replies.in_place(services, request, message)


async def compare(services: Services, request: Request, value: str) -> None:
    """Two were chosen to be compared: the answer goes to the channel."""
    await replies.to_channel(services, request, await comparing.message(services, request, read(Comparing, value)))


async def delivery_curve(services: Services, request: Request, value: str) -> None:
    """*Delivery curve*: actual against expected, in the thread of the answer."""
    campaign = await campaign_of(services, request, read(OneCampaign, value).campaign)
    await counting.bring_up_to_date(services, request.workspace.id, campaign.id)
    today = await asker.today_of(services, request)

    def look(connection: Connection) -> Forecast | None:
        return model.worked_out(forecast_queries.of_campaign(connection, request.workspace.id, campaign.id, today))

    told = await services.memory.read(look)
    title, caption = f"Delivery of {campaign.facts.name}", status_view.CURVE_CAPTION
    picture = await services.renderer.curve(Curve.of(title, caption, told)) if told else None
    message = status_view.curve_answer(campaign, told, picture)
    await replies.to_channel(services, replace(request, thread=request.message_ts or None), message)
