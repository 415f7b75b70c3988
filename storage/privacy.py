"""Who a piece was sent to, dropped for good: some time after its final status, or because somebody asked.

State and country stay, for the returns by state; so do statuses, dates and costs, which are nobody's.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, and_, func, or_, select, update

from storage.database import rows_changed, upsert
from storage.ledger.pieces import PERSONAL
from storage.records import NO_PIECE, CampaignId, ChannelId, PieceId, WorkspaceId
from storage.schema.account_tables import shown
from storage.schema.tables import cards, outbox, pieces
from storage.statuses import FINAL

#: Mail without a final scan after this long is taken to have ended.
LONGEST_WAY: Final = timedelta(days=60)
NO_PRINTS: Final = dict.fromkeys(("listed_print", "placed_print"))
NOTHING: Final = dict.fromkeys(PERSONAL, "") | NO_PRINTS


def erase_piece(connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId) -> bool:
    """Drops who this piece was sent to, for good; gives whether that was known until now."""
    mine = pieces.c.workspace_id == workspace_id, pieces.c.id == piece_id, pieces.c.erased.is_not(True)
    return rows_changed(connection, update(pieces).where(*mine).values(**NOTHING, erased=True)) == 1


def erase_ended(
    connection: Connection, workspace_id: WorkspaceId, before: datetime, after: int, limit: int = 2000
) -> tuple[int, int | None]:
    """Drops who pieces were sent to that ended before this moment, among the next `limit` pieces after row `after`.

    Gives how many, and the row to go on after; None at the end.
    """
    looked = select(pieces.c.id).where(pieces.c.workspace_id == workspace_id, pieces.c.id > after)
    ids = list(connection.scalars(looked.order_by(pieces.c.id).limit(limit)).all())
    if not ids:
        return 0, None
    ended_at = func.coalesce(pieces.c.status_at, pieces.c.changed_at, pieces.c.created_at)
    ended = or_(
        and_(pieces.c.status.in_([int(one) for one in FINAL]), ended_at < before),
        pieces.c.created_at < before - LONGEST_WAY,
    )
    mine = pieces.c.id.between(ids[0], ids[-1]), pieces.c.workspace_id == workspace_id
    kept = or_(pieces.c.listed_print.is_not(None), pieces.c.placed_print.is_not(None))
    # A version that knows nothing of fingerprints may have erased some while it ran beside this one.
    connection.execute(update(pieces).where(*mine, pieces.c.erased.is_(True), kept).values(**NO_PRINTS))
    now = update(pieces).where(*mine, pieces.c.erased.is_not(True), ended)
    erased = rows_changed(connection, now.values(**NOTHING, erased=True))
    return erased, ids[-1] if len(ids) == limit else None


def show(
    connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, campaign_id: CampaignId, piece_id: PieceId
) -> None:
    """Remembers that everybody in this channel was shown this campaign (piece 0), or this piece."""
    row = {"workspace_id": workspace_id, "channel": channel, "campaign_id": campaign_id, "piece_id": piece_id}
    connection.execute(upsert(connection, shown).values(**row).on_conflict_do_nothing())


def show_campaigns(
    connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, ids: Sequence[CampaignId]
) -> None:
    """The same of several campaigns."""
    for campaign_id in ids:
        show(connection, workspace_id, channel, campaign_id, NO_PIECE)


def was_shown(
    connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, campaign_id: CampaignId, piece_id: PieceId
) -> bool:
    """Whether all in this channel were shown this campaign (piece 0), or this piece: by an answer, a card or news."""
    here = shown.c.workspace_id == workspace_id, shown.c.channel == channel
    answers = select(shown.c.channel).where(*here, shown.c.campaign_id == campaign_id, shown.c.piece_id == piece_id)
    if connection.execute(answers.limit(1)).first() is not None:
        return True
    if piece_id:
        told = outbox.c.workspace_id == workspace_id, outbox.c.channel == channel, outbox.c.piece_id == piece_id
        question = select(outbox.c.id).where(*told, outbox.c.message_ts.is_not(None))
    else:
        carded = cards.c.workspace_id == workspace_id, cards.c.channel == channel, cards.c.campaign_id == campaign_id
        question = select(cards.c.channel).where(*carded)
    return connection.execute(question.limit(1)).first() is not None


def shown_pieces(
    connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, piece_ids: Sequence[PieceId]
) -> set[PieceId]:
    """Those of these pieces that all in this channel were shown, as `was_shown` has it of one."""
    here = shown.c.workspace_id == workspace_id, shown.c.channel == channel, shown.c.piece_id.in_(piece_ids)
    same = (pieces.c.workspace_id == shown.c.workspace_id) & (pieces.c.id == shown.c.piece_id)
    # Its campaign, too: what was shown of one is not shown of another.
    same &= pieces.c.campaign_id == shown.c.campaign_id
    answered = select(shown.c.piece_id).select_from(shown.join(pieces, same)).where(*here)
    told = outbox.c.workspace_id == workspace_id, outbox.c.channel == channel, outbox.c.piece_id.in_(piece_ids)
    posted = select(outbox.c.piece_id).where(*told, outbox.c.message_ts.is_not(None))
    return {PieceId(key) for key in connection.scalars(answered.union(posted))}


def shown_campaigns(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId) -> list[CampaignId]:
    """The campaigns that all in this channel were shown, by answers or cards; the highest number first."""
    answered = select(shown.c.campaign_id).where(
        shown.c.workspace_id == workspace_id, shown.c.channel == channel, shown.c.piece_id == NO_PIECE
    )
    carded = select(cards.c.campaign_id).where(cards.c.workspace_id == workspace_id, cards.c.channel == channel)
    return sorted({CampaignId(key) for key in connection.scalars(answered.union(carded))}, reverse=True)
