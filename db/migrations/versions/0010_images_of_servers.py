"""Images that are made of servers' disks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db import base

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    with op.batch_alter_table("images") as batch:
        batch.add_column(sa.Column("server_id", sa.String(36), nullable=True))
        batch.create_index(op.f("ix_images_server_id"), ["server_id"])
    op.create_table(
        "image_copies",
        sa.Column("image_id", sa.String(36), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("token_digest", sa.String(64), nullable=True),
        sa.Column("used_at", base.UtcDateTime(), nullable=True),
        sa.Column("limited", sa.Boolean(), nullable=False),
        sa.Column("created_at", base.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"], ["images.id"], name=op.f("fk_image_copies_image_id_images"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("image_id", name=op.f("pk_image_copies")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_image_copies_token_digest")),
    )


def downgrade() -> None:
    op.drop_table("image_copies")
    with op.batch_alter_table("images") as batch:
        batch.drop_index(op.f("ix_images_server_id"))
        batch.drop_column("server_id")
