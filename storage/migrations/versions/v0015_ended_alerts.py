"""What a channel was told of before that was turned off is remembered, so that it can be on again as it was.

Adds only: the version before remembers nothing of it, and goes on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("channels", sa.Column("ended", sa.Text()))


def downgrade() -> None:
    op.drop_column("channels", "ended")
