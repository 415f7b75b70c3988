"""Which timelines are due moves out of the pieces; imports remember how far they came."""

import sqlalchemy as sa
from alembic import op

import storage.schema.tables

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "due_details",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("urgency", sa.SmallInteger(), nullable=False),
        sa.Column("piece_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "urgency", "piece_id", name=op.f("pk_due_details")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "imports",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", storage.schema.tables.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "key", name=op.f("pk_imports")),
    )
    op.execute(
        "INSERT INTO due_details (workspace_id, urgency, piece_id)"
        " SELECT workspace_id, CASE WHEN NOT placed THEN 0 WHEN status = 8 THEN 1 ELSE 2 END, id"
        " FROM pieces WHERE detail_due"
    )
    op.drop_index("ix_pieces_detail_due", table_name="pieces")
    op.execute("ALTER TABLE pieces DROP COLUMN detail_due")


def downgrade() -> None:
    op.execute("ALTER TABLE pieces ADD COLUMN detail_due BOOLEAN NOT NULL DEFAULT false")
    op.execute("UPDATE pieces SET detail_due = true WHERE id IN (SELECT piece_id FROM due_details)")
    op.create_index(
        "ix_pieces_detail_due",
        "pieces",
        ["workspace_id", "id"],
        postgresql_where=sa.text("detail_due"),
        sqlite_where=sa.text("detail_due"),
    )
    op.drop_table("imports")
    op.drop_table("due_details")
