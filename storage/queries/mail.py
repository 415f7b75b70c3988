"""What can be asked of the memory: campaigns, mixes, pieces, timelines. Reads only, and never counts pieces."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Date, Row, Select, bindparam, func, or_, select, text, union_all

from storage import details
from storage.ledger.pieces import search_key
from storage.queries.current import LATELY, current_campaigns
from storage.records import (
    BOOKED_STAGES,
    NO_CAMPAIGN,
    CampaignId,
    CampaignStage,
    KnownCampaign,
    Mix,
    PieceId,
    Recipient,
    Scan,
    StoredCampaign,
    StoredPiece,
    WorkspaceId,
)
from storage.schema.tables import UNFILLED, UNITS, campaigns, changes, pieces, tallies, tally_deltas
from storage.statements import load
from storage.statuses import BY_RANK, FINAL, OTHER, Status, status_of

#: Sorts behind every text that begins like the one before it.
LAST = "\U0010ffff"


#: Ids asked for in one statement: SQLite takes so many parameters and no more.
SOME = 5000


#: Booked campaigns that are looked at.
BOOKED_SEEN: Final = 200


#: How campaigns stand wherever they are listed: those that changed last first, of several the newest.
LISTED_BY: Final = (
    func.coalesce(campaigns.c.changed_at, campaigns.c.updated_at, campaigns.c.created_at).desc().nulls_last(),
    campaigns.c.id.desc(),
)


@dataclass(frozen=True)
class Days:
    """A range of days, both included. None stands for "from the beginning" or "until now"."""

    first: date | None = None
    last: date | None = None
    #: Instead of days: what is current on this one (see `storage.queries.current`).
    current: date | None = None


def campaigns_of(connection: Connection, workspace_id: WorkspaceId) -> list[StoredCampaign]:
    """Every campaign, the most recently changed first."""
    rows = select(campaigns).where(campaigns.c.workspace_id == workspace_id)
    return [_campaign(row) for row in connection.execute(rows.order_by(*LISTED_BY)).all()]


class Named(NamedTuple):
    """What a campaign is called."""

    id: CampaignId
    ref: str
    name: str


def campaign_names(connection: Connection, workspace_id: WorkspaceId) -> list[Named]:
    """What all are called, the most recently changed first."""
    rows = select(campaigns.c.id, campaigns.c.ref, campaigns.c.name).where(campaigns.c.workspace_id == workspace_id)
    return [Named(*row) for row in connection.execute(rows.order_by(*LISTED_BY)).all()]


def latest_campaigns(
    connection: Connection, workspace_id: WorkspaceId, limit: int, ids: Sequence[CampaignId] | None = None
) -> list[StoredCampaign]:
    """The most recently changed first; of those with these numbers, where any are given."""
    rows = select(campaigns).where(campaigns.c.workspace_id == workspace_id)
    rows = rows if ids is None else rows.where(campaigns.c.id.in_(ids))
    rows = rows.order_by(*LISTED_BY).limit(limit)
    return [_campaign(row) for row in connection.execute(rows).all()]


def out_between(
    connection: Connection, workspace_id: WorkspaceId, begin: datetime, end: datetime, limit: int
) -> list[CampaignId]:
    """Campaigns of which something may have come back in this time, the most recently changed first.

    Nothing comes back before a hand-over, and each return is a change.
    """
    handed = func.coalesce(campaigns.c.handed_over_first, campaigns.c.created_at)
    rows = select(campaigns.c.id).where(campaigns.c.workspace_id == workspace_id)
    rows = rows.where(or_(handed.is_(None), handed < end))
    rows = rows.where(or_(campaigns.c.changed_at.is_(None), campaigns.c.changed_at >= begin))
    return [CampaignId(key) for key in connection.scalars(rows.order_by(*LISTED_BY).limit(limit))]


def campaigns_by_id(
    connection: Connection, workspace_id: WorkspaceId, ids: Sequence[CampaignId]
) -> list[StoredCampaign]:
    """The campaigns with these numbers, in that order; unknown ones are left out."""
    rows = select(campaigns).where(campaigns.c.workspace_id == workspace_id, campaigns.c.id.in_(ids))
    found = {row.id: _campaign(row) for row in connection.execute(rows).all()} if ids else {}
    return [found[key] for key in ids if key in found]


def campaigns_by_ref(
    connection: Connection, workspace_id: WorkspaceId, refs: Sequence[str]
) -> dict[str, StoredCampaign]:
    """The campaigns that the platform calls so."""
    rows = select(campaigns).where(campaigns.c.workspace_id == workspace_id, campaigns.c.ref.in_(refs))
    return {row.ref: _campaign(row) for row in connection.execute(rows).all()}


def booked_campaigns(connection: Connection, workspace_id: WorkspaceId, since: date) -> list[StoredCampaign]:
    """The next campaigns that are booked and have a mailing date from this day on."""
    words = [stage.value for stage in BOOKED_STAGES]
    rows = select(campaigns).where(
        campaigns.c.workspace_id == workspace_id, campaigns.c.stage.in_(words), campaigns.c.send_on >= since
    )
    rows = rows.order_by(campaigns.c.send_on, campaigns.c.id).limit(BOOKED_SEEN)
    return [_campaign(row) for row in connection.execute(rows).all()]


def campaign(connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> StoredCampaign | None:
    """The campaign with this number, or None."""
    rows = select(campaigns).where(campaigns.c.workspace_id == workspace_id, campaigns.c.id == campaign_id)
    row = connection.execute(rows).first()
    return _campaign(row) if row else None


def _campaign(row: Row[Any]) -> StoredCampaign:
    return StoredCampaign(
        id=CampaignId(row.id),
        facts=KnownCampaign(
            ref=row.ref,
            name=row.name,
            stage=CampaignStage.of(row.stage),
            kind=row.kind,
            created_at=row.created_at,
            updated_at=row.updated_at,
            send_on=row.send_on,
            recipients=row.recipients,
            cost=row.cost,
        ),
        handed_over_first=row.handed_over_first,
        handed_over_last=row.handed_over_last,
        delivered_first=row.delivered_first,
        delivered_last=row.delivered_last,
        changed_at=row.changed_at,
    )


def mixes(connection: Connection, workspace_id: WorkspaceId, days: Days | None = None) -> dict[CampaignId, Mix]:
    """The mix of each campaign (0: pieces of none) over pieces ordered in these days. From tallies alone."""
    if days and days.current:
        found = mixes_of(connection, workspace_id, current_campaigns(connection, workspace_id, days.current))
        loose = mix(connection, workspace_id, NO_CAMPAIGN, Days(days.current - LATELY, days.current))
        return {key: one for key, one in (found | {NO_CAMPAIGN: loose}).items() if one.total}
    by_campaign: dict[CampaignId, list[Any]] = {}
    for row in connection.execute(MIXES.on(connection), _span(workspace_id, days)).all():
        by_campaign.setdefault(CampaignId(row.campaign_id), []).append(row)
    found = {key: _mix(group) for key, group in by_campaign.items()}
    # Where pieces were counted and have left, nothing is left to show.
    return {key: mix for key, mix in found.items() if mix.total}


def mix(connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, days: Days | None = None) -> Mix:
    """The mix of one campaign over pieces ordered in these days. From tallies alone."""
    values = _span(workspace_id, days) | {"campaign": campaign_id}
    return _mix(connection.execute(MIX.on(connection), values).all())


def _span(workspace_id: WorkspaceId, days: Days | None) -> dict[str, Any]:
    first, last = (days.first, days.last) if days else (None, None)
    return {"workspace": workspace_id, "first": first or date.min, "last": last or date.max}


MIXES: Final = load("mixes", first=Date, last=Date)
MIX: Final = load("mix", first=Date, last=Date)
MIXES_OF: Final = load("mixes_of", first=Date, last=Date, campaigns=None)
TOTAL: Final = load("total", first=Date, last=Date, but=None)
NUMBER: Final = load("number_listed", first=Date, last=Date)
LISTED: Final = load("listed", first=Date, last=Date)


def total(
    connection: Connection, workspace_id: WorkspaceId, days: Days | None = None, but: Sequence[CampaignId] = ()
) -> Mix:
    """The mix of all pieces ordered in these days, but for those of some campaigns. From tallies alone."""
    if days and days.current:
        return merge([one for key, one in mixes(connection, workspace_id, days).items() if key not in but])
    values = _span(workspace_id, days) | {"but": [*but, -1]}
    return _mix(connection.execute(TOTAL.on(connection), values).all())


def number_listed(connection: Connection, workspace_id: WorkspaceId, days: Days) -> int:
    """How many campaigns have pieces that were ordered in these days."""
    if days.current:
        return len(current_campaigns(connection, workspace_id, days.current))
    return int(connection.scalar(NUMBER.on(connection), _span(workspace_id, days)) or 0)


def number_left_out(connection: Connection, workspace_id: WorkspaceId, days: Days) -> int:
    """How many campaigns have pieces, but none that were ordered in these days."""
    every = number_listed(connection, workspace_id, Days())
    if not days.current:
        return every - number_listed(connection, workspace_id, days)
    shown = mixes_of(connection, workspace_id, current_campaigns(connection, workspace_id, days.current))
    return every - sum(one.total > 0 for one in shown.values())


def nearest_order(
    connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId | None, days: Days
) -> date | None:
    """The day nearest to these on which pieces were ordered, of a campaign or (None) of any; None where there is none.

    What is current is asked for from its day on: whatever was ordered lies before.
    """
    first, last = days.first or days.current or date.min, days.last or days.current or date.max
    parts = []
    for table in (tallies, tally_deltas):
        mine = select(table.c.day, table.c.pieces).where(table.c.workspace_id == workspace_id)
        parts.append(mine if campaign_id is None else mine.where(table.c.campaign_id == campaign_id))
    both = union_all(*parts).subquery("both")
    held = select(both.c.day).group_by(both.c.day).having(func.sum(both.c.pieces) > 0)
    before = connection.scalar(held.where(both.c.day < first).order_by(both.c.day.desc()).limit(1))
    after = connection.scalar(held.where(both.c.day > last).order_by(both.c.day).limit(1))
    found = [(first - before, before)] if before else []
    found += [(after - last, after)] if after else []
    return min(found)[1] if found else None


def listed(
    connection: Connection, workspace_id: WorkspaceId, days: Days, start: int, limit: int
) -> list[tuple[StoredCampaign, Mix]]:
    """A page of the campaigns that have pieces ordered in these days, the most recently changed first."""
    if days.current:
        ids = current_campaigns(connection, workspace_id, days.current)[start : start + limit]
        found = mixes_of(connection, workspace_id, ids)
        return [(one, found[one.id]) for one in campaigns_by_id(connection, workspace_id, ids)]
    values = _span(workspace_id, days) | {"start": start, "limit": limit}
    ids = [CampaignId(key) for key in connection.scalars(LISTED.on(connection), values)]
    found = mixes_of(connection, workspace_id, ids, days)
    return [(one, found[one.id]) for one in campaigns_by_id(connection, workspace_id, ids)]


def mixes_of(
    connection: Connection, workspace_id: WorkspaceId, ids: Sequence[CampaignId], days: Days | None = None
) -> dict[CampaignId, Mix]:
    """The mix of each of these campaigns over pieces ordered in these days."""
    by_campaign: dict[CampaignId, list[Any]] = {key: [] for key in ids}
    values = _span(workspace_id, days) | {"campaigns": [*ids]}
    for row in connection.execute(MIXES_OF.on(connection), values).all() if ids else ():
        by_campaign[CampaignId(row.campaign_id)].append(row)
    return {key: _mix(group) for key, group in by_campaign.items()}


def merge(parts: Sequence[Mix]) -> Mix:
    """Several mixes as one."""
    counts = {status: sum(part.counts.get(status, 0) for part in parts) for status in Status}
    return Mix(counts, sum(part.other for part in parts), sum((part.spent for part in parts), Decimal(0)))


def _mix(rows: Sequence[Any]) -> Mix:
    counts = {BY_RANK[row.status]: int(row.pieces) for row in rows if row.status != OTHER and row.pieces}
    other = sum(int(row.pieces) for row in rows if row.status == OTHER)
    # A cancelled piece is not paid for, whatever price its row still shows.
    units = sum(row.cost for row in rows if row.status != Status.CANCELLED)
    return Mix(counts, other, Decimal(units) / UNITS)


def oldest_open_day(connection: Connection, workspace_id: WorkspaceId, since: date) -> date | None:
    """The day of the oldest pieces still under way, not before `since`; None when nothing is."""
    both = union_all(
        *(
            select(table.c.day, table.c.pieces).where(
                table.c.workspace_id == workspace_id,
                table.c.day >= since,
                table.c.status.not_in([int(status) for status in FINAL]),
            )
            for table in (tallies, tally_deltas)
        )
    ).subquery("both")
    open_days = select(both.c.day).group_by(both.c.day).having(func.sum(both.c.pieces) > 0)
    return connection.scalar(open_days.order_by(both.c.day).limit(1))


def _pieces() -> Select[Any]:
    joined = pieces.outerjoin(
        campaigns, (campaigns.c.workspace_id == pieces.c.workspace_id) & (campaigns.c.id == pieces.c.campaign_id)
    )
    return select(pieces, campaigns.c.name.label("campaign_name")).select_from(joined)


#: Pieces that are looked at in each index.
ALIKE_SEEN: Final = 500


ALIKE: Final = load("alike", {"most": ALIKE_SEEN})


_HAS_REF: Final = pieces.c.workspace_id == bindparam("workspace"), pieces.c.ref == bindparam("ref")
BY_REF: Final = select(pieces.c.id).where(*_HAS_REF)
#: Most who look for a piece know its id: one statement, made once.
OF_REF: Final = _pieces().where(*_HAS_REF)
#: The workspace is asked for in a way that SQLite uses no index for: it takes any for a good one, and would read all
#: pieces of the workspace.
OF_IDS: Final = _pieces().where(
    text("NOT pieces.workspace_id <> :workspace"), pieces.c.id.in_(bindparam("ids", expanding=True))
)


def find_pieces(connection: Connection, workspace_id: WorkspaceId, asked: str, limit: int) -> list[StoredPiece]:
    """Pieces with this id; else whose recipient's name, surname, ZIP or address begins with this. Newest first.

    Each of these is looked up in its index, and of more than a few hundred that are alike not all are looked at.
    """
    found = connection.execute(OF_REF, {"workspace": workspace_id, "ref": asked}).all()
    if found:
        return [_piece(row) for row in found]
    return pieces_by_id(connection, workspace_id, _begin_alike(connection, workspace_id, asked)[:limit])


def alike(connection: Connection, workspace_id: WorkspaceId, asked: str) -> list[PieceId]:
    """The numbers of the same, as many as are looked at."""
    exact = connection.scalars(BY_REF, {"workspace": workspace_id, "ref": asked}).all()
    return [PieceId(key) for key in exact] or _begin_alike(connection, workspace_id, asked)


def _begin_alike(connection: Connection, workspace_id: WorkspaceId, asked: str) -> list[PieceId]:
    key, zipped = search_key(asked), asked.strip().upper()
    if not key:
        return []
    values = {"workspace": workspace_id, "key": key, "end": key + LAST, "zip": zipped, "zip_end": zipped + LAST}
    return [
        PieceId(found) for found in sorted(set(connection.scalars(ALIKE.on(connection), values).all()), reverse=True)
    ]


def unknown_refs(connection: Connection, workspace_id: WorkspaceId, refs: Sequence[str]) -> list[str]:
    """Which of these pieces we have never met, in the order given."""
    met: set[str] = set()
    for start in range(0, len(refs), SOME):
        rows = select(pieces.c.ref).where(
            pieces.c.workspace_id == workspace_id, pieces.c.ref.in_(refs[start : start + SOME])
        )
        met.update(connection.scalars(rows))
    return [ref for ref in refs if ref not in met]


def piece_by_id(connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId) -> StoredPiece | None:
    """The piece with this number, or None."""
    found = pieces_by_id(connection, workspace_id, [piece_id])
    return found[0] if found else None


def pieces_by_id(connection: Connection, workspace_id: WorkspaceId, piece_ids: Sequence[PieceId]) -> list[StoredPiece]:
    """The pieces with these numbers, in that order; unknown ones are left out."""
    rows = connection.execute(OF_IDS, {"workspace": workspace_id, "ids": piece_ids}).all()
    found = {row.id: _piece(row) for row in rows}
    return [found[key] for key in piece_ids if key in found]


def pieces_at(
    connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, statuses: Sequence[Status]
) -> list[StoredPiece]:
    """A campaign's pieces that stand at one of these statuses."""
    rows = _pieces().where(
        pieces.c.workspace_id == workspace_id,
        pieces.c.campaign_id == campaign_id,
        pieces.c.status.in_([int(status) for status in statuses]),
    )
    return [_piece(row) for row in connection.execute(rows.order_by(pieces.c.id)).all()]


def details_due(connection: Connection, workspace_id: WorkspaceId, limit: int) -> list[StoredPiece]:
    """Pieces whose own timeline should be fetched, the most urgent first."""
    return pieces_by_id(connection, workspace_id, details.due(connection, workspace_id, limit))


def _piece(row: Row[Any]) -> StoredPiece:
    return StoredPiece(
        id=PieceId(row.id),
        ref=row.ref,
        status=status_of(row.status),
        status_at=row.status_at,
        kind=row.kind,
        format=row.format,
        created_at=row.created_at,
        dispatched_at=row.dispatched_at,
        cost=row.cost,
        campaign_id=CampaignId(row.campaign_id),
        campaign_name=row.campaign_name or "",
        recipient=Recipient(row.name, row.company, row.address, row.city, row.region, row.postcode, row.country),
        word=row.word,
        changed_at=row.changed_at,
        erased=bool(row.erased),
    )


def timeline(connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId) -> list[Scan]:
    """Everything heard about a piece, oldest first. A status that has a real scan does not show its estimate.

    Nor is a scan shown again without its place: the platform tells some moments twice.
    """
    rows = (
        select(changes)
        .join(pieces, pieces.c.id == changes.c.piece_id)
        .where(
            pieces.c.workspace_id == workspace_id,
            changes.c.workspace_id.in_((UNFILLED, workspace_id)),
            changes.c.piece_id == piece_id,
        )
        .order_by(changes.c.occurred_at, changes.c.status, changes.c.place)
    )
    found = [(row, row.moment_key == row.occurred_at) for row in connection.execute(rows).all()]
    scanned = {row.status for row, exact in found if exact}
    placed = {(row.status, row.occurred_at) for row, _ in found if row.place}
    shown = [
        (row, exact)
        for row, exact in found
        if (exact or row.status not in scanned) and (row.place or (row.status, row.occurred_at) not in placed)
    ]
    return [Scan(status_of(row.status), row.word, row.occurred_at, exact, row.place) for row, exact in shown]
