"""Images that users upload: their claims and hashes, whom they are shared with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db import base

revision = "0003"
down_revision = "0002"

_UNFINISHED = sa.text("status IN ('saving', 'importing')")
_COLUMNS = (
    "os_hash",
    "virtual_size",
    "hidden",
    "tags",
    "progress",
    "fault",
    "claim",
    "claimed_until",
)


def upgrade() -> None:
    with op.batch_alter_table("images") as batch:
        batch.add_column(sa.Column("os_hash", sa.String(128), nullable=True))
        batch.add_column(sa.Column("virtual_size", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("hidden", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column("tags", base.Json, nullable=False, server_default=sa.text("'[]'")))
        batch.add_column(sa.Column("progress", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("fault", sa.String(500), nullable=True))
        batch.add_column(sa.Column("claim", sa.String(36), nullable=True))
        batch.add_column(sa.Column("claimed_until", base.UtcDateTime(), nullable=True))
    with op.batch_alter_table("images") as batch:
        batch.alter_column("hidden", server_default=None)
        batch.alter_column("tags", server_default=None)
        batch.create_index("ix_images_unfinished", ["status"], postgresql_where=_UNFINISHED, sqlite_where=_UNFINISHED)
    op.create_table(
        "image_members",
        sa.Column("image_id", sa.String(36), nullable=False),
        sa.Column("project_id", sa.String(64), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("created_at", base.UtcDateTime(), nullable=False),
        sa.Column("updated_at", base.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"], ["images.id"], name=op.f("fk_image_members_image_id_images"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("image_id", "project_id", name=op.f("pk_image_members")),
    )
    op.create_index(op.f("ix_image_members_project_id"), "image_members", ["project_id"])


def downgrade() -> None:
    op.drop_table("image_members")
    with op.batch_alter_table("images") as batch:
        batch.drop_index("ix_images_unfinished")
        for column in _COLUMNS:
            batch.drop_column(column)
