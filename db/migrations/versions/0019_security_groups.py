"""Security groups with their rules, and which ports are in them.

The ports that are there already are not firewalled: an upgrade closes no running guest.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from db import base

revision = "0019"
down_revision = "0018"

_DEFAULT = sa.text("is_default")
_SHARED = sa.text("shared")
_DUE = sa.text("firewall_due_at IS NOT NULL")
_SINCE = datetime(2026, 1, 1, tzinfo=UTC)
_RESOURCES = ("ports", "security_groups", "security_group_rules")
_DISABLED = "00000000-0000-4000-8000-0000000000f1"
_ENABLED = "00000000-0000-4000-8000-0000000000f2"
_PROTECTED = "00000000-0000-4000-8000-0000000000f3"
#: the firewall profiles of Cyclades: (protocol, first, last) that each lets in, by IP version; everything is let out
_ECHO = {4: ("icmp", 8, 0), 6: ("ipv6-icmp", 128, 0)}
_ANY: tuple[str | None, int | None, int | None] = (None, None, None)
_SSH, _RDP = ("tcp", 22, 22), ("tcp", 3389, 3389)
_READY_MADE = (
    (_DISABLED, "firewall-disabled", "No firewall: everything is let in", {4: [_ANY], 6: [_ANY]}),
    (_ENABLED, "firewall-enabled", "Nothing is let in but ping", {v: [echo] for v, echo in _ECHO.items()}),
    (
        _PROTECTED,
        "firewall-protected",
        "Nothing is let in but ping, SSH and RDP",
        {v: [echo, _SSH, _RDP] for v, echo in _ECHO.items()},
    ),
)


def upgrade() -> None:
    groups = op.create_table(
        "security_groups",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=32), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created_at", base.UtcDateTime(), nullable=False),
        sa.Column("updated_at", base.UtcDateTime(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_security_groups_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_groups")),
    )
    op.create_index("ix_security_groups_project_id", "security_groups", ["project_id", "created_at", "id"])
    op.create_index(
        "ix_security_groups_default",
        "security_groups",
        ["project_id"],
        unique=True,
        postgresql_where=_DEFAULT,
        sqlite_where=_DEFAULT,
    )
    op.create_index(
        "ix_security_groups_shared",
        "security_groups",
        ["created_at", "id"],
        postgresql_where=_SHARED,
        sqlite_where=_SHARED,
    )
    rules = op.create_table(
        "security_group_rules",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("group_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=32), nullable=True),
        sa.Column("direction", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("protocol", sa.String(length=16), nullable=True),
        sa.Column("port_min", sa.Integer(), nullable=True),
        sa.Column("port_max", sa.Integer(), nullable=True),
        sa.Column("remote_cidr", sa.String(length=49), nullable=True),
        sa.Column("remote_group_id", sa.String(length=36), nullable=True),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("created_at", base.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["security_groups.id"],
            name=op.f("fk_security_group_rules_group_id_security_groups"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_security_group_rules_project_id_projects")
        ),
        sa.ForeignKeyConstraint(
            ["remote_group_id"],
            ["security_groups.id"],
            name=op.f("fk_security_group_rules_remote_group_id_security_groups"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_group_rules")),
    )
    op.create_index("ix_security_group_rules_group_id", "security_group_rules", ["group_id", "created_at", "id"])
    op.create_index("ix_security_group_rules_project_id", "security_group_rules", ["project_id", "created_at", "id"])
    op.create_index(op.f("ix_security_group_rules_remote_group_id"), "security_group_rules", ["remote_group_id"])
    op.create_table(
        "port_security_groups",
        sa.Column("port_id", sa.String(length=36), nullable=False),
        sa.Column("group_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["port_id"], ["ports.id"], name=op.f("fk_port_security_groups_port_id_ports"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["security_groups.id"], name=op.f("fk_port_security_groups_group_id_security_groups")
        ),
        sa.PrimaryKeyConstraint("port_id", "group_id", name=op.f("pk_port_security_groups")),
    )
    op.create_index(op.f("ix_port_security_groups_group_id"), "port_security_groups", ["group_id"])
    with op.batch_alter_table("ports") as table:
        table.add_column(sa.Column("firewalled", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("firewall_due_at", base.UtcDateTime(), nullable=True))
        table.add_column(sa.Column("firewall_generation", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("firewall_digest", sa.String(length=64), nullable=True))
    with op.batch_alter_table("ports") as table:
        table.alter_column("firewalled", server_default=None)
        table.alter_column("firewall_generation", server_default=None)
    op.create_index("ix_ports_firewall_due_at", "ports", ["firewall_due_at"], postgresql_where=_DUE, sqlite_where=_DUE)
    _insert_ready_made(groups, rules)
    op.execute(
        "INSERT INTO quota_usages (project_id, resource, used) "
        "SELECT project_id, 'ports', count(*) FROM ports GROUP BY project_id"
    )


def downgrade() -> None:
    usages = sa.table("quota_usages", sa.column("resource", sa.String()))
    limits = sa.table("quota_limits", sa.column("resource", sa.String()))
    for counted in (usages, limits):
        op.execute(sa.delete(counted).where(counted.c.resource.in_(_RESOURCES)))
    op.drop_index("ix_ports_firewall_due_at", "ports")
    with op.batch_alter_table("ports") as table:
        table.drop_column("firewall_digest")
        table.drop_column("firewall_generation")
        table.drop_column("firewall_due_at")
        table.drop_column("firewalled")
    op.drop_table("port_security_groups")
    op.drop_table("security_group_rules")
    op.drop_table("security_groups")


def _insert_ready_made(groups: sa.Table, rules: sa.Table) -> None:
    for group_id, name, description, let_in in _READY_MADE:
        row = {"id": group_id, "name": name, "description": description, "shared": True, "is_default": False}
        op.bulk_insert(groups, [{**row, "created_at": _SINCE, "updated_at": _SINCE, "revision": 0}])
        meant = [("egress", version, _ANY) for version in (4, 6)]
        meant += [("ingress", version, what) for version, several in let_in.items() for what in several]
        op.bulk_insert(
            rules,
            [
                {
                    "id": f"{group_id[:-4]}{number:02x}{group_id[-2:]}",
                    "group_id": group_id,
                    "direction": direction,
                    "version": version,
                    "protocol": protocol,
                    "port_min": first,
                    "port_max": last,
                    "description": "",
                    "created_at": _SINCE,
                }
                for number, (direction, version, (protocol, first, last)) in enumerate(meant, start=1)
            ],
        )
