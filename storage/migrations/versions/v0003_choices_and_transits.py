"""Each person's own choices; how long mail takes; what each channel is told, and when."""

from typing import Any

import sqlalchemy as sa
from alembic import op

import storage.schema.tables

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

CHANNELS: dict[str, Any] = {
    "zone": sa.Text(),
    "digest_hour": sa.SmallInteger(),
    "quiet_from": sa.SmallInteger(),
    "quiet_until": sa.SmallInteger(),
    "hush_from": storage.schema.tables.Moment(),
    "hush_until": storage.schema.tables.Moment(),
    "alarm_percent": sa.SmallInteger(),
    "digested_on": sa.Date(),
    "state": sa.Text(),
}


def upgrade() -> None:
    op.create_table(
        "people",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("span", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "person", name=op.f("pk_people")),
    )

    op.create_table(
        "transits",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("handed_on", sa.Date(), nullable=False),
        sa.Column("ended", sa.SmallInteger(), nullable=False),
        sa.Column("days", sa.SmallInteger(), nullable=False),
        sa.Column("pieces", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "workspace_id", "campaign_id", "form", "handed_on", "ended", "days", name=op.f("pk_transits")
        ),
    )
    op.create_table(
        "surveys",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("counted_at", storage.schema.tables.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "campaign_id", name=op.f("pk_surveys")),
    )

    op.create_table(
        "return_places",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("zip3", sa.Text(), nullable=False),
        sa.Column("pieces", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "campaign_id", "region", "zip3", name=op.f("pk_return_places")),
    )
    op.create_table(
        "return_notes",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("piece_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reason_by", sa.Text(), nullable=False),
        sa.Column("handled_by", sa.Text(), nullable=False),
        sa.Column("handled_at", storage.schema.tables.Moment()),
        sa.PrimaryKeyConstraint("workspace_id", "piece_id", name=op.f("pk_return_notes")),
    )
    for name, kind in CHANNELS.items():
        op.add_column("channels", sa.Column(name, kind))
    op.add_column("cards", sa.Column("edited_at", storage.schema.tables.Moment()))
    for name in ("webhook_at", "silence_told"):
        op.add_column("workspaces", sa.Column(name, storage.schema.tables.Moment()))


def downgrade() -> None:
    for name in ("silence_told", "webhook_at"):
        op.execute(f"ALTER TABLE workspaces DROP COLUMN {name}")
    op.execute("ALTER TABLE cards DROP COLUMN edited_at")
    for name in reversed(CHANNELS):
        op.execute(f"ALTER TABLE channels DROP COLUMN {name}")
    op.drop_table("return_notes")
    op.drop_table("return_places")
    op.drop_table("surveys")
    op.drop_table("transits")
    op.drop_table("people")
