"""What `/mailstatus` answers: a campaign's mix, or the account's, with its picture and how fresh it is."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Final

from sqlalchemy import Connection

from handlers.charts.values import Pie
from handlers.context.access import require_insider, require_shown
from handlers.context.refreshing import Freshness, refresh_account, refresh_campaign
from handlers.context.services import Request, Services
from handlers.forecast import model, words
from handlers.forecast import queries as forecast_queries
from handlers.forecast.model import Progress
from handlers.status import stop_view
from handlers.status import view as status_view
from handlers.text import formatting, ranges
from handlers.text.messages import Message
from handlers.text.parsing import Range
from storage import workspaces
from storage.queries import mail as queries
from storage.queries import piece_pages
from storage.queries.current import current_campaigns
from storage.queries.mail import Days
from storage.records import NO_CAMPAIGN, CampaignId, Mix, StoredCampaign
from storage.statuses import FINAL, MAILED, UNDER_WAY, Status

#: Campaigns of which it is said whether they are late.
FORETOLD: Final = 20
#: Nothing is late of which less than this share of what was mailed is still out.
STRAGGLING: Final = 0.5
#: What is still to be mailed.
WAITING: Final = [one for one in Status if one not in MAILED | FINAL]
#: Before any moment.
NEVER: Final = datetime.min.replace(tzinfo=UTC)


async def campaign_message(
    services: Services, request: Request, campaign: StoredCampaign, span: Range, today: date, *, force: bool = False,
    when: bool = False, pace: bool = False, stopping: str = "",
) -> Message:  # fmt: skip
    """One campaign's answer with its picture. `when`, `pace`: that was asked. `stopping`: these words, to stop it."""
    await require_shown(services, request, campaign.id)
    fresh = await refresh_campaign(services, request.workspace, campaign, force=force)

    def look(connection: Connection) -> tuple[StoredCampaign, status_view.Standing, Progress | None, Sequence[str]]:
        mix = queries.mix(connection, request.workspace.id, campaign.id, span.days)
        again = queries.campaign(connection, request.workspace.id, campaign.id) or campaign
        told = forecast_queries.of_campaign(connection, request.workspace.id, campaign.id, today)
        progress = model.progress(told) if told else None
        standing = standing_of(connection, request, mix, span, today, fresh, campaign.id)
        met = piece_pages.foreign_words(connection, request.workspace.id, campaign.id) if mix.other else []
        stop: Sequence[str] = ()
        if stopping:
            whole = queries.mix(connection, request.workspace.id, campaign.id)
            offered = status_view.may_offer_cancel(again, mix)
            stop = stop_view.not_stopped(again, whole, stopping, request.workspace, offered=offered)
        return again, replace(standing, words=met), progress, stop

    again, standing, progress, stop = await services.memory.read(look)
    picture = await _draw(services, again.facts.name, standing)
    return status_view.campaign_answer(again, standing, picture, progress, when=when, pace=pace, stop=stop)


async def account_message(
    services: Services, request: Request, span: Range, today: date, *, pace: bool = False
) -> Message:
    """The whole account's answer with its picture. `pace`: whether anything is late was asked."""
    require_insider(request)
    fresh = await refresh_account(services, request.workspace)

    def look(
        connection: Connection,
    ) -> tuple[list[status_view.CampaignLine], int, status_view.Standing, int, Sequence[str]]:
        mix = queries.total(connection, request.workspace.id, span.days)
        shown = queries.listed(connection, request.workspace.id, span.days, 0, status_view.LISTED)
        number = queries.number_listed(connection, request.workspace.id, span.days)
        lines = [status_view.CampaignLine(*one) for one in shown]
        left_out = queries.number_left_out(connection, request.workspace.id, span.days)
        late = _whether_late(connection, request, today) if pace else ()
        return lines, number, standing_of(connection, request, mix, span, today, fresh), left_out, late

    lines, number, standing, left_out, late = await services.memory.read(look)
    picture = await _draw(services, "Your mail", standing)
    return status_view.account_answer(lines, number, standing, picture, left_out, late)


def _whether_late(connection: Connection, request: Request, today: date) -> Sequence[str]:
    """Whether any campaign that is on its way is late, and how the others stand: of some, for each is foretold."""
    key = request.workspace.id
    mixes = queries.mixes(connection, key)
    out = {one: mix.of(*UNDER_WAY) / mix.of(*MAILED) for one, mix in mixes.items() if mix.of(*UNDER_WAY)}
    account = forecast_queries.account(connection, key, today)
    # Of what was silent for long a few are never scanned; only where most are missing it is worth a word.
    current = {*current_campaigns(connection, key, today)}
    asked = [one for one, share in out.items() if one in current or (share >= STRAGGLING and account.form_of(one))]

    def quiet(campaign: StoredCampaign) -> tuple[bool, datetime]:
        return out[campaign.id] < STRAGGLING, campaign.changed_at or NEVER

    # The likeliest to be late first: those that are mostly out, and of them what was silent longest.
    moving = sorted(queries.campaigns_by_id(connection, key, asked), key=quiet)
    told = [(one.facts.name, account.of(one.id)) for one in moving[:FORETOLD]]
    known = [(name, model.progress(one) if one else None) for name, one in told]
    waits = any(mixes[one].of(*WAITING) for one in current | {NO_CAMPAIGN} if one in mixes)
    return words.of_all(known, len(moving), singly=NO_CAMPAIGN in out, silent=bool(out), waits=waits)


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
