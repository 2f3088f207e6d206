"""Tokens and links that open consoles, and who was at which."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db import base

revision = "0022"
down_revision = "0021"

_OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "console_tokens",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        *_holder("console_tokens"),
        sa.Column("created_at", base.UtcDateTime(), nullable=False),
        sa.Column("expires_at", base.UtcDateTime(), nullable=False),
        sa.Column("used_at", base.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_console_tokens")),
    )
    op.create_table(
        "console_links",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        *_holder("console_links"),
        sa.Column("created_at", base.UtcDateTime(), nullable=False),
        sa.Column("expires_at", base.UtcDateTime(), nullable=False),
        sa.Column("revoked_at", base.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_console_links")),
        sa.UniqueConstraint("digest", name=op.f("uq_console_links_digest")),
    )
    for table in ("console_tokens", "console_links"):
        for column in ("user_id", "project_id", "expires_at"):
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
    op.create_index(op.f("ix_console_tokens_instance_id"), "console_tokens", ["instance_id"])
    op.create_index("ix_console_links_instance_id", "console_links", ["instance_id", "created_at", "id"])
    op.create_table(
        "console_sessions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("proxy", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("protocol", sa.String(length=16), nullable=False),
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=True),
        sa.Column("project_id", sa.String(length=32), nullable=True),
        sa.Column("roles_elsewhere", sa.Boolean(), nullable=False),
        sa.Column("link_id", sa.String(length=36), nullable=True),
        sa.Column("view_only", sa.Boolean(), nullable=False),
        sa.Column("request_id", sa.String(length=255), nullable=False),
        sa.Column("viewer", sa.String(length=64), nullable=True),
        sa.Column("shown", sa.BigInteger(), nullable=False),
        sa.Column("typed", sa.BigInteger(), nullable=False),
        sa.Column("granted_at", base.UtcDateTime(), nullable=False),
        sa.Column("opened_at", base.UtcDateTime(), nullable=True),
        sa.Column("ended_at", base.UtcDateTime(), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_console_sessions")),
    )
    op.create_index("ix_console_sessions_granted_at", "console_sessions", ["granted_at", "id"])
    for column in ("instance_id", "user_id", "project_id"):
        op.create_index(f"ix_console_sessions_{column}", "console_sessions", [column, "granted_at", "id"])
    op.create_index(
        "ix_console_sessions_open", "console_sessions", ["proxy", "id"], postgresql_where=_OPEN, sqlite_where=_OPEN
    )
    op.create_table(
        "console_proxies",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("boot", sa.String(length=64), nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", base.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_console_proxies")),
    )


def downgrade() -> None:
    for table in ("console_proxies", "console_sessions", "console_links", "console_tokens"):
        op.drop_table(table)


def _holder(table: str) -> list[sa.Column[object] | sa.ForeignKeyConstraint]:
    columns: list[sa.Column[object] | sa.ForeignKeyConstraint] = [
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("project_id", sa.String(length=32), nullable=False),
        sa.Column("roles_elsewhere", sa.Boolean(), nullable=False),
    ]
    for column, other in (("instance_id", "instances"), ("user_id", "users"), ("project_id", "projects")):
        name = op.f(f"fk_{table}_{column}_{other}")
        columns.append(sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, ondelete="CASCADE"))
    return columns
