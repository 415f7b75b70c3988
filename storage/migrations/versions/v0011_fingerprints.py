"""How each piece was last told of in the platform's reports, by a fingerprint: what reads the same again is not merged.

Adds only: a version that knows nothing of it goes on working beside it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

NAMES = ("listed_print", "placed_print")


def upgrade() -> None:
    for name in NAMES:
        op.add_column("pieces", sa.Column(name, sa.BigInteger()))


def downgrade() -> None:
    for name in reversed(NAMES):
        op.drop_column("pieces", name)
