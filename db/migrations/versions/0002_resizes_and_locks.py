"""Resizes that wait to be confirmed, what an instance is charged for, and locks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db import base

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("instances") as batch:
        batch.add_column(sa.Column("charged_vcpus", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("charged_ram", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("locked", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column("resizing_to", base.Json, nullable=True))
        batch.add_column(sa.Column("resized_from", base.Json, nullable=True))
        batch.add_column(sa.Column("resized_at", base.UtcDateTime(), nullable=True))
    op.execute("UPDATE instances SET charged_vcpus = vcpus, charged_ram = ram")
    with op.batch_alter_table("instances") as batch:
        batch.alter_column("charged_vcpus", server_default=None)
        batch.alter_column("charged_ram", server_default=None)
        batch.alter_column("locked", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("instances") as batch:
        for column in ("charged_vcpus", "charged_ram", "locked", "resizing_to", "resized_from", "resized_at"):
            batch.drop_column(column)
