"""The index of everybody's live servers has a condition that no project's list implies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

NAME = "ix_instances_live_all"


def _replace(condition: str) -> None:
    where = sa.text(condition)
    op.drop_index(NAME, "instances")
    op.create_index(NAME, "instances", ["created_at", "id"], postgresql_where=where, sqlite_where=where)


def upgrade() -> None:
    _replace("state <> 'deleted'")


def downgrade() -> None:
    _replace("deleted_at IS NULL")
