"""The schema on one screen: every table, constraint and index.

Two rules hold it together. No index contains `pieces.status` or a moment that moves with it, so that a piece
advances without touching an index. Every row carries its workspace, and every query takes the workspace first.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Dialect,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import TypeEngine

from storage.dialects import is_postgresql

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
UNITS = 10_000


class Moment(TypeDecorator[datetime]):
    """An aware UTC moment: timestamptz on PostgreSQL, microseconds since 1970 on SQLite (which has no such type)."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime] | TypeEngine[int]:
        if is_postgresql(dialect):
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | int | None:
        if value is None or is_postgresql(dialect):
            return value
        return (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: datetime | int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        if value is None:
            return None
        return value.astimezone(UTC) if isinstance(value, datetime) else EPOCH + value * MICROSECOND


class Amount(TypeDecorator[Decimal]):
    """Money, kept as whole ten-thousandths, so that sums are exact on both databases."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's
        return None if value is None else int((value * UNITS).to_integral_value())

    def process_result_value(self, value: int | Decimal | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else Decimal(value) / UNITS


#: Text that is searched by its beginning, so it must sort by bytes on both databases.
Sorted = Text().with_variant(Text(collation="C"), "postgresql")

#: A row number: SQLite counts only plain INTEGER keys up by itself.
Key = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("team_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("balance", Amount),
    Column("balance_at", Moment),
    Column("polled_at", Moment),
    Column("baseline_at", Moment),
    #: See `records.PlatformState`; JSON.
    Column("platform_state", Text),
    #: What the version before remembers of its only platform: read by nobody else, and dropped once it is not served.
    Column("list_route", Text),
    Column("singles_offered", Boolean),
    #: When the mail platform last called us, and for which silence somebody was told.
    Column("webhook_at", Moment),
    Column("silence_told", Moment),
    #: Who installed us and when, when Slack said that we were removed (until that is clear), when we were (and so
    #: answer nothing), and when what is kept goes.
    Column("installer", Text),
    Column("installed_at", Moment),
    Column("leaving_at", Moment),
    Column("removed_at", Moment),
    Column("purge_at", Moment),
    #: When a mail account was connected; without one nothing is polled.
    Column("connected_at", Moment),
    #: The SHA-256 of the last part of its webhook's address, in hex.
    Column("webhook_key", Text),
    #: When it last asked, unsigned, whether we are there: it does so when a webhook is being added.
    Column("handshake_at", Moment),
    #: What the platform does not answer this account, or not wholly, as JSON: see `records.Gap`.
    Column("gaps", Text),
    #: What admins chose, as JSON: see `rules`.
    Column("rules", Text),
    Index("ix_workspaces_webhook_key", "webhook_key", unique=True),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Integer, nullable=False),
    Column("ref", Text, nullable=False),
    Column("name", Text, nullable=False),
    #: See `records.CampaignStage`.
    Column("status", Text, nullable=False, key="stage"),
    Column("kind", Text, nullable=False),
    Column("created_at", Moment),
    Column("updated_at", Moment),
    Column("send_on", Date),
    Column("recipients", Integer),
    Column("cost", Amount),
    Column("handed_over_first", Moment),
    Column("handed_over_last", Moment),
    Column("delivered_first", Moment),
    Column("delivered_last", Moment),
    Column("changed_at", Moment),
    UniqueConstraint("workspace_id", "ref"),
)

pieces = Table(
    "pieces",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Integer, nullable=False),
    Column("ref", Text, nullable=False),
    Column("campaign_id", BigInteger, nullable=False),
    #: Whether the platform has told to which campaign it belongs (none, too, is an answer).
    Column("placed", Boolean, nullable=False),
    #: The day it was ordered (UTC): its cohort, which never changes.
    Column("day", Date, nullable=False),
    # What an advance writes stands together: PostgreSQL logs a changed row from its first changed byte to its last.
    Column("status", SmallInteger, nullable=False),
    Column("status_at", Moment),
    #: When the status last rose, by our clock.
    Column("changed_at", Moment),
    #: Fingerprints of the rows that were last merged, of the account's report and of its campaign's: what reads exactly
    #: so again says nothing new.
    Column("listed_print", BigInteger),
    Column("placed_print", BigInteger),
    Column("word", Text, nullable=False),
    Column("cost", Amount),
    Column("kind", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("dispatched_at", Moment),
    Column("name", Text, nullable=False),
    #: Folded for searching by their beginning: "jane smith", "smith jane", "1234 main street".
    Column("name_key", Sorted, nullable=False),
    Column("surname_key", Sorted, nullable=False),
    Column("address_key", Sorted, nullable=False),
    Column("company", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("city", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("postcode", Sorted, nullable=False),
    Column("country", Text, nullable=False),
    #: When the newest of these facts was seen, so that an older answer cannot overwrite them.
    Column("facts_at", Moment, nullable=False),
    #: Whether who it was sent to was dropped for good: no later answer brings that back.
    Column("erased", Boolean),
    UniqueConstraint("workspace_id", "ref"),
    Index("ix_pieces_campaign", "workspace_id", "campaign_id", "id"),
    Index("ix_pieces_name", "workspace_id", "name_key"),
    Index("ix_pieces_surname", "workspace_id", "surname_key"),
    Index("ix_pieces_address", "workspace_id", "address_key"),
    Index("ix_pieces_postcode", "workspace_id", "postcode"),
    postgresql_with={"fillfactor": 85},
)

#: The workspace of a change that a version before 0014 wrote: it does not say. Its piece does.
UNFILLED: Final = 0

#: Append-only history. Its key is its dedupe: `moment_key` is the moment itself, or 1970 when the platform gave none.
#: Where the tables are partitioned (see `partitions`), the key begins with the workspace; elsewhere the version before
#: still needs it as it is.
changes = Table(
    "changes",
    metadata,
    Column("piece_id", BigInteger, primary_key=True),
    Column("status", SmallInteger, primary_key=True),
    Column("moment_key", Moment, primary_key=True),
    Column("place", Text, primary_key=True),
    Column("word", Text, primary_key=True),
    Column("occurred_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("source", SmallInteger, nullable=False),
    Column("workspace_id", Integer, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

#: Changes of pieces that we have not met; replayed when the piece arrives.
orphans = Table(
    "orphans",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("ref", Text, primary_key=True),
    Column("status", SmallInteger, primary_key=True),
    Column("moment_key", Moment, primary_key=True),
    Column("place", Text, primary_key=True),
    Column("word", Text, primary_key=True),
    Column("occurred_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("source", SmallInteger, nullable=False),
    sqlite_with_rowid=False,
)

tallies = Table(
    "tallies",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("campaign_id", BigInteger, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("status", SmallInteger, primary_key=True),
    Column("pieces", BigInteger, nullable=False),
    Column("cost", Amount, nullable=False),
    sqlite_with_rowid=False,
)

#: What was added since the last fold: writers only append here, so that a busy campaign has no hot row.
tally_deltas = Table(
    "tally_deltas",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Integer, nullable=False),
    Column("campaign_id", BigInteger, nullable=False),
    Column("day", Date, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("pieces", BigInteger, nullable=False),
    Column("cost", Amount, nullable=False),
    Index("ix_tally_deltas_campaign", "workspace_id", "campaign_id"),
)

#: Pieces whose own timeline should be fetched. Apart from the pieces, so that noting it touches no index of theirs.
due_details = Table(
    "due_details",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    #: 0 first.
    Column("urgency", SmallInteger, primary_key=True),
    Column("piece_id", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("channel", Text, primary_key=True),
    #: 0 stands for every campaign.
    Column("campaign_id", BigInteger, primary_key=True),
    #: Words of `records.NotifyOn`, comma-separated.
    Column("wants", Text, nullable=False),
    Column("since", Moment, nullable=False),
    Column("created_by", Text, nullable=False),
)

channels = Table(
    "channels",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("channel", Text, primary_key=True),
    #: Not before this moment may the next message go out (one a second; longer after a 429).
    Column("next_at", Moment, nullable=False),
    Column("lease_until", Moment, nullable=False),
    Column("muted_until", Moment),
    #: Why Slack will not take messages for it, in words a person can act on; empty when all is well.
    Column("blocked", Text, nullable=False),
    #: The hours of the clock in this zone (IANA) at which the digest comes, and between which nothing else does.
    Column("zone", Text),
    Column("digest_hour", SmallInteger),
    Column("quiet_from", SmallInteger),
    Column("quiet_until", SmallInteger),
    #: The quiet hours that last now, or come next.
    Column("hush_from", Moment),
    Column("hush_until", Moment),
    #: Returns above this share of the mailed pieces, in per cent, raise an alarm.
    Column("alarm_percent", SmallInteger),
    Column("digested_on", Date),
    #: What the last digest counted, and what was told once already, as JSON.
    Column("state", Text),
    #: What it was told of before that was turned off, as JSON.
    Column("ended", Text),
    #: Grows with each lease: who writes under an older one has lost the channel.
    Column("token", BigInteger, nullable=False, server_default="0"),
    #: Since when it is not known whether Slack took a message of ours (a lease under way is such a time, too).
    Column("doubt_since", Moment),
    #: How often in a row Slack could not be reached, or refused for a while.
    Column("tries", SmallInteger, nullable=False, server_default="0"),
    postgresql_with={"fillfactor": 50},
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Integer, nullable=False),
    Column("channel", Text, nullable=False),
    Column("piece_id", BigInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("campaign_id", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("sent_at", Moment),
    Column("message_ts", Text),
    Column("refusal", Text, nullable=False),
    UniqueConstraint("workspace_id", "channel", "piece_id", "status"),
    Index("ix_outbox_piece", "workspace_id", "piece_id"),
    Index(
        "ix_outbox_unsent",
        "workspace_id",
        "channel",
        "id",
        postgresql_where=text("sent_at IS NULL"),
        sqlite_where=text("sent_at IS NULL"),
    ),
    postgresql_with={"fillfactor": 80},
)

cards = Table(
    "cards",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("campaign_id", BigInteger, primary_key=True),
    Column("message_ts", Text, nullable=False),
    #: A digest of what it shows, so that an edit that would change nothing is not sent.
    Column("shows", Text, nullable=False),
    #: When it last showed the truth.
    Column("edited_at", Moment),
)

#: How long mail took: pieces of a campaign by the day on which they were handed over, and what became of them.
transits = Table(
    "transits",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("campaign_id", BigInteger, primary_key=True),
    #: Kind and format: "postcard 6x9".
    Column("form", Text, primary_key=True),
    Column("handed_on", Date, primary_key=True),
    #: Delivered or Returned; 0 for pieces still under way.
    Column("ended", SmallInteger, primary_key=True),
    #: Days (UTC) from hand-over to that end; 0 for pieces still under way.
    Column("days", SmallInteger, primary_key=True),
    Column("pieces", BigInteger, nullable=False),
)

#: Where a campaign's returned pieces were to go.
return_places = Table(
    "return_places",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("campaign_id", BigInteger, primary_key=True),
    Column("region", Text, primary_key=True),
    #: The first three digits of the ZIP code.
    Column("zip3", Text, primary_key=True),
    Column("pieces", BigInteger, nullable=False),
)

#: What people noted about a returned piece, and whether it is settled.
return_notes = Table(
    "return_notes",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("piece_id", BigInteger, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("reason_by", Text, nullable=False),
    Column("handled_by", Text, nullable=False),
    Column("handled_at", Moment),
)

#: When each campaign's transits were last counted.
surveys = Table(
    "surveys",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("campaign_id", BigInteger, primary_key=True),
    Column("counted_at", Moment, nullable=False),
)

#: What each person chose for themselves.
people = Table(
    "people",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    #: A Slack user.
    Column("person", Text, primary_key=True),
    #: The range of their Home, as `arguments.keep` writes it; "" for none yet.
    Column("span", Text, nullable=False),
    #: Whether Slack says that they are a guest, or of another organization, and when it last said so.
    Column("outside", Boolean),
    Column("known_at", Moment),
)

cancellations = Table(
    "cancellations",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Integer, nullable=False),
    Column("piece_id", BigInteger, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("ended_at", Moment),
    #: The intent that asked (see `storage.intents`); none where a version before did.
    Column("intent_id", BigInteger),
    UniqueConstraint("workspace_id", "piece_id"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("next_at", Moment, nullable=False),
    Column("owner", Text, nullable=False),
    #: Grows with each turn: who works on under an older one has lost it.
    Column("token", BigInteger, nullable=False, server_default="0"),
)

seen = Table(
    "seen",
    metadata,
    Column("key", Text, primary_key=True),
    Column("seen_at", Moment, nullable=False),
    Index("ix_seen_seen_at", "seen_at"),
)
