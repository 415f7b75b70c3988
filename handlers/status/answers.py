"""What `/mailstatus` answers: a campaign's mix, or the account's, with its picture and how fresh it is."""

from dataclasses import replace
from datetime import date

from sqlalchemy import Connection

from handlers.charts.values import Pie
from handlers.context.access import require_insider, require_shown
from handlers.context.refreshing import Freshness, refresh_account, refresh_campaign
from handlers.context.services import Request, Services
from handlers.forecast import model
from handlers.forecast import queries as forecast_queries
from handlers.forecast.model import Progress
from handlers.status import view as status_view
from handlers.text import formatting, ranges
from handlers.text.messages import Message
from handlers.text.parsing import Range
from storage import workspaces
from storage.queries import mail as queries
from storage.queries import piece_pages
from storage.queries.mail import Days
from storage.records import CampaignId, Mix, StoredCampaign


async def campaign_message(
    services: Services, request: Request, campaign: StoredCampaign, span: Range, today: date, *, force: bool = False,
    when: bool = False, pace: bool = False,
) -> Message:  # fmt: skip
    """One campaign's answer with its picture. `when`, `pace`: that was asked."""
    await require_shown(services, request, campaign.id)
    fresh = await refresh_campaign(services, request.workspace, campaign, force=force)

    def look(connection: Connection) -> tuple[StoredCampaign, status_view.Standing, Progress | None]:
        mix = queries.mix(connection, request.workspace.id, campaign.id, span.days)
        again = queries.campaign(connection, request.workspace.id, campaign.id) or campaign
        told = forecast_queries.of_campaign(connection, request.workspace.id, campaign.id, today)
        progress = model.progress(told) if told else None
        standing = standing_of(connection, request, mix, span, today, fresh, campaign.id)
        met = piece_pages.foreign_words(connection, request.workspace.id, campaign.id) if mix.other else []
        return again, replace(standing, words=met), progress

    again, standing, progress = await services.memory.read(look)
    picture = await _draw(services, again.facts.name, standing)
    return status_view.campaign_answer(again, standing, picture, progress, when=when, pace=pace)


async def account_message(services: Services, request: Request, span: Range, today: date) -> Message:
    """The whole account's answer with its picture."""
    require_insider(request)
    fresh = await refresh_account(services, request.workspace)

    def look(connection: Connection) -> tuple[list[status_view.CampaignLine], int, status_view.Standing, int]:
        mix = queries.total(connection, request.workspace.id, span.days)
        shown = queries.listed(connection, request.workspace.id, span.days, 0, status_view.LISTED)
        number = queries.number_listed(connection, request.workspace.id, span.days)
        lines = [status_view.CampaignLine(*one) for one in shown]
        left_out = queries.number_left_out(connection, request.workspace.id, span.days)
        return lines, number, standing_of(connection, request, mix, span, today, fresh), left_out

    lines, number, standing, left_out = await services.memory.read(look)
    picture = await _draw(services, "Your mail", standing)
    return status_view.account_answer(lines, number, standing, picture, left_out)


def standing_of(
    connection: Connection, request: Request, mix: Mix, span: Range, today: date, fresh: Freshness,
    campaign_id: CampaignId | None = None,
) -> status_view.Standing:  # fmt: skip
    """These numbers (of a campaign, or None: of the account) with the balance, and how fresh they are."""
    workspace = workspaces.by_id(connection, request.workspace.id)
    # What the account holds is no guest's business, though the campaign was shown.
    balance = None if request.guest else workspace.balance
    nearest = None
    if not mix.total and span.days != Days():
        near = queries.nearest_order(connection, request.workspace.id, campaign_id, span.days)
        nearest = ranges.month_with(near) if near else None
    return status_view.Standing(
        mix, span, today, workspace.currency, balance, fresh.as_of, fresh.platform, fresh.stale, nearest=nearest
    )


async def _draw(services: Services, title: str, standing: status_view.Standing) -> bytes | None:
    """The pie; None where there is nothing to show."""
    if not standing.mix.total:
        return None
    return await services.renderer.pie(pie_of(services, title, standing))


def pie_of(services: Services, title: str, standing: status_view.Standing) -> Pie:
    """The pie with what it must say of itself wherever it is passed on: whose mail, of which days, and when."""
    moment = formatting.moment(standing.as_of or services.clock.now(), services.policy.zone)
    # In the title, which may take two lines: beside the moment there is no room for them.
    whose = f"{title} · {standing.span.said}" if standing.span.days.first else title
    return Pie.of(whose, moment, standing.mix)
