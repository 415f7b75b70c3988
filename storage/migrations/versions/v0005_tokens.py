"""Who holds a job or a channel does so under a token that grows, and a channel knows what it waits for.

Adds only: a version that knows nothing of it goes on working beside it.
"""

import sqlalchemy as sa
from alembic import op

import storage.schema.tables

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("leases", sa.Column("token", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("channels", sa.Column("token", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("channels", sa.Column("doubt_since", storage.schema.tables.Moment()))
    op.add_column("channels", sa.Column("tries", sa.SmallInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    for name in ("tries", "doubt_since", "token"):
        op.drop_column("channels", name)
    op.drop_column("leases", "token")
