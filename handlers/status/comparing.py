"""Two campaigns or spans side by side: `/mailstatus Spring vs Fall`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import combinations, product
from typing import Final

from sqlalchemy import Connection

from handlers.context.access import note_shown, require_insider, require_shown
from handlers.context.asker import today_of
from handlers.context.lookups import campaign_of
from handlers.context.refreshing import as_known
from handlers.context.services import Request, Services
from handlers.status import compare_view
from handlers.status.compare_view import Side
from handlers.status.understanding import Meant
from handlers.text import formatting, ranges
from handlers.text.buttons import Comparing
from handlers.text.messages import Message
from handlers.text.parsing import ALL_TIME, Range
from storage.queries import mail as queries
from storage.queries.mail import Days
from storage.records import CampaignId, StoredCampaign

#: Pairs that are offered where it is not clear what is meant.
OFFERED: Final = 6
#: Campaigns that one side may be.
CANDIDATES: Final = 3


@dataclass(frozen=True)
class Asked:
    """The comparisons that may be meant, named. `clear`: it is the only one, and was typed so or nearly so.

    `inferred`: one side took its name or its days from the other. `unknown`: the words that are nothing we know.
    """

    pairs: Sequence[tuple[str, Comparing]]
    clear: bool
    inferred: bool
    unknown: Sequence[str]
    more_than_two: bool


def asked(meant: Meant, instead: Sequence[StoredCampaign] = ()) -> Asked:
    """What may be compared. `instead` are offered for a side that is nothing we know."""
    sides = [meant, *meant.others]
    unknown = [one.name for one in sides if not one.is_account and not one.found.found]
    instead = instead if len(unknown) == 1 else ()
    read = [reading for one, other in combinations(sides, 2) for reading in _filled(one, other)]
    pairs = [pair for one, other in read for pair in _pairs(one, other, instead)]
    clear = len(sides) == 2 and len(pairs) == 1 and all(one.is_clear for one in sides)  # noqa: PLR2004 - of two
    return Asked(pairs[:OFFERED], clear, read != [(sides[0], sides[1])], unknown, len(sides) > 2)  # noqa: PLR2004


def _filled(one: Meant, other: Meant) -> list[tuple[Meant, Meant]]:
    """How two sides may be read: what one lacks is the other's, its name or its days.

    A name beside days alone may be compared with all mail of these days, or with its own.
    """
    if one.bare and other.bare:
        return [(one, other)]
    if other.bare and not one.is_account:
        own = (one, _of_same(one, other))
        return [own] if one.span is not None else [(one, other), own]
    if one.bare and not other.is_account:
        own = (_of_same(other, one), other)
        return [own] if other.span is not None else [(one, other), own]
    if (one.span is None) != (other.span is None) and not _is_same(one, other):
        span = one.span or other.span
        return [(replace(one, span=span), replace(other, span=span))]
    return [(one, other)]


def _of_same(named: Meant, days: Meant) -> Meant:
    return replace(named, span=days.span, mended=days.mended, others=())


def _is_same(one: Meant, other: Meant) -> bool:
    """Whether both are of the same campaign, or of the account."""
    return [found.id for found in one.found.found] == [found.id for found in other.found.found] and (
        one.is_account == other.is_account
    )


def _pairs(one: Meant, other: Meant, instead: Sequence[StoredCampaign]) -> list[tuple[str, Comparing]]:
    return [
        (f"{first[0]} vs {second[0]}", Comparing(first[1], *_ends(first[2]), second[1], *_ends(second[2])))
        for first, second in product(_candidates(one, instead), _candidates(other, instead))
        if (first[1], first[2].days) != (second[1], second[2].days)
    ]


def _candidates(meant: Meant, instead: Sequence[StoredCampaign]) -> list[tuple[str, CampaignId | None, Range]]:
    span = meant.span or ALL_TIME
    if meant.is_account:
        return [(_titled("All mail", span), None, span)]
    found = [meant.found.one] if meant.found.one else meant.found.found[:CANDIDATES] or instead
    return [(_titled(one.facts.name, span), one.id, span) for one in found]


def _ends(span: Range) -> tuple[date | None, date | None]:
    return span.days.first, span.days.last


async def message(services: Services, request: Request, those: Comparing) -> Message:
    """The answer with its picture."""
    today = await today_of(services, request)
    one = await _side(services, request, those.campaign, ranges.name_days(Days(those.first, those.last)))
    two = ranges.name_days(Days(those.other_first, those.other_last))
    other = await _side(services, request, those.other, two)
    # Nothing is read anew for it.
    known = as_known(services, request.workspace).as_of or services.clock.now()
    moment = formatting.moment(known, services.policy.zone)
    picture = await services.renderer.pair(compare_view.pair_of(one, other, moment))
    return compare_view.answer(one, other, today, picture)


async def note_compared(services: Services, request: Request, those: Comparing) -> None:
    """Remembers that everybody in the channel was shown both."""
    for one in (those.campaign, those.other):
        if one is not None:
            await note_shown(services, request, one)


async def _side(services: Services, request: Request, campaign_id: CampaignId | None, span: Range) -> Side:
    if campaign_id is None:
        require_insider(request)
        mix = await services.memory.read(queries.total, request.workspace.id, span.days)
        spoken = "all mail" if span.days == Days() else f"the mail {span.said[:1].lower()}{span.said[1:]}"
        return Side(_titled("All mail", span), mix, spoken=spoken)
    campaign = await campaign_of(services, request, campaign_id)
    await require_shown(services, request, campaign.id)

    def look(connection: Connection) -> Side:
        mix = queries.mix(connection, request.workspace.id, campaign.id, span.days)
        if span.days != Days():
            # The campaign's days say nothing of the pieces that were ordered in these.
            return Side(_titled(campaign.facts.name, span), mix)
        first, last = campaign.handed_over_first, campaign.handed_over_last
        return Side(
            _titled(campaign.facts.name, span), mix, first.date() if first else None, last.date() if last else None
        )

    return await services.memory.read(look)


def _titled(name: str, span: Range) -> str:
    # Days are carried by buttons without their words, and are named alike with and without one.
    return name if span.days.first is None else f"{name}, {ranges.name_days(span.days).label}"
