"""What must be told, to which channel, and what became of it: one row per channel, piece and status.

A row is written in the transaction of the change itself, claimed under a lease of its channel, and ends as sent
or refused with a reason. Rows are fine-grained and grouped only when claimed, so nothing that happens between
claim and send can be swallowed by a group.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, func, literal, or_, select, update

from storage.database import upsert
from storage.records import CampaignId, ChannelId, PieceId, Source, Told, WorkspaceId
from storage.statuses import NOTABLE, Status
from storage.tables import cancellations, cards, changes, channels, outbox, pieces, subscriptions, workspaces

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
#: Longer than any Slack call with its retries: after this, another sender may take the channel over.
LEASE = timedelta(seconds=60)
#: A returned piece's facts in a parcel; more than this waits for the next message.
PARCEL = 500


@dataclass(frozen=True)
class Item:
    """One thing to tell: this piece reached this status."""

    row_id: int
    piece_id: PieceId
    status: Status


@dataclass(frozen=True)
class Parcel:
    """What is to be told about one campaign in one channel, oldest first."""

    workspace_id: WorkspaceId
    channel: ChannelId
    campaign_id: CampaignId
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Card:
    """The message in a channel that shows a campaign's state."""

    message_ts: str
    shows: str


def enqueue(connection: Connection, workspace_id: WorkspaceId, piece_ids: Select[Any], now: datetime) -> None:
    """Writes what the subscribed channels are to be told about these pieces.

    Depends only on the history of the pieces, so calling it again adds nothing. Not told: what was known before
    the first complete poll, what is older than the subscription, imports, pieces whose campaign is not known yet
    (they follow when it is), and cancellations that were asked for here.
    """
    same = and_(
        subscriptions.c.workspace_id == pieces.c.workspace_id,
        or_(subscriptions.c.campaign_id == 0, subscriptions.c.campaign_id == pieces.c.campaign_id),
    )
    asked_here = and_(
        changes.c.status == int(Status.CANCELLED),
        exists().where(cancellations.c.workspace_id == workspace_id, cancellations.c.piece_id == changes.c.piece_id),
    )
    due = (
        select(
            pieces.c.workspace_id,
            subscriptions.c.channel,
            pieces.c.id,
            changes.c.status,
            pieces.c.campaign_id,
            literal(now, outbox.c.created_at.type),
            literal(""),
        )
        .select_from(changes.join(pieces, pieces.c.id == changes.c.piece_id))
        .join(subscriptions, same)
        .join(workspaces, workspaces.c.id == pieces.c.workspace_id)
        .where(
            pieces.c.workspace_id == workspace_id,
            changes.c.piece_id.in_(piece_ids),
            changes.c.status.in_([int(status) for status in NOTABLE]),
            changes.c.source.in_([int(Source.WEBHOOK), int(Source.POLL)]),
            changes.c.recorded_at > workspaces.c.baseline_at,
            changes.c.recorded_at > subscriptions.c.since,
            pieces.c.placed,
            ~asked_here,
        )
        .distinct()
    )
    columns = ["workspace_id", "channel", "piece_id", "status", "campaign_id", "created_at", "refusal"]
    connection.execute(upsert(connection, outbox).from_select(columns, due).on_conflict_do_nothing())


def claim(connection: Connection, now: datetime, settle: timedelta, limit: int = 50) -> list[Parcel]:
    """Leases channels that may be written to now, and gives the oldest parcel of each.

    A channel's first unsent row must be at least `settle` old, so that a burst arrives as one message.
    """
    oldest = select(outbox.c.workspace_id, outbox.c.channel, func.min(outbox.c.created_at).label("since"))
    oldest = oldest.where(outbox.c.sent_at.is_(None)).group_by(outbox.c.workspace_id, outbox.c.channel)
    waiting = oldest.subquery("waiting")
    same = and_(channels.c.workspace_id == waiting.c.workspace_id, channels.c.channel == waiting.c.channel)
    due = (
        select(channels.c.workspace_id, channels.c.channel)
        .join(waiting, same)
        .where(
            waiting.c.since <= now - settle,
            channels.c.next_at <= now,
            channels.c.lease_until <= now,
            or_(channels.c.muted_until.is_(None), channels.c.muted_until <= now),
        )
        .order_by(waiting.c.since)
        .limit(limit)
        .with_for_update(of=channels, skip_locked=True)
    )
    return [_lease(connection, row.workspace_id, row.channel, now) for row in connection.execute(due).all()]


def _lease(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, now: datetime) -> Parcel:
    _set_channel(connection, workspace_id, channel, lease_until=now + LEASE)
    mine = and_(outbox.c.workspace_id == workspace_id, outbox.c.channel == channel, outbox.c.sent_at.is_(None))
    first = select(outbox.c.campaign_id).where(mine).order_by(outbox.c.id).limit(1).scalar_subquery()
    rows = select(outbox.c.id, outbox.c.piece_id, outbox.c.status, outbox.c.campaign_id)
    rows = rows.where(mine, outbox.c.campaign_id == first).order_by(outbox.c.id).limit(PARCEL)
    found = connection.execute(rows).all()
    items = tuple(Item(row.id, PieceId(row.piece_id), Status(row.status)) for row in found)
    return Parcel(workspace_id, channel, CampaignId(found[0].campaign_id), items)


def mark_sent(connection: Connection, parcel: Parcel, items: Sequence[Item], message_ts: str, now: datetime) -> None:
    """These were told, in this message; so nothing stands in the channel's way."""
    _set_channel(connection, parcel.workspace_id, parcel.channel, blocked="")
    ids = [item.row_id for item in items]
    done = update(outbox).where(outbox.c.workspace_id == parcel.workspace_id, outbox.c.id.in_(ids))
    connection.execute(done.values(sent_at=now, message_ts=message_ts))


def release(connection: Connection, parcel: Parcel, next_at: datetime) -> None:
    """Gives the channel back; nothing more goes to it before `next_at`."""
    _set_channel(connection, parcel.workspace_id, parcel.channel, lease_until=NEVER, next_at=next_at)


def block(connection: Connection, parcel: Parcel, reason: str, now: datetime, retry_at: datetime) -> None:
    """Slack refuses this channel. Its unsent rows end with the reason, which people can see.

    News that comes later is tried again from `retry_at` on: somebody may have mended it by then.
    """
    _set_channel(connection, parcel.workspace_id, parcel.channel, lease_until=NEVER, blocked=reason, next_at=retry_at)
    unsent = and_(
        outbox.c.workspace_id == parcel.workspace_id,
        outbox.c.channel == parcel.channel,
        outbox.c.sent_at.is_(None),
    )
    connection.execute(update(outbox).where(unsent).values(sent_at=now, refusal=reason))


def refuse(connection: Connection, parcel: Parcel, items: Sequence[Item], reason: str, now: datetime) -> None:
    """These cannot be told, though the channel is well; the reason is kept."""
    ids = [item.row_id for item in items]
    ended = update(outbox).where(outbox.c.workspace_id == parcel.workspace_id, outbox.c.id.in_(ids))
    connection.execute(ended.values(sent_at=now, refusal=reason))


def _set_channel(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, **values: Any) -> None:
    mine = and_(channels.c.workspace_id == workspace_id, channels.c.channel == channel)
    connection.execute(update(channels).where(mine).values(**values))


def open_channel(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId) -> None:
    """Makes the channel known, and lifts an earlier refusal: somebody there has just asked for news."""
    row = {"workspace_id": workspace_id, "channel": channel, "next_at": NEVER, "lease_until": NEVER, "blocked": ""}
    adding = upsert(connection, channels).values(**row)
    adding = adding.on_conflict_do_update(index_elements=list(channels.primary_key.columns), set_={"blocked": ""})
    connection.execute(adding)


def mute(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, until: datetime | None) -> None:
    """Holds the channel's news back until then (None: no longer). Nothing is dropped."""
    _set_channel(connection, workspace_id, channel, muted_until=until)


def card_of(
    connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, campaign_id: CampaignId
) -> Card | None:
    """The campaign's card in this channel, if one was posted."""
    row = connection.execute(select(cards).where(*_card_key(workspace_id, channel, campaign_id))).first()
    return Card(row.message_ts, row.shows) if row else None


def keep_card(connection: Connection, parcel: Parcel, card: Card) -> None:
    """Remembers the card's message and what it shows."""
    adding = upsert(connection, cards).values(
        workspace_id=parcel.workspace_id,
        channel=parcel.channel,
        campaign_id=parcel.campaign_id,
        message_ts=card.message_ts,
        shows=card.shows,
    )
    adding = adding.on_conflict_do_update(
        index_elements=list(cards.primary_key.columns), set_={"message_ts": card.message_ts, "shows": card.shows}
    )
    connection.execute(adding)


def _card_key(workspace_id: WorkspaceId, channel: ChannelId, campaign_id: CampaignId) -> tuple[Any, ...]:
    return (
        cards.c.workspace_id == workspace_id,
        cards.c.channel == channel,
        cards.c.campaign_id == campaign_id,
    )


def told_of(connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId) -> list[Told]:
    """Where this piece's news went, oldest first: "was I told, and if not, why?"."""
    rows = select(outbox).where(outbox.c.workspace_id == workspace_id, outbox.c.piece_id == piece_id)
    return [
        Told(ChannelId(row.channel), Status(row.status), row.sent_at, row.refusal)
        for row in connection.execute(rows.order_by(outbox.c.id)).all()
    ]
