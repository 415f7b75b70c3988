"""Returned pieces: where they were to go, and what people noted about them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from storage.database import rows_changed, upsert
from storage.queries import mail as queries
from storage.records import NO_PIECE, CampaignId, PieceId, StoredPiece, UserId, WorkspaceId
from storage.schema.tables import EPOCH, MICROSECOND, Moment, pieces, return_notes, return_places
from storage.statements import load
from storage.statuses import MAILED, Status

#: Pieces that are counted in one read.
PORTION: Final = 20_000


class Place(NamedTuple):
    """A state and the first three digits of a ZIP code."""

    region: str
    zip3: str


class CameBack(NamedTuple):
    """Where a returned piece stands among those of its campaign, of which the last comes first: when it came back, and
    its number, by which those of the same moment are told apart."""

    at: datetime
    piece: PieceId

    @classmethod
    def of(cls, piece: StoredPiece) -> "CameBack":
        """That of a piece; one without a moment stands at the end."""
        return cls(piece.status_at or EPOCH, piece.id)

    @classmethod
    def stamped(cls, stamp: int, piece: PieceId) -> "CameBack":
        """That of this `stamp`. Raises OverflowError for one that is no moment."""
        return cls(EPOCH + stamp * MICROSECOND, piece)

    @property
    def stamp(self) -> int:
        """The moment, in microseconds since 1970."""
        return (self.at - EPOCH) // MICROSECOND


#: Before the first of any list.
FIRST: Final = CameBack(datetime(9999, 1, 1, tzinfo=UTC), NO_PIECE)


@dataclass(frozen=True)
class Note:
    """What people noted: why it came back (a code, "" for not known), and who settled it when."""

    reason: str = ""
    reason_by: str = ""
    handled_by: str = ""
    handled_at: datetime | None = None


def latest(
    connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, behind: CameBack | None, limit: int
) -> list[StoredPiece]:
    """The next returned pieces of a campaign behind this one (None: from the first), those that came back last first.

    Whatever comes back meanwhile stands before a later page, and moves none of those that follow.
    """
    values = {"workspace": workspace_id, "campaign": campaign_id, "never": EPOCH, "limit": limit}
    values |= (behind or FIRST)._asdict()
    rows = connection.scalars(LATEST.on(connection), values)
    return queries.pieces_by_id(connection, workspace_id, [PieceId(key) for key in rows])


def between(
    connection: Connection,
    workspace_id: WorkspaceId,
    campaign_id: CampaignId,
    begin: datetime,
    end: datetime,
    limit: int,
) -> tuple[list[StoredPiece], int]:
    """What came back of a campaign from one moment to another (that one is not among them), the last first; and how
    many that are, also behind the limit."""
    values = {"workspace": workspace_id, "campaign": campaign_id, "begin": begin, "end": end, "limit": limit}
    rows = connection.execute(BETWEEN.on(connection), values).all()
    found = queries.pieces_by_id(connection, workspace_id, [PieceId(row.id) for row in rows])
    return found, int(rows[0].number) if rows else 0


def count_places(
    connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, after: PieceId, upto: PieceId
) -> Counter[Place]:
    """Where the returned pieces among these, by number, were to go."""
    values = {"workspace": workspace_id, "campaign": campaign_id, "after": after, "upto": upto}
    return Counter({Place(r.region, r.zip3): int(r.n) for r in connection.execute(PLACES.on(connection), values).all()})


def count_mailed(
    connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, after: PieceId
) -> tuple[Counter[str], PieceId | None]:
    """How many pieces were mailed to each state, of the next ones by number; and the last of these, None at the end."""
    values = {"workspace": workspace_id, "campaign": campaign_id, "after": after}
    rows = connection.execute(MAILED_TO.on(connection), values).all()
    last = max((PieceId(row.last) for row in rows), default=None)
    return Counter({row.region: int(row.n) for row in rows if row.n}), last


def keep_places(
    connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, counted: Mapping[Place, int]
) -> None:
    """Replaces what is kept of a campaign."""
    mine = return_places.c.workspace_id == workspace_id, return_places.c.campaign_id == campaign_id
    connection.execute(delete(return_places).where(*mine))
    rows = [
        {"workspace_id": workspace_id, "campaign_id": campaign_id, **place._asdict(), "pieces": number}
        for place, number in counted.items()
    ]
    if rows:
        connection.execute(insert(return_places), rows)


def places_of(connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> Counter[Place]:
    """Where a campaign's returned pieces were to go, as last counted."""
    mine = return_places.c.workspace_id == workspace_id, return_places.c.campaign_id == campaign_id
    rows = connection.execute(select(return_places).where(*mine)).all()
    return Counter({Place(row.region, row.zip3): row.pieces for row in rows})


def count_handled(connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> int:
    """How many of a campaign's returns are settled."""
    mine = pieces.c.workspace_id == workspace_id, pieces.c.campaign_id == campaign_id
    settled = return_notes.c.workspace_id == workspace_id, return_notes.c.handled_at.is_not(None)
    joined = return_notes.join(
        pieces, (pieces.c.workspace_id == return_notes.c.workspace_id) & (pieces.c.id == return_notes.c.piece_id)
    )
    back = pieces.c.status == int(Status.RETURNED)
    return int(connection.scalar(select(func.count()).select_from(joined).where(*settled, *mine, back)) or 0)


def notes_of(connection: Connection, workspace_id: WorkspaceId, piece_ids: Sequence[PieceId]) -> dict[PieceId, Note]:
    """What is noted of these pieces."""
    mine = return_notes.c.workspace_id == workspace_id, return_notes.c.piece_id.in_(piece_ids)
    return {
        PieceId(row.piece_id): Note(row.reason, row.reason_by, row.handled_by, row.handled_at)
        for row in connection.execute(select(return_notes).where(*mine)).all()
    }


def note_reason(connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId, reason: str, by: UserId) -> bool:
    """Notes why it came back; False where that was noted already, and stays theirs who noted it."""
    return _note(connection, workspace_id, piece_id, return_notes.c.reason != reason, reason=reason, reason_by=by)


def settle(
    connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId, by: UserId, at: datetime | None
) -> bool:
    """Marks it as handled, or (without a moment) as open again; False where it was so already, and stays as it was."""
    if at is None:
        mine = return_notes.c.workspace_id == workspace_id, return_notes.c.piece_id == piece_id
        opening = update(return_notes).where(*mine, return_notes.c.handled_at.is_not(None))
        return rows_changed(connection, opening.values(handled_by="", handled_at=None)) == 1
    is_open = return_notes.c.handled_at.is_(None)
    return _note(connection, workspace_id, piece_id, is_open, handled_by=by, handled_at=at)


def _note(
    connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId, where: ColumnElement[bool], **facts: Any
) -> bool:
    """Notes these facts, where what is noted already lets it."""
    row = {"reason": "", "reason_by": "", "handled_by": "", "handled_at": None} | facts
    adding = upsert(connection, return_notes).values(workspace_id=workspace_id, piece_id=piece_id, **row)
    keys = list(return_notes.primary_key.columns)
    return rows_changed(connection, adding.on_conflict_do_update(index_elements=keys, set_=facts, where=where)) == 1


LATEST: Final = load("walk_returned", {"back": int(Status.RETURNED)}, at=Moment, never=Moment)
BETWEEN: Final = load("returned_between", {"back": int(Status.RETURNED)}, begin=Moment, end=Moment)
PLACES: Final = load("places", {"back": int(Status.RETURNED)})
MAILED_TO: Final = load("mailed_to", {"mailed": [int(status) for status in MAILED], "limit": PORTION})
