"""What guests are given at their first boot."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db import base

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "guest_data",
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("token_digest", sa.String(64), nullable=True),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", base.UtcDateTime(), nullable=True),
        sa.Column("redeemed_at", base.UtcDateTime(), nullable=True),
        sa.Column("created_at", base.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instances.id"], name=op.f("fk_guest_data_instance_id_instances"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("instance_id", name=op.f("pk_guest_data")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_guest_data_token_digest")),
    )


def downgrade() -> None:
    op.drop_table("guest_data")
