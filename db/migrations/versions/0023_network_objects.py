"""Networks as Ganeti's objects, on backends whose operator wants them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db import base

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    with op.batch_alter_table("backends") as batch:
        batch.add_column(sa.Column("network_objects", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "network_objects",
        sa.Column("backend_id", sa.Integer(), nullable=False),
        sa.Column("network_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("subnet", sa.String(length=18), nullable=False),
        sa.Column("groups", base.Json, nullable=False),
        sa.Column("jobs", base.Json, nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("retry_at", base.UtcDateTime(), nullable=True),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", base.UtcDateTime(), nullable=True),
        sa.Column("changed_at", base.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["backend_id"], ["backends.id"], name=op.f("fk_network_objects_backend_id_backends"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("backend_id", "network_id", name=op.f("pk_network_objects")),
    )
    op.create_index("ix_network_objects_network_id", "network_objects", ["network_id"])


def downgrade() -> None:
    op.drop_table("network_objects")
    with op.batch_alter_table("backends") as batch:
        batch.drop_column("network_objects")
