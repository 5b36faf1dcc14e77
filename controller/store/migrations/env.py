"""Alembic runs this: migrate on the connection that the store hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from controller.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
