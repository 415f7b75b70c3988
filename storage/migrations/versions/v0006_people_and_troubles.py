"""When workspaces were installed or are said to leave, who is a guest, renewals under way, what people must mend.

Adds only: a version that knows nothing of it goes on working beside it.
"""

import sqlalchemy as sa
from alembic import op

import storage.schema.tables

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workspaces", sa.Column("installed_at", storage.schema.tables.Moment()))
    op.add_column("workspaces", sa.Column("leaving_at", storage.schema.tables.Moment()))
    op.add_column("people", sa.Column("outside", sa.Boolean()))
    op.add_column("people", sa.Column("known_at", storage.schema.tables.Moment()))
    op.add_column("secrets", sa.Column("renewing_at", storage.schema.tables.Moment()))
    op.create_table(
        "troubles",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("since", storage.schema.tables.Moment(), nullable=False),
        sa.Column("until", storage.schema.tables.Moment()),
        sa.Column("told_at", storage.schema.tables.Moment()),
        sa.PrimaryKeyConstraint("workspace_id", "kind", name=op.f("pk_troubles")),
    )


def downgrade() -> None:
    op.drop_table("troubles")
    op.drop_column("secrets", "renewing_at")
    for name in ("known_at", "outside"):
        op.drop_column("people", name)
    for name in ("leaving_at", "installed_at"):
        op.drop_column("workspaces", name)
