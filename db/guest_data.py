"""What a guest is to be given at its first boot, sealed; and the digest of the token that its deployment redeems."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Mapped, mapped_column

from db import base


class GuestData(base.Base):
    __tablename__ = "guest_data"

    instance_id: Mapped[str] = mapped_column(sa.ForeignKey("instances.id", ondelete="CASCADE"), primary_key=True)
    #: a JSON document under the installation's key
    sealed: Mapped[str] = mapped_column(sa.Text)
    #: SHA-256, in hex, of the newest deployment's token
    token_digest: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    #: the deployment that the token is for: one of our jobs
    job_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    expires_at: Mapped[datetime | None]
    redeemed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


def get(session: orm.Session, instance_id: str) -> GuestData | None:
    return session.get(GuestData, instance_id)


def lock(session: orm.Session, instance_id: str) -> GuestData | None:
    query = sa.select(GuestData).where(GuestData.instance_id == instance_id)
    return session.scalar(query.with_for_update().execution_options(populate_existing=True))


def by_digest(session: orm.Session, digest: str) -> GuestData | None:
    return session.scalar(sa.select(GuestData).where(GuestData.token_digest == digest))


def spend(session: orm.Session, digest: str, *, at: datetime) -> bool:
    """Mark a token as redeemed; of all who try, one is told that it worked."""
    query = (
        sa.update(GuestData)
        .where(GuestData.token_digest == digest, GuestData.redeemed_at.is_(None))
        .values(redeemed_at=at)
        .execution_options(synchronize_session=False)
    )
    done = session.execute(query)
    return isinstance(done, CursorResult) and done.rowcount == 1


def forget(session: orm.Session, instance_id: str) -> None:
    """Remove what was kept for an instance, if anything was."""
    session.execute(sa.delete(GuestData).where(GuestData.instance_id == instance_id))
