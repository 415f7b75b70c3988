"""How Alembic reaches our database: over the connection that `storage.schema` hands in."""

from alembic import context

from storage.accounts import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
    render_as_batch=True,
)
context.run_migrations()
