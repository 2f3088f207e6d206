"""Tags of instances, and an index of the jobs that move or resize one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_MOVES = sa.text("action IN ('evacuate', 'live-migration', 'migrate', 'resize')")


def upgrade() -> None:
    op.create_table(
        "instance_tags",
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.Column("tag", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instances.id"], name=op.f("fk_instance_tags_instance_id_instances"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("instance_id", "tag", name=op.f("pk_instance_tags")),
    )
    op.create_index(op.f("ix_instance_tags_tag"), "instance_tags", ["tag"])
    op.create_index("ix_jobs_moves", "jobs", ["id"], postgresql_where=_MOVES, sqlite_where=_MOVES)


def downgrade() -> None:
    op.drop_index("ix_jobs_moves", "jobs")
    op.drop_table("instance_tags")
