"""Alembic's environment: runs on the connection that `include.warehouse.migrate` hands in."""

from __future__ import annotations

from alembic import context

from include.warehouse.migrate import VERSION_TABLE
from include.warehouse.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
