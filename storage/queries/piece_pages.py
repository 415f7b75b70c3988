"""A campaign's pieces, page by page: by status, by name, ZIP, address or id. No page costs more than the first."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from storage.ledger.pieces import search_key
from storage.queries import mail as queries
from storage.queries import search
from storage.queries.mail import LAST
from storage.records import CampaignId, PieceId, StoredPiece, WorkspaceId
from storage.statements import load
from storage.statuses import OTHER, Status

#: Pieces that are alike and looked at in each index; more than this nobody pages through.
ALIKE: Final = 500


@dataclass(frozen=True)
class PieceFilter:
    """Which pieces of a campaign: at this status (None: any), and alike this text ("": any).

    Alike is what has it as its id, begins with it in its recipient's name, surname, address or ZIP code, or holds each
    of its words (or a word that begins so) in name, company, street, city, state and ZIP code, in any order.
    """

    status: Status | None = None
    asked: str = ""


def page(
    connection: Connection,
    workspace_id: WorkspaceId,
    campaign_id: CampaignId,
    only: PieceFilter,
    after: PieceId | None,
    limit: int,
) -> list[StoredPiece]:
    """The next pieces after this one (None: from the first), by number.

    At a rare status it reads on until the page is full: what that costs grows with how rare it is.
    """
    values: dict[str, Any] = {"workspace": workspace_id, "campaign": campaign_id, "after": after or 0, "limit": limit}
    if only.status is not None:
        values["status"] = int(only.status)
    walk = WALK[only.status is None].on(connection)
    rows = _alike(connection, only, values) if only.asked else connection.scalars(walk, values)
    return queries.pieces_by_id(connection, workspace_id, [PieceId(key) for key in rows])


def foreign_words(connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> list[str]:
    """The platform's words for pieces at no status that we know, in the order of the alphabet."""
    values = {"workspace": workspace_id, "campaign": campaign_id}
    return [str(word) for word in connection.scalars(FOREIGN.on(connection), values)]


def _alike(connection: Connection, only: PieceFilter, values: dict[str, Any]) -> list[int]:
    key, zipped = search_key(only.asked), only.asked.strip().upper()
    if not (key or zipped):
        return []
    values |= {"ref": only.asked, "key": key, "end": key + LAST, "zip": zipped, "zip_end": zipped + LAST}
    found = set(connection.scalars(FIND[only.status is None].on(connection), values)) if key else set()
    status = None if only.status is None else int(only.status)
    words = search.words_of(only.asked)
    found |= set(search.holding_in(connection, values["workspace"], values["campaign"], words, status))
    return sorted(one for one in found if one > values["after"])[: values["limit"]]


WALK: Final = {True: load("walk_campaign"), False: load("walk_status")}
_MOST: Final = {"most": ALIKE}
FOREIGN: Final = load("foreign_words", {"other": OTHER, "most": ALIKE})
FIND: Final = {True: load("alike_in_campaign", _MOST), False: load("alike_at_status", _MOST)}
