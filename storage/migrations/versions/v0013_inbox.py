"""Webhook calls that were taken and wait to be merged.

Adds only: a version that knows nothing of it goes on merging the calls that it takes itself.
"""

import sqlalchemy as sa
from alembic import op

import storage.schema.tables
from storage.dialects import is_postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    counts = is_postgresql(op.get_bind())
    op.create_table(
        "inbox",
        sa.Column("workspace_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=counts, nullable=False),
        sa.Column("heard_at", storage.schema.tables.Moment(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_inbox")),
    )
    if counts:
        # It is filled and emptied all day: what is dead in it must not pile up until it is a share of anything.
        op.execute("ALTER TABLE inbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)")


def downgrade() -> None:
    op.drop_table("inbox")
