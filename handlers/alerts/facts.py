"""What a channel's message is made of: read for many channels at once, a bounded number of rows at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from storage import workspaces
from storage.cards import Card, cards_of
from storage.outbox import Parcel
from storage.queries import mail as queries
from storage.records import (
    NO_CAMPAIGN,
    CampaignId,
    ChannelId,
    Mix,
    PieceId,
    StoredCampaign,
    StoredPiece,
    Want,
    Workspace,
    WorkspaceId,
)

#: Rows whose facts are read in one go.
HANDFUL: Final = 5000


@dataclass(frozen=True)
class Facts:
    """A parcel, and what its messages are made of."""

    parcel: Parcel
    workspace: Workspace
    campaign: StoredCampaign | None
    mix: Mix
    wants: frozenset[Want] | None
    card: Card | None
    pieces: dict[PieceId, StoredPiece]


def handfuls(parcels: list[Parcel]) -> Iterator[list[Parcel]]:
    """The parcels in groups of a bounded number of rows, so that their facts are few at a time."""
    handful: list[Parcel] = []
    for parcel in parcels:
        if handful and sum(len(one.items) for one in handful) + len(parcel.items) > HANDFUL:
            yield handful
            handful = []
        handful.append(parcel)
    if handful:
        yield handful


def gather(connection: Connection, parcels: list[Parcel]) -> list[Facts]:
    """The facts of several parcels. Many channels are told of the same campaign, which is read once."""
    ids: dict[WorkspaceId, dict[PieceId, None]] = {}
    for parcel in parcels:
        ids.setdefault(parcel.workspace_id, {}).update(dict.fromkeys(item.piece_id for item in parcel.items))
    found = {key: workspaces.by_id(connection, key) for key in ids}
    pieces = {
        (key, piece.id): piece
        for key, those in ids.items()
        for piece in queries.pieces_by_id(connection, key, [*those])
    }
    channels = [parcel.channel for parcel in parcels]
    wants = {key: workspaces.wants_of_channels(connection, key, channels) for key in ids}
    campaigns = {(p.workspace_id, p.campaign_id) for p in parcels}
    known = {key: (queries.campaign(connection, *key), queries.mix(connection, *key)) for key in campaigns}
    posted = cards_of(connection, {parcel.key for parcel in parcels})
    return [
        Facts(
            parcel,
            found[parcel.workspace_id],
            *known[parcel.workspace_id, parcel.campaign_id],
            _wanted(wants[parcel.workspace_id], parcel),
            posted.get(parcel.key),
            {
                item.piece_id: pieces[parcel.workspace_id, item.piece_id]
                for item in parcel.items
                if (parcel.workspace_id, item.piece_id) in pieces
            },
        )
        for parcel in parcels
    ]


def _wanted(wants: Mapping[tuple[ChannelId, CampaignId], frozenset[Want]], parcel: Parcel) -> frozenset[Want] | None:
    """The campaign's own choice, else that for all; None for neither."""
    return wants.get((parcel.channel, parcel.campaign_id), wants.get((parcel.channel, NO_CAMPAIGN)))
