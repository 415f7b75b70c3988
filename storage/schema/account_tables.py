"""The tables round the mail: secrets, installations, who did what, what waits for a second person or to be
merged, what was shown."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.schema.tables import Amount, Key, Moment, metadata

#: Sealed by the vault: see `installs`. `place` is what it is sealed for.
secrets = Table(
    "secrets",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("place", Text, primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("sealed_at", Moment, nullable=False),
    #: When a new token was asked for with what is sealed here; None once that is known to have ended.
    Column("renewing_at", Moment),
)

#: What only a person can mend, from when on, until when it can still be mended, and when somebody was told.
troubles = Table(
    "troubles",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("since", Moment, nullable=False),
    Column("until", Moment),
    Column("told_at", Moment),
)

#: An installation that was begun in a browser, for ten minutes.
install_states = Table(
    "install_states",
    metadata,
    Column("state", Text, primary_key=True),
    Column("expires_at", Moment, nullable=False),
)

#: Who did what, when. Append-only until the workspace goes.
audit = Table(
    "audit",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    #: A Slack user; "" for the bot itself.
    Column("person", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_audit_workspace", "workspace_id", "id"),
)

#: A cancellation that waits for a second person.
approvals = Table(
    "approvals",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Integer, nullable=False),
    Column("campaign_id", BigInteger, nullable=False),
    #: 0 for all that can still be stopped.
    Column("piece_id", BigInteger, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", Moment, nullable=False),
    #: "" while it waits; then approved, declined or withdrawn.
    Column("outcome", Text, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", Moment),
    #: The intent that holds exactly the pieces that were asked for, and what the request said of them: how many, what
    #: they cost, and of how many that is not known.
    Column("intent_id", BigInteger),
    Column("pieces", Integer),
    Column("amount", Amount),
    Column("unpriced", Integer),
    Index("ix_approvals_workspace", "workspace_id", "id"),
)

#: What a channel was shown by an answer that everybody there can read; cards and news are in their own tables.
shown = Table(
    "shown",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("campaign_id", BigInteger, primary_key=True),
    #: 0 for the campaign itself.
    Column("piece_id", BigInteger, primary_key=True),
)

#: What the database refuses for good, by its id at the platform, with the reason: see `aside`. Nothing of a recipient.
set_aside = Table(
    "set_aside",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("ref", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("first_at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
)

#: What must still be done after the request that asked for it: see `storage.intents`.
intents = Table(
    "intents",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    #: What it is about, where the same may arrive twice.
    Column("name", Text),
    #: JSON of ids and choices.
    Column("payload", Text, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("made_at", Moment, nullable=False),
    #: Not worked at before this moment; none while it waits for a person.
    Column("next_at", Moment),
    Column("lease_until", Moment, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("told", SmallInteger, nullable=False),
    Column("ended_at", Moment),
    Column("outcome", Text),
    UniqueConstraint("workspace_id", "name"),
    Index(
        "ix_intents_open",
        "next_at",
        postgresql_where=text("ended_at IS NULL"),
        sqlite_where=text("ended_at IS NULL"),
    ),
)

#: The pieces of an intent, each with what became of it.
intent_pieces = Table(
    "intent_pieces",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("intent_id", BigInteger, primary_key=True),
    Column("piece_id", BigInteger, primary_key=True),
    #: "" while it is open.
    Column("outcome", Text, nullable=False),
    Column("status", SmallInteger),
    Column("looks", SmallInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: Webhook calls as they came, which wait to be merged: see `storage.inbox`. On SQLite they wait in a file of their own,
#: and here is nothing.
inbox = Table(
    "inbox",
    metadata,
    Column("workspace_id", Integer, primary_key=True, autoincrement=False),
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("heard_at", Moment, nullable=False),
    #: Whose body it is: the platform's key.
    Column("platform", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

#: How far each import has come, so that it goes on there after an interruption.
imports = Table(
    "imports",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    #: What is imported: a digest of the file, or the days of a back-fill.
    Column("key", Text, primary_key=True),
    #: Up to where its rows are kept, in the import's own measure.
    Column("position", BigInteger, nullable=False),
    Column("kept", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

#: How far the history of old pieces was thinned, in each campaign (0: pieces of none): see `storage.thinning`.
thinned = Table(
    "thinned",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("campaign_id", BigInteger, primary_key=True),
    Column("piece_id", BigInteger, nullable=False),
)
