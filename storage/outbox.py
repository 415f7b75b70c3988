"""What must be told, to which channel, and what became of it: one row per channel, piece and status.

A row is written in the transaction of the change itself, claimed under a lease of its channel, and ends as sent
or refused with a reason. Rows are fine-grained and grouped only when claimed, so nothing that happens between
claim and send can be swallowed by a group.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, case, exists, func, literal, or_, select, update

from storage.cards import Card, Key, keep_card
from storage.database import database_time, rows_changed, run, upsert
from storage.records import CampaignId, ChannelId, PieceId, Source, Told, WorkspaceId
from storage.schema.tables import EPOCH, MICROSECOND, Moment, cards, channels, outbox
from storage.statements import load
from storage.statuses import BY_RANK, NOTABLE, Status

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
#: After this another sender may take a channel over. Its holder renews it while a message is under way; it is so long
#: that a process that was paused for a minute, or a database that was away as long, finds nobody else at its work.
LEASE = timedelta(minutes=2)
#: No channel rests longer than this, whatever was written down: what lies further ahead was written by a clock that has
#: been set back since, and counts as due.
FURTHEST = timedelta(hours=1, minutes=5)
#: For so long a channel can be muted; what is muted much longer than that was so by a clock that has been set back.
LONGEST_MUTE: Final = timedelta(days=90)
MUTED_AT_MOST: Final = LONGEST_MUTE + FURTHEST
#: News that could not be told in this time ends with the reason.
PATIENCE = timedelta(days=7)
#: And only after so many tries in a row, some hours of them: what waited because the channel was muted, or because
#: we did not run, has not been tried yet.
ENOUGH_TRIES = 20
#: A returned piece's facts in a batch; more than this waits for the next message.
PARCEL = 500


@dataclass(frozen=True)
class Item:
    """One thing to tell: this piece reached this status."""

    row_id: int
    piece_id: PieceId
    status: Status


@dataclass(frozen=True)
class NewsBatch:
    """What is to be told about one campaign in one channel, oldest first."""

    workspace_id: WorkspaceId
    channel: ChannelId
    campaign_id: CampaignId
    items: tuple[Item, ...]
    #: Under which the channel was leased: nobody else holds it as long as no higher one was given.
    token: int = 0
    #: Since when it is not known whether Slack took a message of ours for it.
    doubt_since: datetime | None = None
    #: How often in a row it could not be written to.
    tries: int = 0

    @property
    def key(self) -> Key:
        """Which card shows this campaign's state in this channel."""
        return self.workspace_id, self.channel, self.campaign_id


@dataclass(frozen=True)
class Hold:
    """A channel that this process may write to, and no other."""

    workspace_id: WorkspaceId
    channel: ChannelId
    token: int


def enqueue(
    connection: Connection,
    workspace_id: WorkspaceId,
    *,
    news: bool,
    placed: bool,
    now: datetime | None = None,
) -> None:
    """Writes what the subscribed channels are to be told of the batch that is laid out in `stage`.

    `news`: it holds changes worth telling; `placed`: it may have brought known pieces into a campaign, whose history is
    told then. Depends only on what is in the history, so calling it again adds nothing. Rows bear the database's time,
    by which they come due.

    News is a status to which a piece rose after the first complete poll and after the subscription began. Not told,
    however late it is read: a status that was known by then (or is known from an import), or a later one; what
    happened before the subscription (less a grace for scans that come late, and for dates without an hour); and where
    a piece stood when a poll met it first, if that is undated and the piece was ordered before the subscription. Not
    told either: what was heard long before `now` (see `STALE`), imports, pieces whose campaign is not known yet
    (they follow when it is), and cancellations that were asked for here, whose end the asker is told.
    """
    moments: dict[str, Any] = {
        "workspace": workspace_id, "now": database_time(connection), "epoch": EPOCH,
        "stale": now - STALE if now else EPOCH,
    }  # fmt: skip
    if news:
        run(connection, TELL_NEWS, **moments)
    if placed:
        run(connection, TELL_HISTORY, **moments)


#: What was heard so long ago is no news any more.
STALE: Final = timedelta(days=90)
#: A scan may be this much older than the subscription and still be news.
GRACE: Final = timedelta(days=2)
_NEWS: Final[dict[str, int | Sequence[int]]] = {
    "notable": [int(status) for status in NOTABLE], "cancelled": int(Status.CANCELLED), "webhook": int(Source.WEBHOOK),
    "poll": int(Source.POLL), "imported": int(Source.IMPORT), "grace": int(GRACE.total_seconds()),
}  # fmt: skip
TELL_NEWS: Final = load("tell_news", _NEWS, now=Moment, epoch=Moment, stale=Moment)
TELL_HISTORY: Final = load("tell_history", _NEWS, now=Moment, epoch=Moment, stale=Moment)


@dataclass(frozen=True)
class Settlement:
    """What became of a batch: which rows were told in which message, or refused and why, and the card that stands."""

    batch: NewsBatch
    #: Nothing more goes to the channel for this long.
    rest: timedelta
    #: The rows that were told, with the `ts` of the message that told them.
    told: tuple[tuple[Item, str], ...] = ()
    refused: tuple[Item, ...] = ()
    refusal: str = ""
    card: Card | None = None
    #: Slack could not be reached, or refused for a while: `refusal` says why, for what has waited too long.
    failed: bool = False
    #: Whether Slack may have taken a message whose answer did not reach us.
    in_doubt: bool = False


def is_due(connection: Connection, settle: timedelta) -> bool:
    """Whether a claim would find anything. Only reads, and so disturbs nobody."""
    return connection.execute(LOOK.on(connection), _moments(connection, settle, 1, [])).first() is not None


def claim(
    connection: Connection,
    settle: timedelta,
    limit: int = 50,
    busy: Sequence[WorkspaceId] = (),
    flying: Collection[tuple[WorkspaceId, ChannelId]] = (),
) -> list[NewsBatch]:
    """Leases channels that may be written to now, and gives the oldest batch of each; none of the `busy` workspaces.

    A channel's first unsent row must be at least `settle` old, so that a burst arrives as one message. A workspace
    gets its share of the limit, however many channels of others wait. Channels that are `flying` are being written to
    by this very process: they are left alone, also where their lease has ended. Time is the database's.
    """
    values = _moments(connection, settle, limit, busy)
    due = [row for row in connection.execute(DUE.on(connection), values).all() if (row[0], row[1]) not in flying]
    if not due:
        return []
    keys = [{"w": row.workspace_id, "c": row.channel, "t": row.token + 1} for row in due]
    leased = {"lease_until": values["now"] + LEASE, "token": bindparam("t")}
    leased |= {"doubt_since": func.coalesce(channels.c.doubt_since, literal(values["now"], Moment))}
    doubts = {(row[0], row[1]): _doubt(connection, row.workspace_id, row.channel) for row in due if row.doubted}
    connection.execute(update(channels).where(*_this_channel()).values(**leased), keys)
    found = _news(connection, [(row[0], row[1]) for row in due])
    batches = [
        _news_batch(
            row, found.get((row[0], row[1]), ()), token=row.token + 1, doubt_since=doubts.get((row[0], row[1])),
            tries=row.tries,
        )
        for row in due
    ]  # fmt: skip
    for batch in batches:
        if not batch.items:
            # Another process was quicker. There is nothing to hold the channel for.
            freed = {"lease_until": NEVER, "doubt_since": batch.doubt_since}
            _set_channel(connection, batch.workspace_id, batch.channel, **freed)
    return [batch for batch in batches if batch.items]


def _doubt(connection: Connection, workspace_id: int, channel: str) -> datetime | None:
    mine = channels.c.workspace_id == workspace_id, channels.c.channel == channel
    since: datetime | None = connection.scalar(select(channels.c.doubt_since).where(*mine))
    return since


def _moments(connection: Connection, settle: timedelta, limit: int, busy: Sequence[WorkspaceId]) -> dict[str, Any]:
    now = database_time(connection)
    return {
        "now": now,
        "settled": now - settle,
        "far": now + FURTHEST,
        "muted": now + MUTED_AT_MOST,
        "leased": now + 2 * LEASE,
        "day": now + timedelta(hours=25),
        "limit": limit,
        "busy": [*busy, 0],
    }


def hold(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId) -> Hold | None:
    """Leases this channel for a message that is no news; None while somebody else writes to it."""
    now = database_time(connection)
    mine = channels.c.workspace_id == workspace_id, channels.c.channel == channel
    free = or_(channels.c.lease_until <= now, channels.c.lease_until > now + 2 * LEASE)
    leased = {"lease_until": now + LEASE, "token": channels.c.token + 1}
    taking = update(channels).where(*mine, free).values(**leased).returning(channels.c.token)
    token = connection.scalar(taking)
    return None if token is None else Hold(workspace_id, channel, token)


def holds(connection: Connection, held: Hold) -> bool:
    """Whether the channel is still held under this token. Locks it until the transaction ends."""
    mine = channels.c.workspace_id == held.workspace_id, channels.c.channel == held.channel
    question = select(channels.c.token).where(*mine, channels.c.token == held.token)
    return connection.execute(question.with_for_update()).first() is not None


def release(connection: Connection, held: Hold) -> None:
    """Gives the channel back, unless another has taken it."""
    mine = channels.c.workspace_id == held.workspace_id, channels.c.channel == held.channel
    connection.execute(update(channels).where(*mine, channels.c.token == held.token).values(lease_until=NEVER))


def renew(connection: Connection, held: Sequence[NewsBatch | Hold]) -> set[tuple[WorkspaceId, ChannelId]]:
    """Holds these channels for another lease; gives those that are still ours."""
    rows = json.dumps([(one.workspace_id, one.channel, one.token) for one in held])
    now = database_time(connection)
    found = connection.execute(RENEW.on(connection), {"rows": rows, "until": now + LEASE, "never": NEVER}).all()
    return {(WorkspaceId(row.workspace_id), ChannelId(row.channel)) for row in found}


def free_leases(connection: Connection) -> None:
    """Where this is the only process (SQLite), whoever wrote to a channel is dead: it may be written to at once."""
    connection.execute(update(channels).where(channels.c.lease_until > NEVER).values(lease_until=NEVER))


def wake(connection: Connection, workspace_id: WorkspaceId) -> None:
    """Channels that rest because Slack refused for a while are tried at once: we were installed again."""
    mine = channels.c.workspace_id == workspace_id, channels.c.tries > 0
    connection.execute(update(channels).where(*mine).values(next_at=NEVER, tries=0))


def _this_channel() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return channels.c.workspace_id == bindparam("w"), channels.c.channel == bindparam("c")


def _news(connection: Connection, wanted: Sequence[tuple[int, str]]) -> Mapping[tuple[int, str], Sequence[Row[Any]]]:
    """The unsent rows of each of these channels that are told together, in their order."""
    found: defaultdict[tuple[int, str], list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(PARCELS.on(connection), {"rows": json.dumps(wanted)}).all():
        found[row.workspace_id, row.channel].append(row)
    return found


def _news_batch(channel: Row[Any], rows: Sequence[Row[Any]], **held: Any) -> NewsBatch:
    items = tuple(Item(row.id, PieceId(row.piece_id), BY_RANK[row.status]) for row in rows)
    campaign_id = CampaignId(rows[0].campaign_id if rows else 0)
    return NewsBatch(WorkspaceId(channel.workspace_id), ChannelId(channel.channel), campaign_id, items, **held)


_KNOWN: Final = [int(status) for status in Status]
_MOMENTS: Final[dict[str, Any]] = dict.fromkeys(("now", "settled", "far", "leased", "day", "muted"), Moment) | {
    "busy": None
}
LOOK: Final = load("due", {"known": _KNOWN}, **_MOMENTS)
#: On SQLite there is nobody else.
DUE: Final = replace(load("due_locked", {"known": _KNOWN}, **_MOMENTS), sqlite=LOOK.sqlite)
PARCELS: Final = load("news_batches", {"known": _KNOWN, "most": PARCEL})
END_ROWS: Final = load("end_rows", now=Moment)
RENEW: Final = load("renew_channels", until=Moment, never=Moment)
FREE: Final = load("free_channels", now=Moment, never=Moment)
GIVE_UP: Final = load("give_up", now=Moment, old=Moment)


def settle(connection: Connection, settlements: Sequence[Settlement]) -> list[Settlement]:
    """Records what became of several batches, and gives their channels back.

    Gives those that are not recorded, because another process has leased their channel since: it is for that one to
    say what became of the rows.
    """
    now = database_time(connection)
    freed = [
        (
            end.batch.workspace_id, end.batch.channel, end.batch.token, end.rest // MICROSECOND,
            # What was told proves that nothing stands in the channel's way.
            int(bool(end.told)), int(end.failed), int(end.in_doubt),
        )
        for end in sorted(settlements, key=lambda end: (end.batch.workspace_id, end.batch.channel))
    ]  # fmt: skip
    values = {"rows": json.dumps(freed), "now": now, "never": NEVER}
    found = connection.execute(FREE.on(connection), values).all()
    ours = {(row.workspace_id, row.channel) for row in found}
    kept = [end for end in settlements if (end.batch.workspace_id, end.batch.channel) in ours]
    told = [(item.row_id, ts, "", end.batch.workspace_id) for end in kept for item, ts in end.told]
    refused = [(item.row_id, None, end.refusal, end.batch.workspace_id) for end in kept for item in end.refused]
    if told or refused:
        run(connection, END_ROWS, rows=json.dumps(told + refused), now=now)
    failed = [(end.batch.workspace_id, end.batch.channel, end.refusal) for end in kept if end.failed]
    if failed:
        run(connection, GIVE_UP, rows=json.dumps(failed), now=now, old=now - PATIENCE, tries=ENOUGH_TRIES)
    for end in kept:
        if end.card is not None:
            keep_card(connection, end.batch.key, end.card)
    return [end for end in settlements if end not in kept]


def block(connection: Connection, news: NewsBatch, reason: str, rest: timedelta) -> bool:
    """Slack refuses this channel. Its unsent rows end with the reason, which people can see.

    News that comes later is tried again after `rest`: somebody may have mended it by then. False when another process
    has leased the channel since: nothing is changed then.
    """
    now = database_time(connection)
    if not holds(connection, Hold(news.workspace_id, news.channel, news.token)):
        return False
    facts = {"lease_until": NEVER, "blocked": reason, "next_at": now + rest, "doubt_since": None, "tries": 0}
    _set_channel(connection, news.workspace_id, news.channel, **facts)
    unsent = and_(
        outbox.c.workspace_id == news.workspace_id,
        outbox.c.channel == news.channel,
        outbox.c.sent_at.is_(None),
    )
    connection.execute(update(outbox).where(unsent).values(sent_at=now, refusal=reason))
    return True


def _set_channel(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, **values: Any) -> None:
    mine = and_(channels.c.workspace_id == workspace_id, channels.c.channel == channel)
    connection.execute(update(channels).where(mine).values(**values))


def open_channel(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId) -> None:
    """Makes the channel known, and lifts an earlier refusal: somebody there has just asked for news."""
    row = {"workspace_id": workspace_id, "channel": channel, "next_at": NEVER, "lease_until": NEVER, "blocked": ""}
    adding = upsert(connection, channels).values(**row)
    lifted = {"blocked": "", "next_at": case((channels.c.tries > 0, NEVER), else_=channels.c.next_at), "tries": 0}
    adding = adding.on_conflict_do_update(index_elements=list(channels.primary_key.columns), set_=lifted)
    connection.execute(adding)


def mute(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, until: datetime | None) -> bool:
    """Holds the channel's news back until then (None: no longer); False where it is held so already. Nothing is
    dropped."""
    mine = channels.c.workspace_id == workspace_id, channels.c.channel == channel
    other = channels.c.muted_until.is_distinct_from(until)
    return rows_changed(connection, update(channels).where(*mine, other).values(muted_until=until)) == 1


def reopen(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, reason: str, age: timedelta) -> None:
    """Rows of the channel that ended for this reason within this time are to be told after all."""
    mine = outbox.c.workspace_id == workspace_id, outbox.c.channel == channel, outbox.c.refusal == reason
    # Rows end by the database's clock, which need not be that of whoever knows how long ago it was.
    ended = outbox.c.message_ts.is_(None), outbox.c.sent_at >= database_time(connection) - age
    connection.execute(update(outbox).where(*mine, *ended).values(sent_at=None, refusal=""))


def told_of(connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId) -> list[Told]:
    """Where this piece's news went, oldest first: "was I told, and if not, why?"."""
    mine = outbox.c.workspace_id == workspace_id, outbox.c.piece_id == piece_id
    card = cards.c.workspace_id == workspace_id, cards.c.channel == outbox.c.channel
    of_card = exists().where(*card, cards.c.message_ts == outbox.c.message_ts)
    rows = select(outbox, of_card.label("of_card")).where(*mine)
    return [
        Told(ChannelId(row.channel), BY_RANK[row.status], row.sent_at, row.refusal, bool(row.of_card))
        for row in connection.execute(rows.where(outbox.c.status.in_([*Status])).order_by(outbox.c.id)).all()
    ]
