"""What nodes are told of ports can change while servers have them; floating IPs move from one server to another;
networks say whether their ports are firewalled, and ports may send from addresses besides their own.

What the nodes of the ports that are there were told is known to nobody: it is told again with their next change.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db import base

revision = "0024"
down_revision = "0023"

_DUE = sa.text("told_due_at IS NOT NULL")
_MOVING = sa.text("next_port_id IS NOT NULL")


def upgrade() -> None:
    with op.batch_alter_table("ports") as table:
        table.add_column(sa.Column("later", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("told_due_at", base.UtcDateTime(), nullable=True))
        table.add_column(sa.Column("told_generation", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("told_digest", sa.String(length=64), nullable=True))
        table.add_column(sa.Column("allowed_pairs", base.Json, nullable=False, server_default="[]"))
    with op.batch_alter_table("ports") as table:
        table.alter_column("later", server_default=None)
        table.alter_column("told_generation", server_default=None)
        table.alter_column("allowed_pairs", server_default=None)
    op.create_index("ix_ports_told_due_at", "ports", ["told_due_at"], postgresql_where=_DUE, sqlite_where=_DUE)
    ports = sa.table("ports", sa.column("id"), sa.column("instance_id"), sa.column("later", sa.Boolean()))
    jobs = sa.table("jobs", sa.column("action"), sa.column("spec", base.Json), sa.column("instance_id"))
    attached = sa.select(jobs.c.spec["port_id"].as_string()).where(
        jobs.c.action == "attach-interface", jobs.c.instance_id == ports.c.instance_id
    )
    op.execute(sa.update(ports).where(ports.c.id.in_(attached)).values(later=True))
    with op.batch_alter_table("networks") as table:
        table.add_column(sa.Column("firewalled", sa.Boolean(), nullable=False, server_default=sa.true()))
    with op.batch_alter_table("networks") as table:
        table.alter_column("firewalled", server_default=None)
    with op.batch_alter_table("floating_ips") as table:
        table.add_column(sa.Column("next_port_id", sa.String(length=36), nullable=True))
        table.add_column(sa.Column("next_fixed_ip", sa.String(length=45), nullable=True))
        table.add_column(sa.Column("next_request_id", sa.String(length=40), nullable=True))
        name = op.f("fk_floating_ips_next_port_id_ports")
        table.create_foreign_key(name, "ports", ["next_port_id"], ["id"], ondelete="SET NULL")
    op.create_index(
        "ix_floating_ips_next_port_id",
        "floating_ips",
        ["next_port_id"],
        postgresql_where=_MOVING,
        sqlite_where=_MOVING,
    )


def downgrade() -> None:
    op.drop_index("ix_floating_ips_next_port_id", "floating_ips")
    with op.batch_alter_table("floating_ips") as table:
        table.drop_constraint(op.f("fk_floating_ips_next_port_id_ports"), type_="foreignkey")
        table.drop_column("next_request_id")
        table.drop_column("next_fixed_ip")
        table.drop_column("next_port_id")
    with op.batch_alter_table("networks") as table:
        table.drop_column("firewalled")
    op.drop_index("ix_ports_told_due_at", "ports")
    with op.batch_alter_table("ports") as table:
        table.drop_column("allowed_pairs")
        table.drop_column("told_digest")
        table.drop_column("told_generation")
        table.drop_column("told_due_at")
        table.drop_column("later")
