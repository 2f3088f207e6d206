"""Segments, of which tenants' networks are made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "segments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("link", sa.String(length=64), nullable=False),
        sa.Column("network_id", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(["network_id"], ["networks.id"], name=op.f("fk_segments_network_id_networks")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segments")),
        sa.UniqueConstraint("link", name=op.f("uq_segments_link")),
        sa.UniqueConstraint("network_id", name=op.f("uq_segments_network_id")),
    )
    free = sa.text("network_id IS NULL")
    op.create_index("ix_segments_free", "segments", ["id"], postgresql_where=free, sqlite_where=free)


def downgrade() -> None:
    op.drop_table("segments")
