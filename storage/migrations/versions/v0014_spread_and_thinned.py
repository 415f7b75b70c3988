"""Each change says whose it is, and what was thinned is remembered.

Adds only, and in an instant: the version before names no workspace, and gets 0, which stands for "see its piece". The
key of the history stays as that version needs it; a later migration puts the workspace before it. Where the tables are
partitioned (`storage.schema.partitions`) it begins with the workspace already.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("changes", sa.Column("workspace_id", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "thinned",
        sa.Column("workspace_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("piece_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "campaign_id", name=op.f("pk_thinned")),
    )


def downgrade() -> None:
    op.drop_table("thinned")
    op.drop_column("changes", "workspace_id")
