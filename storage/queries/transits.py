"""How long mail took: counted per campaign by a job, in short reads, and kept in a few rows."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, Date, delete, insert, or_, select

from storage.database import upsert
from storage.records import NIGHT, CampaignId, PieceId, Source, Transit, WorkspaceId
from storage.schema.tables import campaigns, surveys, transits
from storage.statements import load
from storage.statuses import OTHER, Status, status_of

#: Pieces that are counted in one read.
READ: Final = 20_000
#: From how many campaigns, and pieces of each, it is learned how late we hear of a delivery.
SAMPLED_CAMPAIGNS, SAMPLED_PIECES = 3, 150
HANDED, LANDED, BACK = int(Status.HANDED_OVER), int(Status.DELIVERED), int(Status.RETURNED)


class Key(NamedTuple):
    """What pieces that are counted together have in common."""

    form: str
    handed_on: date
    ended: int
    days: int


def outdated(connection: Connection, workspace_id: WorkspaceId) -> list[CampaignId]:
    """Campaigns that moved since they were counted, the longest waiting first."""
    joined = campaigns.outerjoin(
        surveys, (surveys.c.workspace_id == campaigns.c.workspace_id) & (surveys.c.campaign_id == campaigns.c.id)
    )
    rows = select(campaigns.c.id).select_from(joined)
    rows = rows.where(campaigns.c.workspace_id == workspace_id)
    rows = rows.where(or_(surveys.c.counted_at.is_(None), campaigns.c.changed_at > surveys.c.counted_at))
    return [CampaignId(key) for key in connection.scalars(rows.order_by(campaigns.c.changed_at))]


def counted(connection: Connection, workspace_id: WorkspaceId) -> dict[CampaignId, datetime]:
    """When each campaign was last counted."""
    rows = select(surveys.c.campaign_id, surveys.c.counted_at).where(surveys.c.workspace_id == workspace_id)
    return {CampaignId(row.campaign_id): row.counted_at for row in connection.execute(rows)}


def count(
    connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, after: PieceId
) -> tuple[Counter[Key], PieceId | None]:
    """Counts the next pieces of a campaign after this one; gives the last one's number, or None at the end."""
    values = {"workspace": workspace_id, "campaign": campaign_id, "after": after}
    upto = connection.scalar(WINDOW.on(connection), values | {"size": READ})
    if upto is None:
        return Counter(), None
    rows = connection.execute(COUNT.on(connection).columns(handed_on=Date), values | {"upto": upto}).all()
    return Counter({Key(r.form, r.handed_on, r.ended, r.days): int(r.n) for r in rows}), PieceId(upto)


def keep(
    connection: Connection,
    workspace_id: WorkspaceId,
    campaign_id: CampaignId,
    counted: Mapping[Key, int],
    begun_at: datetime,
) -> None:
    """Replaces what is kept of a campaign. `begun_at`: what moved since is counted the next time."""
    mine = transits.c.workspace_id == workspace_id, transits.c.campaign_id == campaign_id
    connection.execute(delete(transits).where(*mine))
    rows = [
        {"workspace_id": workspace_id, "campaign_id": campaign_id, **key._asdict(), "pieces": number}
        for key, number in counted.items()
    ]
    if rows:
        connection.execute(insert(transits), rows)
    adding = upsert(connection, surveys).values(workspace_id=workspace_id, campaign_id=campaign_id, counted_at=begun_at)
    keys = list(surveys.primary_key.columns)
    connection.execute(adding.on_conflict_do_update(index_elements=keys, set_={"counted_at": begun_at}))


def since(connection: Connection, workspace_id: WorkspaceId, first: date) -> list[Transit]:
    """What is kept of pieces that were handed over on this day or later."""
    rows = select(transits).where(transits.c.workspace_id == workspace_id, transits.c.handed_on >= first)
    return [
        Transit(CampaignId(r.campaign_id), r.form, r.handed_on, status_of(r.ended), r.days, r.pieces)
        for r in connection.execute(rows).all()
    ]


def delays(connection: Connection, workspace_id: WorkspaceId) -> Counter[int]:
    """How many days of mail after a delivery we heard of it, in a sample of those that were told of as they came."""
    latest = select(campaigns.c.id).where(campaigns.c.workspace_id == workspace_id)
    latest = latest.where(campaigns.c.delivered_last.is_not(None)).order_by(campaigns.c.delivered_last.desc())
    found: Counter[int] = Counter()
    for campaign_id in connection.scalars(latest.limit(SAMPLED_CAMPAIGNS)).all():
        values = {"workspace": workspace_id, "campaign": campaign_id, "size": SAMPLED_PIECES}
        found += Counter({int(r.late): int(r.n) for r in connection.execute(DELAYS.on(connection), values).all()})
    return found


WINDOW: Final = load("window")
_NIGHT: Final = {"night": int(NIGHT.total_seconds())}
COUNT: Final = load("count_transits", {"handed": HANDED, "landed": LANDED, "back": BACK, "other": OTHER} | _NIGHT)
DELAYS: Final = load("delays", {"landed": LANDED, "webhook": int(Source.WEBHOOK), "poll": int(Source.POLL)} | _NIGHT)
