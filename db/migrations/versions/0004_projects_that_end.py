"""Projects that are deleted, and what users are described as."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db import base

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("projects", sa.Column("deleted_at", base.UtcDateTime(), nullable=True))
    op.add_column("users", sa.Column("description", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("users") as batch:
        batch.drop_column("description")
    with op.batch_alter_table("projects") as batch:
        batch.drop_column("deleted_at")
