"""Kinds of networks, and MAC prefixes among the segments.

Downwards, a network that is known by its MAC prefix becomes a flat one of the same bridge, and its ports keep their
MACs: it has to be removed first where that matters.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    with op.batch_alter_table("networks") as batch:
        batch.add_column(sa.Column("kind", sa.String(length=32), nullable=False, server_default="flat"))
        batch.add_column(sa.Column("mac_prefix", sa.String(length=8), nullable=True))
    op.execute("UPDATE networks SET kind = 'routed' WHERE mode = 'routed'")
    op.execute("UPDATE networks SET kind = 'bridge' WHERE id IN (SELECT network_id FROM segments)")
    with op.batch_alter_table("networks") as batch:
        batch.drop_column("mode")
        batch.alter_column("kind", existing_type=sa.String(length=32), existing_nullable=False, server_default=None)

    op.drop_index("ix_segments_free", "segments")
    with op.batch_alter_table("segments") as batch:
        batch.add_column(sa.Column("kind", sa.String(length=32), nullable=False, server_default="bridge"))
        batch.add_column(sa.Column("mac_prefix", sa.String(length=8), nullable=True))
        batch.drop_constraint("uq_segments_link", type_="unique")
        batch.create_unique_constraint("uq_segments_mac_prefix", ["mac_prefix"])
    with op.batch_alter_table("segments") as batch:
        batch.alter_column("kind", existing_type=sa.String(length=32), existing_nullable=False, server_default=None)
    free, bridge = sa.text("network_id IS NULL"), sa.text("mac_prefix IS NULL")
    op.create_index("ix_segments_free", "segments", ["kind", "id"], postgresql_where=free, sqlite_where=free)
    op.create_index(
        "ix_segments_bridge", "segments", ["link"], unique=True, postgresql_where=bridge, sqlite_where=bridge
    )


def downgrade() -> None:
    op.drop_index("ix_segments_bridge", "segments")
    op.drop_index("ix_segments_free", "segments")
    op.execute("DELETE FROM segments WHERE kind = 'mac-filtered'")
    with op.batch_alter_table("segments") as batch:
        batch.drop_constraint("uq_segments_mac_prefix", type_="unique")
        batch.create_unique_constraint("uq_segments_link", ["link"])
        batch.drop_column("mac_prefix")
        batch.drop_column("kind")
    free = sa.text("network_id IS NULL")
    op.create_index("ix_segments_free", "segments", ["id"], postgresql_where=free, sqlite_where=free)

    with op.batch_alter_table("networks") as batch:
        batch.add_column(sa.Column("mode", sa.String(length=32), nullable=False, server_default="bridged"))
    op.execute("UPDATE networks SET mode = 'routed' WHERE kind = 'routed'")
    with op.batch_alter_table("networks") as batch:
        batch.drop_column("mac_prefix")
        batch.drop_column("kind")
        batch.alter_column("mode", existing_type=sa.String(length=32), existing_nullable=False, server_default=None)
