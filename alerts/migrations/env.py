"""Read by Alembic: how to reach the database. The caller holds the connection, its transaction and the lock."""

from alembic import context

from alerts.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
