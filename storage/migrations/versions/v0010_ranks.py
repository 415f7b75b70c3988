"""Between the ranks of two statuses there is room for more: every stored rank is ten times what it was.

It rewrites what older programs read, so those start no more on this schema, and must have ended before. On PostgreSQL,
where several processes share a database, one of them that still runs is refused what it would write in the old ranks.
"""

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.dialects import is_postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

#: Every column that holds a rank. 0 is no status, and stays.
RANKED = (
    ("pieces", "status"),
    ("changes", "status"),
    ("orphans", "status"),
    ("tallies", "status"),
    ("tally_deltas", "status"),
    ("outbox", "status"),
    ("transits", "ended"),
    ("intent_pieces", "status"),
)
#: What the ranks of before were called. An export that is still to be made named its status by rank, and now by name.
NAMES = (
    "received", "producing", "cancelled", "handed_over", "in_transit", "local_delivery", "delivered", "returned",
)  # fmt: skip


def upgrade() -> None:
    for table, column in RANKED:
        # Each new rank is beyond all old ones: no two rows share a key meanwhile.
        op.execute(f"UPDATE {table} SET {column} = 10 * {column} WHERE {column} > 0")
        if is_postgresql(op.get_bind()):
            op.create_check_constraint(f"ck_{table}_rank", table, f"{column} = 0 OR {column} >= 10")
    _rewrite_exports(lambda rank: NAMES[rank - 1])


def downgrade() -> None:
    for table, column in RANKED:
        if is_postgresql(op.get_bind()):
            op.drop_constraint(f"ck_{table}_rank", table)
        op.execute(f"UPDATE {table} SET {column} = {column} / 10 WHERE {column} > 0")
    _rewrite_exports(lambda name: NAMES.index(name) + 1)


def _rewrite_exports(of: Callable[[Any], int | str]) -> None:
    intents = sa.table("intents", sa.column("id"), sa.column("kind"), sa.column("payload"))
    connection = op.get_bind()
    for row in connection.execute(sa.select(intents.c.id, intents.c.payload).where(intents.c.kind == "export")).all():
        payload = json.loads(row.payload)
        if payload.get("status") is not None:
            written = json.dumps(payload | {"status": of(payload["status"])})
            connection.execute(sa.update(intents).where(intents.c.id == row.id).values(payload=written))
