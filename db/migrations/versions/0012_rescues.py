"""Instances that boot from a backend's rescue system."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db import base

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("instances", sa.Column("rescued_at", base.UtcDateTime(), nullable=True))
    op.add_column("backends", sa.Column("rescue_image", sa.String(255), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("backends") as batch:
        batch.drop_column("rescue_image")
    with op.batch_alter_table("instances") as batch:
        batch.drop_column("rescued_at")
