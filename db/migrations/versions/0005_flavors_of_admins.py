"""Flavors that admins make: swap, bandwidth, and the projects that those that are not public are open to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # the defaults stay: SQLite would have to make the table anew to drop them
    op.add_column("flavors", sa.Column("swap", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("flavors", sa.Column("rxtx_factor", sa.Double(), nullable=False, server_default="1"))
    op.create_table(
        "flavor_access",
        sa.Column("flavor_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["flavor_id"], ["flavors.id"], name=op.f("fk_flavor_access_flavor_id_flavors"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_flavor_access_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("flavor_id", "project_id", name=op.f("pk_flavor_access")),
    )
    op.create_index(op.f("ix_flavor_access_project_id"), "flavor_access", ["project_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_flavor_access_project_id"), "flavor_access")
    op.drop_table("flavor_access")
    op.drop_column("flavors", "rxtx_factor")
    op.drop_column("flavors", "swap")
