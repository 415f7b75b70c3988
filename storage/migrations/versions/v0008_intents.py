"""What must still be done after the request that asked for it is a row, and an approval names its pieces and its sum.

Adds only: a version that knows nothing of it goes on working beside it.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

import storage.schema.tables

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ADDED: dict[tuple[str, str], Any] = {
    ("approvals", "intent_id"): sa.BigInteger(),
    ("approvals", "pieces"): sa.Integer(),
    ("approvals", "amount"): storage.schema.tables.Amount(),
    ("approvals", "unpriced"): sa.Integer(),
    ("cancellations", "intent_id"): sa.BigInteger(),
}


def upgrade() -> None:
    for (table, name), kind in ADDED.items():
        op.add_column(table, sa.Column(name, kind))
    op.create_table(
        "intents",
        sa.Column("id", storage.schema.tables.Key, nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("made_at", storage.schema.tables.Moment(), nullable=False),
        sa.Column("next_at", storage.schema.tables.Moment()),
        sa.Column("lease_until", storage.schema.tables.Moment(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("told", sa.SmallInteger(), nullable=False),
        sa.Column("ended_at", storage.schema.tables.Moment()),
        sa.Column("outcome", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intents")),
        sa.UniqueConstraint("workspace_id", "name", name=op.f("uq_intents_workspace_id_name")),
    )
    open_ = sa.text("ended_at IS NULL")
    op.create_index("ix_intents_open", "intents", ["next_at"], postgresql_where=open_, sqlite_where=open_)
    op.create_table(
        "intent_pieces",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("intent_id", sa.BigInteger(), nullable=False),
        sa.Column("piece_id", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("status", sa.SmallInteger()),
        sa.Column("looks", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "intent_id", "piece_id", name=op.f("pk_intent_pieces")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("intent_pieces")
    op.drop_index("ix_intents_open", "intents")
    op.drop_table("intents")
    for table, name in reversed(ADDED):
        op.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
