"""How Alembic reaches our database: over the connection that `storage.schema.revision` hands in."""

from alembic import context

import storage.schema.account_tables  # noqa: F401 - its tables belong to the schema
from storage.schema.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=context.config.attributes["version_table"],
    transaction_per_migration=False,
    render_as_batch=True,
)
context.run_migrations()
