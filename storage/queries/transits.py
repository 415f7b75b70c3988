"""How long mail took: counted per campaign by a job, in short reads, and kept in a few rows."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, Date, delete, insert, or_, select

from storage.database import sql, upsert
from storage.records import CampaignId, PieceId, Source, Transit, WorkspaceId
from storage.schema.tables import campaigns, surveys, transits
from storage.statuses import Status, status_of

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
    """How many days after a delivery we heard of it, in a sample of those that were told of as they came."""
    latest = select(campaigns.c.id).where(campaigns.c.workspace_id == workspace_id)
    latest = latest.where(campaigns.c.delivered_last.is_not(None)).order_by(campaigns.c.delivered_last.desc())
    found: Counter[int] = Counter()
    for campaign_id in connection.scalars(latest.limit(SAMPLED_CAMPAIGNS)).all():
        values = {"workspace": workspace_id, "campaign": campaign_id, "size": SAMPLED_PIECES}
        found += Counter({int(r.late): int(r.n) for r in connection.execute(DELAYS.on(connection), values).all()})
    return found


WINDOW: Final = sql("""
    SELECT max(id) FROM (SELECT id FROM pieces WHERE workspace_id = :workspace AND campaign_id = :campaign
                         AND id > :after ORDER BY id LIMIT :size) w""")
_COUNT: Final = f"""
    SELECT form, handed_on, ended, days, count(*) AS n FROM (
        SELECT kind || ' ' || format AS form, {{day_of_handed}} AS handed_on,
               CASE WHEN status IN ({LANDED}, {BACK}) THEN status ELSE 0 END AS ended,
               CASE WHEN status IN ({LANDED}, {BACK}) AND {{days}} > 0 THEN {{days}} ELSE 0 END AS days
        FROM (SELECT p.kind, p.format, p.status, p.status_at, coalesce(p.dispatched_at, (
                  SELECT min(c.occurred_at) FROM changes c WHERE c.piece_id = p.id AND c.status = {HANDED})) AS handed
              FROM pieces p WHERE p.workspace_id = :workspace AND p.campaign_id = :campaign
                AND p.id > :after AND p.id <= :upto AND p.status >= {HANDED}) known
        WHERE handed IS NOT NULL) mailed
    GROUP BY form, handed_on, ended, days"""
_SQLITE_DAY: Final = "date({} / 1000000, 'unixepoch')"
_SQLITE_DAYS: Final = (
    f"CAST(julianday({_SQLITE_DAY.format('status_at')}) - julianday({_SQLITE_DAY.format('handed')}) AS INTEGER)"
)
_DAY: Final = "CAST({} AT TIME ZONE 'UTC' AS DATE)"
COUNT: Final = sql(
    _COUNT.format(day_of_handed=_SQLITE_DAY.format("handed"), days=_SQLITE_DAYS),
    _COUNT.format(day_of_handed=_DAY.format("handed"), days=f"({_DAY.format('status_at')} - {_DAY.format('handed')})"),
)
#: Of what was read at first, or imported, nobody knows when it could have been heard.
_DELAYS: Final = f"""
    SELECT late, count(*) AS n FROM (
        SELECT {{days}} AS late
        FROM (SELECT id FROM pieces WHERE workspace_id = :workspace AND campaign_id = :campaign
              ORDER BY id LIMIT :size) p
        JOIN changes c ON c.piece_id = p.id AND c.status = {LANDED}
        JOIN workspaces w ON w.id = :workspace
        WHERE c.moment_key = c.occurred_at AND c.recorded_at > w.baseline_at AND c.recorded_at >= c.occurred_at
          AND c.source IN ({int(Source.WEBHOOK)}, {int(Source.POLL)})) told
    GROUP BY late"""
_SQLITE_LATE: Final = " - ".join(f"julianday({_SQLITE_DAY.format(f'c.{one}_at')})" for one in ("recorded", "occurred"))
_LATE: Final = " - ".join(_DAY.format(f"c.{one}_at") for one in ("recorded", "occurred"))
DELAYS: Final = sql(_DELAYS.format(days=f"CAST({_SQLITE_LATE} AS INTEGER)"), _DELAYS.format(days=f"({_LATE})"))
