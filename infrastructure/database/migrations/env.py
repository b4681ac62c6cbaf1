"""How Alembic reaches the database. `schema.migrate` gives the connection."""

from __future__ import annotations

from alembic import context

from infrastructure.database.metadata import metadata

connection = context.config.attributes["connection"]

context.configure(
    connection=connection,
    target_metadata=metadata,
    # Each migration commits by itself: what is done is done, and the next one starts there.
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
