"""The history of old pieces, thinned: when such a piece was handed over, its end and whatever channels are told of stay
for good, and so does who was told: that keeps it from being told twice, and lets a guest open it. The scans between go.

A piece is thinned once, a portion at a time, in the order of its campaign: how far that has come is kept. How old it is
the mail's own dates say, for what is dropped by a clock that is wrong does not come back.
"""

from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final, NamedTuple

from sqlalchemy import Connection, and_, delete, exists, func, or_, select, tuple_

from storage.database import rows_changed, upsert
from storage.privacy import LONGEST_WAY
from storage.records import NO_CAMPAIGN, CampaignId, WorkspaceId
from storage.schema.account_tables import thinned
from storage.schema.tables import UNFILLED, campaigns, changes, orphans, pieces
from storage.statuses import NOTABLE, Status

#: Of these each change stays: what is told, and what transit times are counted from.
KEPT: Final = (*map(int, NOTABLE), int(Status.HANDED_OVER))
#: Pieces that are thinned, and changes without a piece that are dropped, in one transaction.
PORTION: Final = 500
YEAR: Final = timedelta(days=365)
#: For so long a change waits for its piece: no mail is longer on its way.
WAITS_FOR_PIECE: Final = LONGEST_WAY


class Bounds(NamedTuple):
    """Up to when time has surely passed, whatever our clock says, and after when nobody can have ordered anything, even
    if it is late (both aware, UTC)."""

    passed: datetime
    never: datetime


def bounds(connection: Connection, workspace_id: WorkspaceId, now: datetime) -> Bounds | None:
    """From our clock (`now`, aware, UTC) and the mail platform's, by which the newest campaign was made. None where no
    campaign has a date."""
    newest = select(func.max(campaigns.c.created_at)).where(campaigns.c.workspace_id == workspace_id)
    made = connection.scalar(newest)
    return None if made is None else Bounds(min(now, made), max(now, made) + YEAR)


def due(connection: Connection, workspace_id: WorkspaceId, before: datetime, never: datetime) -> list[CampaignId]:
    """The campaigns that hold pieces to be thinned: ordered so long before `before` (both aware, UTC)."""
    old = (
        campaigns.c.workspace_id == workspace_id,
        or_(campaigns.c.created_at.is_(None), campaigns.c.created_at < before - LONGEST_WAY),
    )
    found = connection.scalars(select(campaigns.c.id).where(*old).order_by(campaigns.c.id)).all()
    some = [CampaignId(NO_CAMPAIGN), *map(CampaignId, found)]
    return [one for one in some if _ahead(connection, workspace_id, one, before, never, 1)]


def _ahead(
    connection: Connection,
    workspace_id: WorkspaceId,
    campaign_id: CampaignId,
    before: datetime,
    never: datetime,
    limit: int,
) -> list[int]:
    """The ids of the next pieces of this campaign that are old, or of a day that has not come: no such date says how
    old a piece is, and none holds up the others."""
    key = thinned.c.workspace_id == workspace_id, thinned.c.campaign_id == campaign_id
    after = func.coalesce(select(thinned.c.piece_id).where(*key).scalar_subquery(), 0)
    here = pieces.c.workspace_id == workspace_id, pieces.c.campaign_id == campaign_id, pieces.c.id > after
    rows = connection.execute(select(pieces.c.id, pieces.c.created_at).where(*here).order_by(pieces.c.id).limit(limit))
    return [row.id for row in takewhile(lambda row: not before - LONGEST_WAY <= row.created_at <= never, rows)]


def thin_some(
    connection: Connection,
    workspace_id: WorkspaceId,
    campaign_id: CampaignId,
    before: datetime,
    never: datetime,
    limit: int = PORTION,
) -> int:
    """Thins the next pieces of this campaign; gives how many were looked at. 0: those that are left are too young.

    A piece is old when it was ordered so long before `before` that its way has ended by then; one that is ordered after
    `never` is passed over for good (see `bounds`; both aware, UTC).
    """
    ids = _ahead(connection, workspace_id, campaign_id, before, never, limit)
    if not ids:
        return 0
    of_them = changes.c.workspace_id.in_((UNFILLED, workspace_id)), changes.c.piece_id.in_(ids)
    # Where it stands stays; of a piece whose day has not come, all does.
    stays = exists().where(
        pieces.c.workspace_id == workspace_id,
        pieces.c.id == changes.c.piece_id,
        or_(pieces.c.status == changes.c.status, pieces.c.created_at > never),
    )
    connection.execute(delete(changes).where(*of_them, changes.c.status.not_in(KEPT), ~stays))
    reached = upsert(connection, thinned).values(workspace_id=workspace_id, campaign_id=campaign_id, piece_id=ids[-1])
    columns = list(thinned.primary_key.columns)
    connection.execute(reached.on_conflict_do_update(index_elements=columns, set_={"piece_id": ids[-1]}))
    return len(ids)


def drop_orphans(connection: Connection, workspace_id: WorkspaceId, now: datetime, limit: int = PORTION) -> int:
    """Drops changes whose piece has not come in the time that mail takes; gives how many, at most `limit`."""
    key = tuple_(*orphans.primary_key.columns)
    old = and_(orphans.c.workspace_id == workspace_id, orphans.c.recorded_at < now - WAITS_FOR_PIECE)
    some = select(*orphans.primary_key.columns).where(old).limit(limit)
    return rows_changed(connection, delete(orphans).where(key.in_(some)))
