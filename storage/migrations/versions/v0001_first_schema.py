"""The first schema."""

import sqlalchemy as sa
from alembic import op

import storage.schema.tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("created_at", storage.schema.tables.Moment(), nullable=True),
        sa.Column("updated_at", storage.schema.tables.Moment(), nullable=True),
        sa.Column("send_on", sa.Date(), nullable=True),
        sa.Column("recipients", sa.Integer(), nullable=True),
        sa.Column("cost", storage.schema.tables.Amount(), nullable=True),
        sa.Column("handed_over_first", storage.schema.tables.Moment(), nullable=True),
        sa.Column("handed_over_last", storage.schema.tables.Moment(), nullable=True),
        sa.Column("delivered_first", storage.schema.tables.Moment(), nullable=True),
        sa.Column("delivered_last", storage.schema.tables.Moment(), nullable=True),
        sa.Column("changed_at", storage.schema.tables.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("workspace_id", "ref", name=op.f("uq_campaigns_workspace_id_ref")),
    )
    op.create_table(
        "cancellations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("piece_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", storage.schema.tables.Moment(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("ended_at", storage.schema.tables.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cancellations")),
        sa.UniqueConstraint(
            "workspace_id",
            "piece_id",
            name=op.f("uq_cancellations_workspace_id_piece_id"),
        ),
    )
    op.create_table(
        "cards",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("message_ts", sa.Text(), nullable=False),
        sa.Column("shows", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "channel", "campaign_id", name=op.f("pk_cards")),
    )
    op.create_table(
        "changes",
        sa.Column("piece_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("moment_key", storage.schema.tables.Moment(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("occurred_at", storage.schema.tables.Moment(), nullable=False),
        sa.Column("recorded_at", storage.schema.tables.Moment(), nullable=False),
        sa.Column("source", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("piece_id", "status", "moment_key", "place", "word", name=op.f("pk_changes")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "channels",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("next_at", storage.schema.tables.Moment(), nullable=False),
        sa.Column("lease_until", storage.schema.tables.Moment(), nullable=False),
        sa.Column("muted_until", storage.schema.tables.Moment(), nullable=True),
        sa.Column("blocked", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "channel", name=op.f("pk_channels")),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("next_at", storage.schema.tables.Moment(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "orphans",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("moment_key", storage.schema.tables.Moment(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("occurred_at", storage.schema.tables.Moment(), nullable=False),
        sa.Column("recorded_at", storage.schema.tables.Moment(), nullable=False),
        sa.Column("source", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "workspace_id",
            "ref",
            "status",
            "moment_key",
            "place",
            "word",
            name=op.f("pk_orphans"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("piece_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", storage.schema.tables.Moment(), nullable=False),
        sa.Column("sent_at", storage.schema.tables.Moment(), nullable=True),
        sa.Column("message_ts", sa.Text(), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint(
            "workspace_id",
            "channel",
            "piece_id",
            "status",
            name=op.f("uq_outbox_workspace_id_channel_piece_id_status"),
        ),
        postgresql_with={"fillfactor": 80},
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index("ix_outbox_piece", ["workspace_id", "piece_id"], unique=False)
        batch_op.create_index(
            "ix_outbox_unsent",
            ["workspace_id", "channel", "id"],
            unique=False,
            postgresql_where=sa.text("sent_at IS NULL"),
            sqlite_where=sa.text("sent_at IS NULL"),
        )

    op.create_table(
        "pieces",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("placed", sa.Boolean(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("status_at", storage.schema.tables.Moment(), nullable=True),
        sa.Column("changed_at", storage.schema.tables.Moment(), nullable=True),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("cost", storage.schema.tables.Amount(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("created_at", storage.schema.tables.Moment(), nullable=False),
        sa.Column("dispatched_at", storage.schema.tables.Moment(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "name_key",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "surname_key",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "address_key",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("company", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("city", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column(
            "postcode",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("facts_at", storage.schema.tables.Moment(), nullable=False),
        sa.Column("detail_due", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pieces")),
        sa.UniqueConstraint("workspace_id", "ref", name=op.f("uq_pieces_workspace_id_ref")),
        postgresql_with={"fillfactor": 85},
    )
    with op.batch_alter_table("pieces", schema=None) as batch_op:
        batch_op.create_index("ix_pieces_address", ["workspace_id", "address_key"], unique=False)
        batch_op.create_index("ix_pieces_campaign", ["workspace_id", "campaign_id", "id"], unique=False)
        batch_op.create_index(
            "ix_pieces_detail_due",
            ["workspace_id", "id"],
            unique=False,
            postgresql_where=sa.text("detail_due"),
            sqlite_where=sa.text("detail_due"),
        )
        batch_op.create_index("ix_pieces_name", ["workspace_id", "name_key"], unique=False)
        batch_op.create_index("ix_pieces_postcode", ["workspace_id", "postcode"], unique=False)
        batch_op.create_index("ix_pieces_surname", ["workspace_id", "surname_key"], unique=False)

    op.create_table(
        "seen",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("seen_at", storage.schema.tables.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_seen")),
    )
    with op.batch_alter_table("seen", schema=None) as batch_op:
        batch_op.create_index("ix_seen_seen_at", ["seen_at"], unique=False)

    op.create_table(
        "subscriptions",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("wants", sa.Text(), nullable=False),
        sa.Column("since", storage.schema.tables.Moment(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "channel", "campaign_id", name=op.f("pk_subscriptions")),
    )
    op.create_table(
        "tallies",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("pieces", sa.BigInteger(), nullable=False),
        sa.Column("cost", storage.schema.tables.Amount(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "campaign_id", "day", "status", name=op.f("pk_tallies")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tally_deltas",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("pieces", sa.BigInteger(), nullable=False),
        sa.Column("cost", storage.schema.tables.Amount(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tally_deltas")),
    )
    with op.batch_alter_table("tally_deltas", schema=None) as batch_op:
        batch_op.create_index("ix_tally_deltas_campaign", ["workspace_id", "campaign_id"], unique=False)

    op.create_table(
        "workspaces",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("balance", storage.schema.tables.Amount(), nullable=True),
        sa.Column("balance_at", storage.schema.tables.Moment(), nullable=True),
        sa.Column("polled_at", storage.schema.tables.Moment(), nullable=True),
        sa.Column("baseline_at", storage.schema.tables.Moment(), nullable=True),
        sa.Column("list_route", sa.Text(), nullable=True),
        sa.Column("singles_offered", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspaces")),
        sa.UniqueConstraint("team_id", name=op.f("uq_workspaces_team_id")),
    )


def downgrade() -> None:
    op.drop_table("workspaces")
    with op.batch_alter_table("tally_deltas", schema=None) as batch_op:
        batch_op.drop_index("ix_tally_deltas_campaign")

    op.drop_table("tally_deltas")
    op.drop_table("tallies")
    op.drop_table("subscriptions")
    with op.batch_alter_table("seen", schema=None) as batch_op:
        batch_op.drop_index("ix_seen_seen_at")

    op.drop_table("seen")
    with op.batch_alter_table("pieces", schema=None) as batch_op:
        batch_op.drop_index("ix_pieces_surname")
        batch_op.drop_index("ix_pieces_postcode")
        batch_op.drop_index("ix_pieces_name")
        batch_op.drop_index(
            "ix_pieces_detail_due",
            postgresql_where=sa.text("detail_due"),
            sqlite_where=sa.text("detail_due"),
        )
        batch_op.drop_index("ix_pieces_campaign")
        batch_op.drop_index("ix_pieces_address")

    op.drop_table("pieces")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_outbox_unsent",
            postgresql_where=sa.text("sent_at IS NULL"),
            sqlite_where=sa.text("sent_at IS NULL"),
        )
        batch_op.drop_index("ix_outbox_piece")

    op.drop_table("outbox")
    op.drop_table("orphans")
    op.drop_table("leases")
    op.drop_table("channels")
    op.drop_table("changes")
    op.drop_table("cards")
    op.drop_table("cancellations")
    op.drop_table("campaigns")
