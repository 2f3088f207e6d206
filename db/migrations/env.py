"""Alembic's entry: runs the migrations on the connection that db.schema hands over."""

from __future__ import annotations

from alembic import context

from db import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
