"""What can be asked of the memory: campaigns, mixes, pieces, timelines. Reads only, and never counts pieces."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select, type_coerce, union_all

from storage import details
from storage.arrivals import fold_text
from storage.records import (
    Campaign,
    CampaignId,
    Mix,
    PieceId,
    Recipient,
    Scan,
    StoredCampaign,
    StoredPiece,
    WorkspaceId,
)
from storage.statuses import FINAL, OTHER, Status, status_of
from storage.tables import Amount, campaigns, changes, pieces, tallies, tally_deltas

#: Sorts behind every text that begins like the one before it.
LAST = "\U0010ffff"
#: Ids asked for in one statement: SQLite takes so many parameters and no more.
SOME = 5000


@dataclass(frozen=True)
class Days:
    """A range of days, both included. None stands for "from the beginning" or "until now"."""

    first: date | None = None
    last: date | None = None


def campaigns_of(connection: Connection, workspace_id: WorkspaceId) -> list[StoredCampaign]:
    """Every campaign, the most recently changed first."""
    newest = func.coalesce(campaigns.c.changed_at, campaigns.c.updated_at, campaigns.c.created_at)
    rows = select(campaigns).where(campaigns.c.workspace_id == workspace_id)
    return [_campaign(row) for row in connection.execute(rows.order_by(newest.desc().nulls_last())).all()]


def campaign(connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> StoredCampaign | None:
    """The campaign with this number, or None."""
    rows = select(campaigns).where(campaigns.c.workspace_id == workspace_id, campaigns.c.id == campaign_id)
    row = connection.execute(rows).first()
    return _campaign(row) if row else None


def _campaign(row: Row[Any]) -> StoredCampaign:
    return StoredCampaign(
        id=CampaignId(row.id),
        facts=Campaign(
            ref=row.ref,
            name=row.name,
            status=row.status,
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
    rows = _tallied(workspace_id, days or Days())
    by_campaign: dict[CampaignId, list[Any]] = {}
    for row in connection.execute(rows).all():
        by_campaign.setdefault(CampaignId(row.campaign_id), []).append(row)
    found = {key: _mix(group) for key, group in by_campaign.items()}
    # Where pieces were counted and have left, nothing is left to show.
    return {key: mix for key, mix in found.items() if mix.total}


def mix(connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, days: Days | None = None) -> Mix:
    """The mix of one campaign over pieces ordered in these days. From tallies alone."""
    rows = _tallied(workspace_id, days or Days(), campaign_id)
    return _mix(connection.execute(rows).all())


def merge(parts: Sequence[Mix]) -> Mix:
    """Several mixes as one."""
    counts = {status: sum(part.counts.get(status, 0) for part in parts) for status in Status}
    return Mix(counts, sum(part.other for part in parts), sum((part.spent for part in parts), Decimal(0)))


def _tallied(workspace_id: WorkspaceId, days: Days, campaign_id: CampaignId | None = None) -> Select[Any]:
    """Folded tallies and the deltas since, in one statement: a fold in between cannot tear the sum."""
    parts = []
    for table in (tallies, tally_deltas):
        part = select(table.c.campaign_id, table.c.status, table.c.pieces, table.c.cost)
        part = part.where(table.c.workspace_id == workspace_id, *_within(table.c.day, days))
        parts.append(part if campaign_id is None else part.where(table.c.campaign_id == campaign_id))
    both = union_all(*parts).subquery("both")
    cost = type_coerce(func.sum(both.c.cost), Amount).label("cost")
    keys = (both.c.campaign_id, both.c.status)
    return select(*keys, func.sum(both.c.pieces).label("pieces"), cost).group_by(*keys)


def _within(day: ColumnElement[date], days: Days) -> list[ColumnElement[bool]]:
    first = [] if days.first is None else [day >= days.first]
    return first if days.last is None else [*first, day <= days.last]


def _mix(rows: Sequence[Any]) -> Mix:
    counts = {Status(row.status): int(row.pieces) for row in rows if row.status != OTHER and row.pieces}
    other = sum(int(row.pieces) for row in rows if row.status == OTHER)
    # A cancelled piece is not paid for, whatever price its row still shows.
    spent = sum((row.cost for row in rows if row.status != Status.CANCELLED), Decimal(0))
    return Mix(counts, other, spent)


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
    joined = pieces.outerjoin(campaigns, campaigns.c.id == pieces.c.campaign_id)
    return select(pieces, campaigns.c.name.label("campaign_name")).select_from(joined)


def find_pieces(connection: Connection, workspace_id: WorkspaceId, text: str, limit: int) -> list[StoredPiece]:
    """Pieces with this id; else whose recipient's name, surname, ZIP or address begins with the text. Newest first."""
    exact = connection.execute(_pieces().where(pieces.c.workspace_id == workspace_id, pieces.c.ref == text)).all()
    if exact:
        return [_piece(row) for row in exact]
    key = fold_text(text)
    if not key:
        return []
    alike = or_(
        *(_begins(column, key) for column in (pieces.c.name_key, pieces.c.surname_key, pieces.c.address_key)),
        _begins(pieces.c.postcode, text.strip().upper()),
    )
    rows = _pieces().where(pieces.c.workspace_id == workspace_id, alike).order_by(pieces.c.id.desc()).limit(limit)
    return [_piece(row) for row in connection.execute(rows).all()]


def _begins(column: ColumnElement[str], key: str) -> ColumnElement[bool]:
    return and_(column >= key, column < key + LAST)


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
    rows = _pieces().where(pieces.c.workspace_id == workspace_id, pieces.c.id.in_(piece_ids))
    found = {row.id: _piece(row) for row in connection.execute(rows).all()}
    return [found[key] for key in piece_ids if key in found]


def pieces_page(
    connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, after: PieceId | None, limit: int
) -> list[StoredPiece]:
    """A page of a campaign's pieces, by number, after the last one of the page before."""
    rows = _pieces().where(pieces.c.workspace_id == workspace_id, pieces.c.campaign_id == campaign_id)
    rows = rows if after is None else rows.where(pieces.c.id > after)
    return [_piece(row) for row in connection.execute(rows.order_by(pieces.c.id).limit(limit)).all()]


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
    )


def timeline(connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId) -> list[Scan]:
    """Everything heard about a piece, oldest first. A status that has a real scan does not show its estimate."""
    rows = (
        select(changes)
        .join(pieces, pieces.c.id == changes.c.piece_id)
        .where(pieces.c.workspace_id == workspace_id, changes.c.piece_id == piece_id)
        .order_by(changes.c.occurred_at, changes.c.status, changes.c.place)
    )
    found = [(row, row.moment_key == row.occurred_at) for row in connection.execute(rows).all()]
    scanned = {row.status for row, exact in found if exact}
    shown = [(row, exact) for row, exact in found if exact or row.status not in scanned]
    return [Scan(status_of(row.status), row.word, row.occurred_at, exact, row.place) for row, exact in shown]
