"""What must be told, to which channel, and what became of it: one row per channel, piece and status.

A row is written in the transaction of the change itself, claimed under a lease of its channel, and ends as sent
or refused with a reason. Rows are fine-grained and grouped only when claimed, so nothing that happens between
claim and send can be swallowed by a group.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, select, update

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
    #: When it last showed the truth.
    edited_at: datetime | None = None


def enqueue(connection: Connection, workspace_id: WorkspaceId, now: datetime, *, news: bool, placed: bool) -> None:
    """Writes what the subscribed channels are to be told of the batch that is laid out in `stage`.

    `news`: it holds changes worth telling; `placed`: it may have brought known pieces into a campaign, whose history
    is told then. Depends only on what is in the history, so calling it again adds nothing. Not told: what was known
    before the first complete poll, what is older than the subscription, imports, pieces whose campaign is not known
    yet (they follow when it is), and cancellations that were asked for here, whose end the asker is told.
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
               AND EXISTS (SELECT 1 FROM cancellations a WHERE a.workspace_id = :workspace AND a.piece_id = p.id
                           AND a.outcome IN ('', 'cancelled', 'already cancelled')))
    ORDER BY 2, 3, 4
    ON CONFLICT DO NOTHING"""

TELL_NEWS: Final = sql(
    _TOLD.format("""stage_known k
    JOIN LATERAL (SELECT * FROM changes c WHERE c.piece_id = k.piece_id AND c.status = k.status
                  AND c.moment_key = k.moment_key AND c.place = k.place AND c.word = k.word OFFSET 0) c ON true
    JOIN LATERAL (SELECT * FROM pieces p WHERE p.id = k.piece_id OFFSET 0) p ON true"""),
    now=Moment,
)
TELL_HISTORY: Final = sql(
    _TOLD.format("""stage_met m
    JOIN LATERAL (SELECT * FROM pieces p WHERE p.id = m.piece_id AND NOT m.arrived
                  AND (p.campaign_id <> m.campaign_id OR p.placed IS DISTINCT FROM m.placed) OFFSET 0) p ON true
    JOIN LATERAL (SELECT * FROM changes c WHERE c.piece_id = m.piece_id OFFSET 0) c ON true"""),
    now=Moment,
)


@dataclass(frozen=True)
class Ending:
    """What became of a parcel: which rows were told in which message, or refused and why, and the card that stands."""

    parcel: Parcel
    #: Nothing more goes to the channel before this moment.
    next_at: datetime
    #: The rows that were told, with the `ts` of the message that told them.
    told: tuple[tuple[Item, str], ...] = ()
    refused: tuple[Item, ...] = ()
    refusal: str = ""
    card: Card | None = None


def is_due(connection: Connection, now: datetime, settle: timedelta) -> bool:
    """Whether a claim would find anything. Only reads, and so disturbs nobody."""
    values = {"now": now, "settled": now - settle, "limit": 1, "busy": [0]}
    return connection.execute(LOOK.on(connection), values).first() is not None


def claim(
    connection: Connection, now: datetime, settle: timedelta, limit: int = 50, busy: Sequence[WorkspaceId] = ()
) -> list[Parcel]:
    """Leases channels that may be written to now, and gives the oldest parcel of each; none of the `busy` workspaces.

    A channel's first unsent row must be at least `settle` old, so that a burst arrives as one message. A workspace
    gets its share of the limit, however many channels of others wait.
    """
    values = {"now": now, "settled": now - settle, "limit": limit, "busy": [*busy, 0]}
    due = connection.execute(DUE.on(connection), values).all()
    if not due:
        return []
    keys = [{"w": row.workspace_id, "c": row.channel} for row in due]
    connection.execute(update(channels).where(*_this_channel()).values(lease_until=now + LEASE), keys)
    parcels = [_parcel(connection, row.workspace_id, row.channel) for row in due]
    for parcel in parcels:
        if not parcel.items:
            # Another process was quicker. There is nothing to hold the channel for.
            _set_channel(connection, parcel.workspace_id, parcel.channel, lease_until=NEVER)
    return [parcel for parcel in parcels if parcel.items]


def _this_channel() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return channels.c.workspace_id == bindparam("w"), channels.c.channel == bindparam("c")


def _parcel(connection: Connection, workspace_id: int, channel: str) -> Parcel:
    rows = connection.execute(PARCEL_ROWS.on(connection), {"workspace": workspace_id, "channel": channel}).all()
    items = tuple(Item(row.id, PieceId(row.piece_id), Status(row.status)) for row in rows)
    campaign_id = CampaignId(rows[0].campaign_id if rows else 0)
    return Parcel(WorkspaceId(workspace_id), ChannelId(channel), campaign_id, items)


_FIRST: Final = """SELECT {} FROM outbox o WHERE o.workspace_id = {}.workspace_id AND o.channel = {}.channel
    AND o.sent_at IS NULL ORDER BY o.id LIMIT 1"""
#: One look at the oldest unsent row of each channel: what it costs depends on the channels, not on the rows.
_DUE: Final = f"""SELECT d.workspace_id, d.channel FROM (
        SELECT c.workspace_id, c.channel,
               row_number() OVER (PARTITION BY c.workspace_id ORDER BY ({_FIRST.format("o.id", "c", "c")})) AS turn
        FROM channels c
        WHERE c.next_at <= :now AND c.lease_until <= :now AND (c.muted_until IS NULL OR c.muted_until <= :now)
          AND NOT coalesce(c.hush_from <= :now AND c.hush_until > :now, false)
          AND c.workspace_id NOT IN :busy AND ({_FIRST.format("o.created_at", "c", "c")}) <= :settled) first
    JOIN channels d ON d.workspace_id = first.workspace_id AND d.channel = first.channel
    WHERE d.next_at <= :now AND d.lease_until <= :now
    ORDER BY first.turn LIMIT :limit"""
LOOK: Final = sql(_DUE, now=Moment, settled=Moment, busy=None)
DUE: Final = sql(_DUE + " FOR UPDATE OF d SKIP LOCKED", now=Moment, settled=Moment, busy=None)
PARCEL_ROWS: Final = sql(f"""
    SELECT o.id, o.piece_id, o.status, o.campaign_id FROM outbox o
    WHERE o.workspace_id = :workspace AND o.channel = :channel AND o.sent_at IS NULL
      AND o.campaign_id = (SELECT f.campaign_id FROM outbox f WHERE f.workspace_id = :workspace
                           AND f.channel = :channel AND f.sent_at IS NULL ORDER BY f.id LIMIT 1)
    ORDER BY o.id LIMIT {PARCEL}""")


_END_ROWS: Final = """
    UPDATE outbox SET sent_at = :now, message_ts = r.value ->> 1, refusal = r.value ->> 2
    FROM {} WHERE outbox.id = {}"""
#: All rows in one statement, from a JSON list of (row, message, reason): most of a morning's work is in these rows.
END_ROWS: Final = sql(
    _END_ROWS.format("json_each(:rows) r", "r.value ->> 0"),
    _END_ROWS.format("json_array_elements(CAST(:rows AS JSON)) r(value)", "CAST(r.value ->> 0 AS BIGINT)"),
    now=Moment,
)


def settle(connection: Connection, endings: Sequence[Ending], now: datetime) -> None:
    """Records what became of several parcels, and gives their channels back."""
    told = [(item.row_id, ts, "") for end in endings for item, ts in end.told]
    refused = [(item.row_id, None, end.refusal) for end in endings for item in end.refused]
    if told or refused:
        run(connection, END_ROWS, rows=json.dumps(told + refused), now=now)
    for end in endings:
        if end.card is not None:
            keep_card(connection, end.parcel, end.card)
    freed = sorted((e.parcel.workspace_id, e.parcel.channel, e.next_at, bool(e.told)) for e in endings)
    free = update(channels).where(*_this_channel())
    for well in (True, False):
        # What was told proves that nothing stands in the channel's way.
        values = {"lease_until": NEVER, "next_at": bindparam("next")} | ({"blocked": ""} if well else {})
        those = [{"w": w, "c": c, "next": next_at} for w, c, next_at, fine in freed if fine is well]
        if those:
            connection.execute(free.values(**values), those)


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


def cards_of(
    connection: Connection, parcels: Sequence[Parcel]
) -> dict[tuple[WorkspaceId, ChannelId, CampaignId], Card]:
    """The cards that were posted for these parcels' campaigns in their channels."""
    wanted = {(parcel.workspace_id, parcel.channel, parcel.campaign_id) for parcel in parcels}
    found = {}
    for workspace_id, campaign_id in {(key[0], key[2]) for key in wanted}:
        named = [key[1] for key in wanted if (key[0], key[2]) == (workspace_id, campaign_id)]
        rows = select(cards).where(
            cards.c.workspace_id == workspace_id, cards.c.campaign_id == campaign_id, cards.c.channel.in_(named)
        )
        for row in connection.execute(rows).all():
            found[workspace_id, ChannelId(row.channel), campaign_id] = Card(row.message_ts, row.shows, row.edited_at)
    return found


def keep_card(connection: Connection, parcel: Parcel, card: Card) -> None:
    """Remembers the card's message and what it shows."""
    adding = upsert(connection, cards).values(
        workspace_id=parcel.workspace_id,
        channel=parcel.channel,
        campaign_id=parcel.campaign_id,
        message_ts=card.message_ts,
        shows=card.shows,
        edited_at=card.edited_at,
    )
    changed = {"message_ts": card.message_ts, "shows": card.shows, "edited_at": card.edited_at}
    connection.execute(adding.on_conflict_do_update(index_elements=list(cards.primary_key.columns), set_=changed))


def told_of(connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId) -> list[Told]:
    """Where this piece's news went, oldest first: "was I told, and if not, why?"."""
    rows = select(outbox).where(outbox.c.workspace_id == workspace_id, outbox.c.piece_id == piece_id)
    return [
        Told(ChannelId(row.channel), Status(row.status), row.sent_at, row.refusal)
        for row in connection.execute(rows.order_by(outbox.c.id)).all()
    ]
