"""What nodes are told of ports can change while servers have them.

What the nodes of the ports that are there were told is known to nobody: it is told again with their next change.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db import base

revision = "0024"
down_revision = "0021"

_DUE = sa.text("told_due_at IS NOT NULL")


def upgrade() -> None:
    with op.batch_alter_table("ports") as table:
        table.add_column(sa.Column("later", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("told_due_at", base.UtcDateTime(), nullable=True))
        table.add_column(sa.Column("told_generation", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("told_digest", sa.String(length=64), nullable=True))
    with op.batch_alter_table("ports") as table:
        table.alter_column("later", server_default=None)
        table.alter_column("told_generation", server_default=None)
    op.create_index("ix_ports_told_due_at", "ports", ["told_due_at"], postgresql_where=_DUE, sqlite_where=_DUE)
    ports = sa.table("ports", sa.column("id"), sa.column("instance_id"), sa.column("later", sa.Boolean()))
    jobs = sa.table("jobs", sa.column("action"), sa.column("spec", base.Json), sa.column("instance_id"))
    attached = sa.select(jobs.c.spec["port_id"].as_string()).where(
        jobs.c.action == "attach-interface", jobs.c.instance_id == ports.c.instance_id
    )
    op.execute(sa.update(ports).where(ports.c.id.in_(attached)).values(later=True))


def downgrade() -> None:
    op.drop_index("ix_ports_told_due_at", "ports")
    with op.batch_alter_table("ports") as table:
        table.drop_column("told_digest")
        table.drop_column("told_generation")
        table.drop_column("told_due_at")
        table.drop_column("later")
