"""What is remembered of the mail platform is JSON of its own making, no longer columns that one platform can fill.

Adds only: the version before goes on with its own two columns, which a later migration drops. Either finds out anew
what the other has learned meanwhile.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

workspaces = sa.table(
    "workspaces",
    sa.column("id", sa.Integer),
    sa.column("list_route", sa.Text),
    sa.column("singles_offered", sa.Boolean),
    sa.column("platform_state", sa.Text),
)


def upgrade() -> None:
    op.add_column("workspaces", sa.Column("platform_state", sa.Text()))
    connection = op.get_bind()
    for row in connection.execute(sa.select(workspaces)).all():
        if row.list_route is not None or row.singles_offered is not None:
            state = json.dumps({"own": row.list_route, "campaign_reports": row.singles_offered})
            connection.execute(sa.update(workspaces).where(workspaces.c.id == row.id).values(platform_state=state))


def downgrade() -> None:
    op.drop_column("workspaces", "platform_state")
