"""What the database refuses for good has a table of its own.

Adds only: a version that knows nothing of it goes on working beside it.
"""

import sqlalchemy as sa
from alembic import op

import storage.schema.tables

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "set_aside",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("first_at", storage.schema.tables.Moment(), nullable=False),
        sa.Column("last_at", storage.schema.tables.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "ref", name=op.f("pk_set_aside")),
    )


def downgrade() -> None:
    op.drop_table("set_aside")
