"""What must be told, to which channel, and what became of it: one row per channel, piece and status.

A row is written in the transaction of the change itself, claimed under a lease of its channel, and ends as sent
or refused with a reason. Rows are fine-grained and grouped only when claimed, so nothing that happens between
claim and send can be swallowed by a group.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, and_, func, or_, select, update

from storage.database import run, sql, upsert
from storage.records import CampaignId, ChannelId, PieceId, Source, Told, WorkspaceId
from storage.statuses import NOTABLE, Status
from storage.tables import Moment, cards, channels, outbox

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


def enqueue(connection: Connection, workspace_id: WorkspaceId, now: datetime, *, news: bool, placed: bool) -> None:
    """Writes what the subscribed channels are to be told of the batch that is laid out in `stage`.

    `news`: it holds changes worth telling; `placed`: it may have brought known pieces into a campaign, whose history
    is told then. Depends only on what is in the history, so calling it again adds nothing. Not told: what was known
    before the first complete poll, what is older than the subscription, imports, pieces whose campaign is not known
    yet (they follow when it is), and cancellations that were asked for here.
    """
    for statement, wanted in ((TELL_NEWS, news), (TELL_HISTORY, placed)):
        if wanted:
            run(connection, statement, workspace=workspace_id, now=now)


_TOLD: Final = f"""
    INSERT INTO outbox (workspace_id, channel, piece_id, status, campaign_id, created_at, refusal)
    SELECT DISTINCT CAST(:workspace AS INTEGER), s.channel, p.id, c.status, p.campaign_id, :now, ''
    FROM {{}}
    JOIN workspaces w ON w.id = :workspace
    JOIN subscriptions s ON s.workspace_id = :workspace AND s.campaign_id IN (0, p.campaign_id)
    WHERE p.placed AND c.status IN ({", ".join(str(int(status)) for status in NOTABLE)})
      AND c.source IN ({int(Source.WEBHOOK)}, {int(Source.POLL)})
      AND c.recorded_at > w.baseline_at AND c.recorded_at > s.since
      AND NOT (c.status = {int(Status.CANCELLED)}
               AND EXISTS (SELECT 1 FROM cancellations a WHERE a.workspace_id = :workspace AND a.piece_id = p.id))
    ORDER BY 2, 3, 4
    ON CONFLICT DO NOTHING"""

TELL_NEWS: Final = sql(
    _TOLD.format("""stage_known k
    JOIN changes c ON c.piece_id = k.piece_id AND c.status = k.status AND c.moment_key = k.moment_key
                  AND c.place = k.place AND c.word = k.word
    JOIN pieces p ON p.id = k.piece_id"""),
    now=Moment,
)
TELL_HISTORY: Final = sql(
    _TOLD.format("""stage_met m
    JOIN pieces p ON p.id = m.piece_id AND NOT m.arrived
                 AND (p.campaign_id <> m.campaign_id OR p.placed IS DISTINCT FROM m.placed)
    JOIN changes c ON c.piece_id = p.id"""),
    now=Moment,
)


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
