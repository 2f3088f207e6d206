"""Floating IPs, and who had which address when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db import base

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    with op.batch_alter_table("ports") as batch:
        batch.add_column(sa.Column("floating", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "floating_ips",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=32), nullable=False),
        sa.Column("port_id", sa.String(length=36), nullable=False),
        sa.Column("fixed_port_id", sa.String(length=36), nullable=True),
        sa.Column("fixed_ip", sa.String(length=45), nullable=True),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("created_at", base.UtcDateTime(), nullable=False),
        sa.Column("updated_at", base.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_floating_ips_project_id_projects")),
        sa.ForeignKeyConstraint(["port_id"], ["ports.id"], name=op.f("fk_floating_ips_port_id_ports")),
        sa.ForeignKeyConstraint(
            ["fixed_port_id"], ["ports.id"], name=op.f("fk_floating_ips_fixed_port_id_ports"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_floating_ips")),
        sa.UniqueConstraint("port_id", name=op.f("uq_floating_ips_port_id")),
    )
    op.create_index("ix_floating_ips_project_id", "floating_ips", ["project_id", "created_at", "id"])
    op.create_index("ix_floating_ips_fixed_port_id", "floating_ips", ["fixed_port_id"])
    op.create_table(
        "address_history",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=False),
        sa.Column("subnet_id", sa.String(length=36), nullable=False),
        sa.Column("network_id", sa.String(length=36), nullable=False),
        sa.Column("port_id", sa.String(length=36), nullable=False),
        sa.Column("mac", sa.String(length=17), nullable=False),
        sa.Column("instance_id", sa.String(length=36), nullable=True),
        sa.Column("project_id", sa.String(length=32), nullable=False),
        sa.Column("since", base.UtcDateTime(), nullable=False),
        sa.Column("until", base.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_history")),
    )
    # a port that was made with its instance has had it since; of others it is certain since their last change
    op.execute(
        sa.text(
            "INSERT INTO address_history"
            " (ip, subnet_id, network_id, port_id, mac, instance_id, project_id, since)"
            " SELECT addresses.ip, addresses.subnet_id, ports.network_id, ports.id, ports.mac, ports.instance_id,"
            " ports.project_id, CASE WHEN ports.owned THEN ports.created_at ELSE ports.updated_at END"
            " FROM addresses JOIN ports ON ports.id = addresses.port_id"
        )
    )
    op.create_index("ix_address_history_ip", "address_history", ["ip", "since", "id"])
    op.create_index("ix_address_history_until", "address_history", ["until"])
    held = sa.text("until IS NULL")
    op.create_index("ix_address_history_held", "address_history", ["port_id"], postgresql_where=held, sqlite_where=held)


def downgrade() -> None:
    op.drop_table("address_history")
    op.drop_table("floating_ips")
    with op.batch_alter_table("ports") as batch:
        batch.drop_column("floating")
