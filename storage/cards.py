"""Which message in a channel shows a campaign's state, and what it shows: one for each channel and campaign."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from storage.database import upsert
from storage.records import CampaignId, ChannelId, WorkspaceId
from storage.schema.tables import cards

#: Whose card, in which channel, of which campaign.
Key = tuple[WorkspaceId, ChannelId, CampaignId]


#: What a card shows that Slack did not take when it was to be brought up to date: not what it should.
BEHIND: Final = ""


@dataclass(frozen=True)
class Card:
    """The message in a channel that shows a campaign's state."""

    message_ts: str
    shows: str
    #: When it last showed the truth.
    edited_at: datetime | None = None


def cards_of(connection: Connection, wanted: Collection[Key]) -> dict[Key, Card]:
    """The cards that were posted for these campaigns in these channels."""
    found = {}
    for workspace_id, campaign_id in {(key[0], key[2]) for key in wanted}:
        named = [key[1] for key in wanted if (key[0], key[2]) == (workspace_id, campaign_id)]
        rows = select(cards).where(
            cards.c.workspace_id == workspace_id, cards.c.campaign_id == campaign_id, cards.c.channel.in_(named)
        )
        for row in connection.execute(rows).all():
            found[workspace_id, ChannelId(row.channel), campaign_id] = Card(row.message_ts, row.shows, row.edited_at)
    return found


def keep_card(connection: Connection, key: Key, card: Card) -> None:
    """Remembers the card's message and what it shows."""
    adding = upsert(connection, cards).values(
        workspace_id=key[0],
        channel=key[1],
        campaign_id=key[2],
        message_ts=card.message_ts,
        shows=card.shows,
        edited_at=card.edited_at,
    )
    changed = {"message_ts": card.message_ts, "shows": card.shows, "edited_at": card.edited_at}
    connection.execute(adding.on_conflict_do_update(index_elements=list(cards.primary_key.columns), set_=changed))
