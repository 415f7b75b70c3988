"""Each person's own choices."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "people",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("span", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "person", name=op.f("pk_people")),
    )


def downgrade() -> None:
    op.drop_table("people")
