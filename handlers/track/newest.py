"""Pieces to choose from where none was named: what came back last, or in these days, and some that are on their way."""

from collections.abc import Sequence
from dataclasses import dataclass
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
from storage.queries.piece_pages import PieceFilter
from storage.queries.returns import CameBack
from storage.records import NO_PIECE, CampaignId, Mix, PieceId, StoredPiece
from storage.statuses import UNDER_WAY, Status

#: Of so many campaigns, the latest.
CAMPAIGNS: Final = 10
#: Of so many of them pieces are looked up, and so many are offered of each kind.
LOOKED_AT: Final = 3
OFFERED: Final = 5
#: So many of those that came back from somewhere are offered.
LISTED: Final = 25
#: For certain days more campaigns come into question; of so many that were out then, the latest with returns are
#: looked through.
OF_DAYS, LOOKED_THROUGH = 50, 6


@dataclass(frozen=True)
class AskedBack:
    """A question what came back: of whom ("" for anybody), and in which days (None: at any time).

    `rest`: all its other words.
    """

    name: str
    span: Range | None
    rest: str = ""

    @classmethod
    def read(cls, asked: str, today: date) -> "AskedBack":
        """What is meant by words that ask what came back. Raises RangeRefused."""
        rest, span = ranges.within(parsing.CAME_BACK.sub(" ", asked), today)
        return cls(
            parsing.whose_return(rest), None if span == ALL_TIME else span, " ".join(rest.split()).strip(" ?!.,")
        )


@dataclass(frozen=True)
class Back:
    """What came back, the latest first, and in how many campaigns that was looked for; `more`: there are others."""

    pieces: Sequence[StoredPiece]
    looked_through: int
    more: bool


def newest(connection: Connection, request: Request) -> tuple[list[StoredPiece], list[StoredPiece]]:
    """What came back, the latest first, and what is on its way; nothing for a guest."""
    if request.guest:
        return [], []
    key = request.workspace.id
    mixes = queries.mixes_of(connection, key, [one.id for one in visible_campaigns(connection, request, CAMPAIGNS)])
    back = [
        piece
        for one in _with(mixes, [Status.RETURNED])
        for piece in returns.latest(connection, key, one, None, OFFERED)
    ]
    moving = [
        piece
        for one in _with(mixes, [*UNDER_WAY])
        for piece in piece_pages.page(connection, key, one, PieceFilter(_most_at(mixes[one])), None, OFFERED)
    ]
    back.sort(key=lambda piece: (piece.status_at is not None, piece.status_at), reverse=True)
    return back[:OFFERED], moving[:OFFERED]


def returned_of(
    connection: Connection, request: Request, back: AskedBack, zone: ZoneInfo
) -> tuple[list[StoredPiece], list[PieceId]]:
    """What came back of what goes to somewhere, in these days of the asker's: some of it, the latest first, and all."""
    key, words = request.workspace.id, search.words_of(back.name)
    ids = search.holding_at(connection, key, words, int(Status.RETURNED))
    found = sorted(queries.pieces_by_id(connection, key, ids), key=CameBack.of, reverse=True)
    if back.span is not None:
        begin, end = _moments(back.span, zone)
        found = [one for one in found if one.status_at is not None and begin <= one.status_at < end]
    return found[:LISTED], [one.id for one in found]


def _moments(span: Range, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When these days begin and end."""
    first, last = (span.days.first or ranges.FIRST_DAY), (span.days.last or date(parsing.LAST_YEAR, 12, 31))
    begin, end = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, last + timedelta(days=1)))
    return begin, end


def back_in(
    connection: Connection, request: Request, span: Range, zone: ZoneInfo, only: CampaignId | None = None
) -> Back:
    """What came back in these days of the asker's, by the day on which it did; of this campaign alone, where one is
    named."""
    begin, end = _moments(span, zone)
    key = request.workspace.id
    known = [only] if only else queries.out_between(connection, key, begin, end, OF_DAYS)
    there = _with(queries.mixes_of(connection, key, known), [Status.RETURNED], OF_DAYS)
    looked = there[:LOOKED_THROUGH]
    back = [
        piece
        for one in looked
        for piece in returns.latest(connection, key, one, CameBack(end, NO_PIECE), OFFERED)
        if piece.status_at is not None and piece.status_at >= begin
    ]
    return Back(
        sorted(back, key=CameBack.of, reverse=True)[:OFFERED],
        len(looked),
        len(there) > len(looked) or len(known) == OF_DAYS,
    )


def _with(mixes: dict[CampaignId, Mix], statuses: Sequence[Status], most: int = LOOKED_AT) -> list[CampaignId]:
    return [key for key, mix in mixes.items() if mix.of(*statuses)][:most]


def _most_at(mix: Mix) -> Status:
    """Where most of its moving pieces are: a page of a rare status costs more than one of a common one."""
    return max(UNDER_WAY, key=lambda status: (mix.of(status), status))
