"""What the mail platform does not answer an account, and when it asked whether its webhook finds us.

Adds only: a version that knows nothing of it goes on working beside it.
"""

import sqlalchemy as sa
from alembic import op

import storage.schema.tables

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workspaces", sa.Column("handshake_at", storage.schema.tables.Moment()))
    op.add_column("workspaces", sa.Column("gaps", sa.Text()))


def downgrade() -> None:
    for name in ("gaps", "handshake_at"):
        op.drop_column("workspaces", name)
