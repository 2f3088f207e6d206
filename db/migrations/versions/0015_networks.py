"""Networks, subnets with what is free of them, ports and their addresses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db import base

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "networks",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("project_id", sa.String(length=32), nullable=True),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("external", sa.Boolean(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("mode", sa.String(length=32), nullable=False),
        sa.Column("link", sa.String(length=64), nullable=False),
        sa.Column("mtu", sa.Integer(), nullable=False),
        sa.Column("created_at", base.UtcDateTime(), nullable=False),
        sa.Column("updated_at", base.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_networks_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_networks")),
    )
    op.create_index("ix_networks_project_id", "networks", ["project_id", "created_at", "id"])
    op.create_index(
        "ix_networks_shared",
        "networks",
        ["created_at", "id"],
        postgresql_where=sa.text("shared"),
        sqlite_where=sa.text("shared"),
    )
    op.create_table(
        "subnets",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("network_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("project_id", sa.String(length=32), nullable=True),
        sa.Column("cidr", sa.String(length=49), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("gateway", sa.String(length=45), nullable=True),
        sa.Column("dhcp", sa.Boolean(), nullable=False),
        sa.Column("ipv6_mode", sa.String(length=32), nullable=True),
        sa.Column("nameservers", base.Json, nullable=False),
        sa.Column("routes", base.Json, nullable=False),
        sa.Column("pools", base.Json, nullable=False),
        sa.Column("cursor", sa.String(length=32), nullable=False),
        sa.Column("created_at", base.UtcDateTime(), nullable=False),
        sa.Column("updated_at", base.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["network_id"], ["networks.id"], name=op.f("fk_subnets_network_id_networks")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_subnets_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subnets")),
    )
    op.create_index("ix_subnets_network_id", "subnets", ["network_id", "created_at", "id"])
    op.create_table(
        "free_ranges",
        sa.Column("subnet_id", sa.String(length=36), nullable=False),
        sa.Column("first", sa.String(length=32), nullable=False),
        sa.Column("last", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["subnet_id"], ["subnets.id"], name=op.f("fk_free_ranges_subnet_id_subnets"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subnet_id", "first", name=op.f("pk_free_ranges")),
    )
    op.create_index("ix_free_ranges_last", "free_ranges", ["subnet_id", "last"])
    op.create_table(
        "ports",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("network_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=32), nullable=False),
        sa.Column("mac", sa.String(length=17), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("instance_id", sa.String(length=36), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("owned", sa.Boolean(), nullable=False),
        sa.Column("created_at", base.UtcDateTime(), nullable=False),
        sa.Column("updated_at", base.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_ports_instance_id_instances")),
        sa.ForeignKeyConstraint(["network_id"], ["networks.id"], name=op.f("fk_ports_network_id_networks")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_ports_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ports")),
        sa.UniqueConstraint("mac", name=op.f("uq_ports_mac")),
    )
    op.create_index("ix_ports_instance_id", "ports", ["instance_id", "number"])
    op.create_index("ix_ports_network_id", "ports", ["network_id", "created_at", "id"])
    op.create_index("ix_ports_project_id", "ports", ["project_id", "created_at", "id"])
    op.create_table(
        "addresses",
        sa.Column("subnet_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=False),
        sa.Column("port_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["port_id"], ["ports.id"], name=op.f("fk_addresses_port_id_ports"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["subnet_id"], ["subnets.id"], name=op.f("fk_addresses_subnet_id_subnets")),
        sa.PrimaryKeyConstraint("subnet_id", "number", name=op.f("pk_addresses")),
    )
    op.create_index(op.f("ix_addresses_ip"), "addresses", ["ip"])
    op.create_index("ix_addresses_port_id", "addresses", ["port_id"])


def downgrade() -> None:
    op.drop_table("addresses")
    op.drop_table("ports")
    op.drop_table("free_ranges")
    op.drop_table("subnets")
    op.drop_table("networks")
