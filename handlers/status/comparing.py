"""Two campaigns or spans side by side: `/mailstatus Spring vs Fall`."""

from datetime import date
from itertools import product
from typing import Final

from sqlalchemy import Connection

from handlers.context.access import require_insider, require_shown
from handlers.context.asker import today_of
from handlers.context.lookups import campaign_of
from handlers.context.services import Request, Services
from handlers.status import compare_view
from handlers.status.compare_view import Side
from handlers.status.understanding import Meant
from handlers.text import ranges
from handlers.text.buttons import Comparing
from handlers.text.messages import Message
from handlers.text.parsing import ALL_TIME, Range
from storage.queries import mail as queries
from storage.queries.mail import Days
from storage.records import CampaignId, StoredCampaign

#: Pairs that are offered where it is not clear what is meant.
OFFERED: Final = 6
CANDIDATES: Final = 3


def asked(one: Meant, other: Meant) -> list[tuple[str, Comparing]]:
    """The comparisons that may be meant, named: one where it is clear, none where a side is nothing we know."""
    sides = [_candidates(side) for side in (one, other)]
    return [
        (f"{first[0]} vs {second[0]}", Comparing(first[1], *_ends(first[2]), second[1], *_ends(second[2])))
        for first, second in product(*sides)
        if first != second
    ][:OFFERED]


def _candidates(meant: Meant) -> list[tuple[str, CampaignId | None, Range]]:
    span = meant.span or ALL_TIME
    if meant.is_account:
        return [(f"All mail {span.label}", None, span)]
    found = [meant.found.one] if meant.found.one else meant.found.found[:CANDIDATES]
    return [(one.facts.name, one.id, span) for one in found]


def _ends(span: Range) -> tuple[date | None, date | None]:
    return span.days.first, span.days.last


async def message(services: Services, request: Request, those: Comparing) -> Message:
    """The answer with its picture."""
    today = await today_of(services, request)
    one = await _side(services, request, those.campaign, ranges.name_days(Days(those.first, those.last)))
    two = ranges.name_days(Days(those.other_first, those.other_last))
    other = await _side(services, request, those.other, two)
    picture = await services.renderer.pair(compare_view.pair_of(one, other))
    return compare_view.answer(one, other, today, picture)


async def _side(services: Services, request: Request, campaign_id: CampaignId | None, span: Range) -> Side:
    if campaign_id is None:
        require_insider(request)
        mix = await services.memory.read(queries.total, request.workspace.id, span.days)
        return Side("All mail" if span.days.first is None else f"All mail, {span.label}", mix)
    campaign = await campaign_of(services, request, campaign_id)
    await require_shown(services, request, campaign.id)

    def look(connection: Connection) -> Side:
        mix = queries.mix(connection, request.workspace.id, campaign.id, span.days)
        if span.days != Days():
            # The campaign's days say nothing of the pieces that were ordered in these.
            return Side(_name(campaign, span), mix)
        handed = (campaign.handed_over_first, campaign.handed_over_last)
        return Side(_name(campaign, span), mix, *(moment.date() if moment else None for moment in handed))

    return await services.memory.read(look)


def _name(campaign: StoredCampaign, span: Range) -> str:
    return campaign.facts.name if span.days.first is None else f"{campaign.facts.name}, {span.label}"
