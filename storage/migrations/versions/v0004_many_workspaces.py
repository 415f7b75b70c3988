"""Many workspaces: their secrets, their rules, who did what, and what was shown where.

Adds only: a version that knows nothing of it goes on working beside it.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

import storage.schema.tables

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WORKSPACES: dict[str, Any] = {
    "installer": sa.Text(),
    "removed_at": storage.schema.tables.Moment(),
    "purge_at": storage.schema.tables.Moment(),
    "connected_at": storage.schema.tables.Moment(),
    "webhook_key": sa.Text(),
    "rules": sa.Text(),
}


def upgrade() -> None:
    for name, kind in WORKSPACES.items():
        op.add_column("workspaces", sa.Column(name, kind))
    op.create_index("ix_workspaces_webhook_key", "workspaces", ["webhook_key"], unique=True)
    op.add_column("pieces", sa.Column("erased", sa.Boolean()))
    op.create_table(
        "secrets",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("sealed_at", storage.schema.tables.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "place", name=op.f("pk_secrets")),
    )
    op.create_table(
        "install_states",
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("expires_at", storage.schema.tables.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_install_states")),
    )
    _create_records()
    op.create_table(
        "shown",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("piece_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "channel", "campaign_id", "piece_id", name=op.f("pk_shown")),
    )


def _create_records() -> None:
    op.create_table(
        "audit",
        sa.Column("id", storage.schema.tables.Key, nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("at", storage.schema.tables.Moment(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_workspace", "audit", ["workspace_id", "id"])
    op.create_table(
        "approvals",
        sa.Column("id", storage.schema.tables.Key, nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("piece_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", storage.schema.tables.Moment(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", storage.schema.tables.Moment()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    op.create_index("ix_approvals_workspace", "approvals", ["workspace_id", "id"])


def downgrade() -> None:
    for name in ("shown", "approvals", "audit", "install_states", "secrets"):
        op.drop_table(name)
    op.execute("ALTER TABLE pieces DROP COLUMN erased")
    op.drop_index("ix_workspaces_webhook_key", "workspaces")
    for name in reversed(WORKSPACES):
        op.execute(f"ALTER TABLE workspaces DROP COLUMN {name}")
