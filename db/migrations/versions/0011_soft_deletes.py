"""Servers that rest deleted before they are removed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db import base

revision = "0011"
down_revision = "0010"

_INDEX = "ix_instances_soft_deleted_at"


def upgrade() -> None:
    with op.batch_alter_table("instances") as batch:
        batch.add_column(sa.Column("soft_deleted_at", base.UtcDateTime(), nullable=True))
    condition = sa.text("soft_deleted_at IS NOT NULL")
    op.create_index(_INDEX, "instances", ["soft_deleted_at"], postgresql_where=condition, sqlite_where=condition)


def downgrade() -> None:
    op.drop_index(_INDEX, "instances")
    with op.batch_alter_table("instances") as batch:
        batch.drop_column("soft_deleted_at")
