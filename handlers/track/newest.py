"""Pieces to choose from where none was named: what came back last, and some that are on their way."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from handlers.context.asker import visible_campaigns
from handlers.context.services import Request
from storage.queries import mail as queries
from storage.queries import piece_pages, returns
from storage.queries.piece_pages import PieceFilter
from storage.records import CampaignId, Mix, StoredPiece
from storage.statuses import UNDER_WAY, Status

#: Of so many campaigns, the latest.
CAMPAIGNS: Final = 10
#: Of so many of them pieces are looked up, and so many are offered of each kind.
LOOKED_AT: Final = 3
OFFERED: Final = 5


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


def _with(mixes: dict[CampaignId, Mix], statuses: Sequence[Status]) -> list[CampaignId]:
    return [key for key, mix in mixes.items() if mix.of(*statuses)][:LOOKED_AT]


def _most_at(mix: Mix) -> Status:
    """Where most of its moving pieces are: a page of a rare status costs more than one of a common one."""
    return max(UNDER_WAY, key=lambda status: (mix.of(status), status))
