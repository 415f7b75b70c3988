"""What must be told, to which channel, and what became of it: one row per channel, piece and status.

A row is written in the transaction of the change itself, claimed under a lease of its channel, and ends as sent
or refused with a reason. Rows are fine-grained and grouped only when claimed, so nothing that happens between
claim and send can be swallowed by a group.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, func, literal, or_, select, update

from storage.cards import Card, Key, keep_card
from storage.database import Sql, database_time, run, sql, upsert
from storage.records import CampaignId, ChannelId, PieceId, Source, Told, WorkspaceId
from storage.schema.tables import EPOCH, MICROSECOND, Moment, channels, outbox
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


def enqueue(connection: Connection, workspace_id: WorkspaceId, *, news: bool, placed: bool) -> None:
    """Writes what the subscribed channels are to be told of the batch that is laid out in `stage`.

    `news`: it holds changes worth telling; `placed`: it may have brought known pieces into a campaign, whose history
    is told then. Depends only on what is in the history, so calling it again adds nothing. Rows bear the database's
    time, by which they come due.

    News is a status to which a piece rose after the first complete poll and after the subscription began. Not told,
    however late it is read: a status that was known by then (or is known from an import), or a later one; what
    happened before the subscription (less a grace for scans that come late, and for dates without an hour); and where
    a piece stood when a poll met it first, if that is undated and the piece was ordered before the subscription. Not
    told either: imports, pieces whose campaign is not known yet (they follow when it is), and cancellations that were
    asked for here, whose end the asker is told.
    """
    for statement, wanted in ((TELL_NEWS, news), (TELL_HISTORY, placed)):
        if wanted:
            run(connection, statement, workspace=workspace_id, now=database_time(connection), epoch=EPOCH)


#: A scan may be this much older than the subscription and still be news.
GRACE: Final = timedelta(days=2)
#: A subscription of "tomorrow" was made by a clock that has been set back since.
_SINCE: Final = "(CASE WHEN s.since > :now THEN :now ELSE s.since END)"
_TOLD: Final = f"""
    INSERT INTO outbox (workspace_id, channel, piece_id, status, campaign_id, created_at, refusal)
    SELECT DISTINCT CAST(:workspace AS INTEGER), s.channel, p.id, c.status, p.campaign_id, :now, ''
    FROM {{}}
    JOIN workspaces w ON w.id = :workspace
    JOIN subscriptions s ON s.workspace_id = :workspace AND s.campaign_id IN (0, p.campaign_id)
    WHERE p.placed AND c.status IN ({", ".join(str(int(status)) for status in NOTABLE)})
      AND c.source IN ({int(Source.WEBHOOK)}, {int(Source.POLL)})
      AND c.recorded_at > w.baseline_at AND c.recorded_at > s.since
      AND c.occurred_at >= {_SINCE} - {{}}
      AND NOT EXISTS (SELECT 1 FROM changes e WHERE e.piece_id = c.piece_id AND e.status >= c.status
                      AND (e.recorded_at <= w.baseline_at OR e.recorded_at <= s.since
                           OR e.source = {int(Source.IMPORT)} AND e.recorded_at < c.recorded_at))
      AND NOT (c.source = {int(Source.POLL)} AND c.moment_key = :epoch AND p.created_at < {_SINCE}
               AND NOT EXISTS (SELECT 1 FROM changes e WHERE e.piece_id = c.piece_id AND e.recorded_at < c.recorded_at))
      AND NOT (c.status = {int(Status.CANCELLED)}
               AND EXISTS (SELECT 1 FROM cancellations a WHERE a.workspace_id = :workspace AND a.piece_id = p.id
                           AND a.outcome IN ('', 'cancelled', 'already cancelled')))
    ORDER BY 2, 3, 4
    ON CONFLICT DO NOTHING"""


def _telling(rows: str) -> Sql:
    seconds = int(GRACE.total_seconds())
    return sql(
        _TOLD.format(rows, seconds * 1_000_000),
        _TOLD.format(rows, f"INTERVAL '{seconds} seconds'"),
        now=Moment,
        epoch=Moment,
    )


TELL_NEWS: Final = _telling("""stage_known k
    JOIN LATERAL (SELECT * FROM changes c WHERE c.piece_id = k.piece_id AND c.status = k.status
                  AND c.moment_key = k.moment_key AND c.place = k.place AND c.word = k.word OFFSET 0) c ON true
    JOIN LATERAL (SELECT * FROM pieces p WHERE p.id = k.piece_id OFFSET 0) p ON true""")
TELL_HISTORY: Final = _telling("""stage_met m
    JOIN LATERAL (SELECT * FROM pieces p WHERE p.id = m.piece_id AND NOT m.arrived
                  AND (p.campaign_id <> m.campaign_id OR p.placed IS DISTINCT FROM m.placed) OFFSET 0) p ON true
    JOIN LATERAL (SELECT * FROM changes c WHERE c.piece_id = m.piece_id OFFSET 0) c ON true""")


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
    batches = [
        replace(
            _news_batch(connection, row.workspace_id, row.channel),
            token=row.token + 1,
            doubt_since=doubts.get((row[0], row[1])),
            tries=row.tries,
        )
        for row in due
    ]
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


def _news_batch(connection: Connection, workspace_id: int, channel: str) -> NewsBatch:
    rows = connection.execute(PARCEL_ROWS.on(connection), {"workspace": workspace_id, "channel": channel}).all()
    items = tuple(Item(row.id, PieceId(row.piece_id), BY_RANK[row.status]) for row in rows)
    campaign_id = CampaignId(rows[0].campaign_id if rows else 0)
    return NewsBatch(WorkspaceId(workspace_id), ChannelId(channel), campaign_id, items)


#: News of a status that a later version wrote waits for that version.
_KNOWN: Final = f"status IN ({', '.join(str(int(status)) for status in Status)})"
_FIRST: Final = f"""SELECT {{}} FROM outbox o WHERE o.workspace_id = {{}}.workspace_id AND o.channel = {{}}.channel
    AND o.sent_at IS NULL AND o.{_KNOWN} ORDER BY o.id LIMIT 1"""
_FREE: Final = (
    """({0}.next_at <= :now OR {0}.next_at > :far) AND ({0}.lease_until <= :now OR {0}.lease_until > :leased)"""
)
#: One look at the oldest unsent row of each channel: what it costs depends on the channels, not on the rows.
_DUE: Final = f"""SELECT d.workspace_id, d.channel, d.token, d.tries, d.doubt_since IS NOT NULL AS doubted FROM (
        SELECT c.workspace_id, c.channel,
               row_number() OVER (PARTITION BY c.workspace_id ORDER BY ({_FIRST.format("o.id", "c", "c")})) AS turn
        FROM channels c
        WHERE {_FREE.format("c")} AND (c.muted_until IS NULL OR c.muted_until <= :now OR c.muted_until > :muted)
          AND NOT coalesce(c.hush_from <= :now AND c.hush_until > :now AND c.hush_until <= :day, false)
          AND c.workspace_id NOT IN :busy
          AND ({_FIRST.format("o.created_at <= :settled OR o.created_at > :now", "c", "c")})) first
    JOIN channels d ON d.workspace_id = first.workspace_id AND d.channel = first.channel
    WHERE {_FREE.format("d")}
    ORDER BY first.turn LIMIT :limit"""
_MOMENTS: Final[dict[str, Any]] = dict.fromkeys(("now", "settled", "far", "leased", "day", "muted"), Moment) | {
    "busy": None
}
LOOK: Final = sql(_DUE, **_MOMENTS)
DUE: Final = sql(_DUE + " FOR UPDATE OF d SKIP LOCKED", **_MOMENTS)
PARCEL_ROWS: Final = sql(f"""
    SELECT o.id, o.piece_id, o.status, o.campaign_id FROM outbox o
    WHERE o.workspace_id = :workspace AND o.channel = :channel AND o.sent_at IS NULL AND o.{_KNOWN}
      AND o.campaign_id = (SELECT f.campaign_id FROM outbox f WHERE f.workspace_id = :workspace
                           AND f.channel = :channel AND f.sent_at IS NULL AND f.{_KNOWN} ORDER BY f.id LIMIT 1)
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


def _of_channels(change: str, only: str = "true", **types: Any) -> Sql:
    """A change of the channels in `:rows`, a JSON list whose members begin with workspace, channel and token.

    `{3}`, `{4}` … stand for further whole numbers in a member. Gives the channels whose token fits, of those that
    `only` leaves.
    """
    whole = f"""UPDATE channels SET {change} FROM {{rows}}
        WHERE channels.workspace_id = {{0}} AND channels.channel = r.value ->> 1 AND channels.token = {{2}} AND {only}
        RETURNING channels.workspace_id, channels.channel"""
    sqlite = [f"(r.value ->> {n})" for n in range(7)]
    postgresql = [f"CAST(r.value ->> {n} AS BIGINT)" for n in range(7)]
    # There a moment is no number.
    postgresql[3] += " * INTERVAL '1 microsecond'"
    return sql(
        whole.format(*sqlite, rows="json_each(:rows) r"),
        whole.format(*postgresql, rows="json_array_elements(CAST(:rows AS JSON)) r(value)"),
        **types,
    )


#: A channel that was given back under this token a moment ago is free, and must not be held again by nobody.
RENEW: Final = _of_channels("lease_until = :until", "channels.lease_until > :never", until=Moment, never=Moment)
#: Members: workspace, channel, token, rest in microseconds, whether something was told, failed, is in doubt.
FREE: Final = _of_channels(
    """lease_until = :never, next_at = :now + {3},
    blocked = CASE WHEN {4} = 1 THEN '' ELSE blocked END,
    tries = CASE WHEN {5} = 0 THEN 0 WHEN tries < 100 THEN tries + 1 ELSE tries END,
    doubt_since = CASE WHEN {6} = 1 THEN doubt_since END""",
    now=Moment,
    never=Moment,
)
_GIVE_UP: Final = """
    UPDATE outbox SET sent_at = :now, refusal = r.value ->> 2 FROM {}
    WHERE outbox.workspace_id = {} AND outbox.channel = r.value ->> 1 AND sent_at IS NULL AND created_at < :old
        AND EXISTS (SELECT 1 FROM channels c WHERE c.workspace_id = outbox.workspace_id AND c.channel = outbox.channel
            AND c.tries >= :tries)"""
#: What has waited too long in these channels, a JSON list of (workspace, channel, reason).
GIVE_UP: Final = sql(
    _GIVE_UP.format("json_each(:rows) r", "r.value ->> 0"),
    _GIVE_UP.format("json_array_elements(CAST(:rows AS JSON)) r(value)", "CAST(r.value ->> 0 AS BIGINT)"),
    now=Moment,
    old=Moment,
)


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
    told = [(item.row_id, ts, "") for end in kept for item, ts in end.told]
    refused = [(item.row_id, None, end.refusal) for end in kept for item in end.refused]
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


def mute(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, until: datetime | None) -> None:
    """Holds the channel's news back until then (None: no longer). Nothing is dropped."""
    _set_channel(connection, workspace_id, channel, muted_until=until)


def told_of(connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId) -> list[Told]:
    """Where this piece's news went, oldest first: "was I told, and if not, why?"."""
    rows = select(outbox).where(outbox.c.workspace_id == workspace_id, outbox.c.piece_id == piece_id)
    return [
        Told(ChannelId(row.channel), BY_RANK[row.status], row.sent_at, row.refusal)
        for row in connection.execute(rows.where(outbox.c.status.in_([*Status])).order_by(outbox.c.id)).all()
    ]
