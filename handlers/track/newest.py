"""Pieces to choose from where none was named: what came back last, or in these days, and some that are on their way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from handlers.context.asker import visible_campaigns
from handlers.context.services import Request
from handlers.text import parsing, ranges
from handlers.text.parsing import ALL_TIME, Range
from storage.queries import mail as queries
from storage.queries import piece_pages, returns, search
from storage.queries.mail import Days
from storage.queries.piece_pages import PieceFilter
from storage.queries.returns import CameBack, Note
from storage.records import NO_CAMPAIGN, CampaignId, Mix, PieceId, StoredPiece
from storage.statuses import UNDER_WAY, Status

#: Of so many campaigns, the latest.
CAMPAIGNS: Final = 10
#: Of so many of them pieces are looked up, and so many are offered of each kind.
LOOKED_AT: Final = 3
OFFERED: Final = 5
#: So many of those that came back from somewhere are offered.
LISTED: Final = 25
#: For certain days more campaigns come into question; of so many that were out then, the latest with returns are
#: looked through, and so many for what came back last: each costs a read of all its pieces.
OF_DAYS, LOOKED_THROUGH = 50, 6


@dataclass(frozen=True)
class AskedBack:
    """A question what came back: of whom ("" for anybody), and in which days (None: at any time).

    `rest`: all its other words. `why`: that is asked, too.
    """

    name: str
    span: Range | None
    rest: str = ""
    why: bool = False

    @classmethod
    def read(cls, asked: str, today: date) -> "AskedBack":
        """What is meant by words that ask what came back. Raises RangeRefused."""
        rest, span = ranges.within(parsing.CAME_BACK.sub(" ", asked), today)
        others = " ".join(rest.split()).strip(" ?!.,")
        why = parsing.WHY.search(asked) is not None
        return cls(parsing.whose_return(rest), None if span == ALL_TIME else span, others, why)


@dataclass(frozen=True)
class Back:
    """What came back, the latest first, as much as is listed: of so many pieces, with what people noted of it.

    In how many campaigns that was looked for; `more`: there are others. Where there is none, `beside`: what came back
    at other times, `since`: how many have come back since those days (0: what is beside did so before them), and
    `beside_more`: others may have done so then, too.
    """

    pieces: Sequence[StoredPiece]
    total: int
    looked_through: int = 0
    more: bool = False
    notes: Mapping[PieceId, Note] = field(default_factory=dict)
    beside: Sequence[StoredPiece] = ()
    since: int = 0
    beside_more: bool = False


def newest(connection: Connection, request: Request) -> tuple[list[StoredPiece], list[StoredPiece]]:
    """What came back, the latest first, and what is on its way; nothing for a guest."""
    if request.guest:
        return [], []
    key = request.workspace.id
    mixes = queries.mixes_of(connection, key, [one.id for one in visible_campaigns(connection, request, CAMPAIGNS)])
    moving = [
        piece
        for one in _with(mixes, [*UNDER_WAY])
        for piece in piece_pages.page(connection, key, one, PieceFilter(_most_at(mixes[one])), None, OFFERED)
    ]
    return list(back_lately(connection, request).pieces), moving[:OFFERED]


def back_lately(connection: Connection, request: Request) -> Back:
    """What came back last, of all that ever did; `more`: something else may have come back later than these."""
    mixes = queries.mixes(connection, request.workspace.id)
    back, more = _last_of(connection, request, _with(mixes, [Status.RETURNED], len(mixes)))
    total = sum(mix.of(Status.RETURNED) for mix in mixes.values())
    return Back(back, total, more=more, notes=_noted(connection, request, back))


def _last_of(
    connection: Connection, request: Request, those: Sequence[CampaignId]
) -> tuple[Sequence[StoredPiece], bool]:
    """What came back last of these campaigns, and whether others of it may have done so later."""
    key, found = request.workspace.id, list[StoredPiece]()
    # What was sent singly has no end: all of it would be read.
    singly = NO_CAMPAIGN in those
    for place, one in enumerate(queries.latest_campaigns(connection, key, LOOKED_THROUGH + 1, those)):
        # Each return is a change: what last changed before all of these came back holds none that did so later.
        if found[OFFERED - 1 :] and one.changed_at is not None and one.changed_at < CameBack.of(found[-1]).at:
            break
        if place == LOOKED_THROUGH:
            return found, True
        found += returns.latest(connection, key, one.id, None, OFFERED)
        found = sorted(found, key=CameBack.of, reverse=True)[:OFFERED]
    return found, singly


def returned_of(
    connection: Connection, request: Request, back: AskedBack, zone: ZoneInfo
) -> tuple[Back, list[PieceId]]:
    """What came back of what goes to somewhere, in these days of the asker's: some of it, the latest first, and all."""
    key, words = request.workspace.id, search.words_of(back.name)
    ids = search.holding_at(connection, key, words, int(Status.RETURNED))
    found = sorted(queries.pieces_by_id(connection, key, ids), key=CameBack.of, reverse=True)
    if back.span is not None:
        begin, end = _moments(back.span, zone)
        found = [one for one in found if one.status_at is not None and begin <= one.status_at < end]
    listed = found[:LISTED]
    return Back(listed, len(found), notes=_noted(connection, request, listed)), [one.id for one in found]


def _moments(span: Range, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When these days begin and end."""
    first, last = (span.days.first or ranges.FIRST_DAY), (span.days.last or date(parsing.LAST_YEAR, 12, 31))
    begin, end = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, last + timedelta(days=1)))
    return begin, end


def back_in(
    connection: Connection, request: Request, span: Range, zone: ZoneInfo, only: Sequence[CampaignId] = ()
) -> Back:
    """What came back in these days of the asker's, by the day on which it did; of these campaigns alone, where any are
    named."""
    begin, end = _moments(span, zone)
    key = request.workspace.id
    known = list(only) or queries.out_between(connection, key, begin, end, OF_DAYS)
    there = _with(queries.mixes_of(connection, key, known), [Status.RETURNED], OF_DAYS)
    looked = there[:LOOKED_THROUGH]
    parts = [returns.between(connection, key, one, begin, end, LISTED) for one in looked]
    found = sorted((piece for some, _ in parts for piece in some), key=CameBack.of, reverse=True)[:LISTED]
    more = len(there) > len(looked) or len(known) == OF_DAYS
    total = sum(number for _, number in parts)
    return Back(found, total, len(looked), more, _noted(connection, request, found))


def back_or_near(
    connection: Connection, request: Request, span: Range, zone: ZoneInfo, today: date, only: Sequence[CampaignId] = ()
) -> Back:
    """The same; where nothing did, what came back since, or else last."""
    back = back_in(connection, request, span, zone, only)
    last = span.days.last
    if back.pieces:
        return back
    if last is not None and last < today:
        since = ranges.name_days(Days(last + timedelta(days=1), today))
        later = back_in(connection, request, since, zone, only)
        if later.pieces:
            some = later.pieces[:OFFERED]
            return replace(back, beside=some, since=later.total, beside_more=later.more, notes=later.notes)
    if only:
        parts = [returns.latest(connection, request.workspace.id, one, None, OFFERED) for one in only[:LOOKED_THROUGH]]
        before = sorted((piece for some in parts for piece in some), key=CameBack.of, reverse=True)[:OFFERED]
        return replace(
            back, beside=before, beside_more=len(only) > len(parts), notes=_noted(connection, request, before)
        )
    lately = back_lately(connection, request)
    return replace(back, beside=lately.pieces, beside_more=lately.more, notes=lately.notes)


def _noted(connection: Connection, request: Request, back: Sequence[StoredPiece]) -> Mapping[PieceId, Note]:
    return returns.notes_of(connection, request.workspace.id, [one.id for one in back]) if back else {}


def _with(mixes: dict[CampaignId, Mix], statuses: Sequence[Status], most: int = LOOKED_AT) -> list[CampaignId]:
    return [key for key, mix in mixes.items() if mix.of(*statuses)][:most]


def _most_at(mix: Mix) -> Status:
    """Where most of its moving pieces are: a page of a rare status costs more than one of a common one."""
    return max(UNDER_WAY, key=lambda status: (mix.of(status), status))
