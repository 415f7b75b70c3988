"""What a channel's message is made of: read for many channels at once, a bounded number of rows at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from storage import workspaces
from storage.cards import Card, cards_of
from storage.outbox import NewsBatch
from storage.queries import mail as queries
from storage.records import (
    NO_CAMPAIGN,
    CampaignId,
    ChannelId,
    Mix,
    NotifyOn,
    PieceId,
    StoredCampaign,
    StoredPiece,
    Workspace,
    WorkspaceId,
)

#: Rows whose facts are read in one go.
HANDFUL: Final = 5000


@dataclass(frozen=True)
class Facts:
    """A batch, and what its messages are made of."""

    batch: NewsBatch
    workspace: Workspace
    campaign: StoredCampaign | None
    mix: Mix
    notify_on: frozenset[NotifyOn] | None
    card: Card | None
    pieces: dict[PieceId, StoredPiece]


def handfuls(batches: list[NewsBatch]) -> Iterator[list[NewsBatch]]:
    """The batches in groups of a bounded number of rows, so that their facts are few at a time."""
    handful: list[NewsBatch] = []
    for batch in batches:
        if handful and sum(len(one.items) for one in handful) + len(batch.items) > HANDFUL:
            yield handful
            handful = []
        handful.append(batch)
    if handful:
        yield handful


def gather(connection: Connection, batches: list[NewsBatch]) -> list[Facts]:
    """The facts of several batches. Many channels are told of the same campaign, which is read once."""
    ids: dict[WorkspaceId, dict[PieceId, None]] = {}
    for batch in batches:
        ids.setdefault(batch.workspace_id, {}).update(dict.fromkeys(item.piece_id for item in batch.items))
    found = {key: workspaces.by_id(connection, key) for key in ids}
    pieces = {
        (key, piece.id): piece
        for key, those in ids.items()
        for piece in queries.pieces_by_id(connection, key, [*those])
    }
    channels = [batch.channel for batch in batches]
    notify_on = {key: workspaces.wants_of_channels(connection, key, channels) for key in ids}
    campaigns = {(p.workspace_id, p.campaign_id) for p in batches}
    known = {key: (queries.campaign(connection, *key), queries.mix(connection, *key)) for key in campaigns}
    posted = cards_of(connection, {batch.key for batch in batches})
    return [
        Facts(
            batch,
            found[batch.workspace_id],
            *known[batch.workspace_id, batch.campaign_id],
            _wanted(notify_on[batch.workspace_id], batch),
            posted.get(batch.key),
            {
                item.piece_id: pieces[batch.workspace_id, item.piece_id]
                for item in batch.items
                if (batch.workspace_id, item.piece_id) in pieces
            },
        )
        for batch in batches
    ]


def _wanted(
    notify_on: Mapping[tuple[ChannelId, CampaignId], frozenset[NotifyOn]], batch: NewsBatch
) -> frozenset[NotifyOn] | None:
    """The campaign's own choice, else that for all; None for neither."""
    return notify_on.get((batch.channel, batch.campaign_id), notify_on.get((batch.channel, NO_CAMPAIGN)))
