"""Keypairs: SSH public keys by user and name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base


class Keypair(base.Base):
    __tablename__ = "keypairs"
    __table_args__ = (sa.UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(255))
    type: Mapped[str] = mapped_column(sa.String(16), default="ssh")
    public_key: Mapped[str] = mapped_column(sa.Text)
    fingerprint: Mapped[str] = mapped_column(sa.String(128))
    created_at: Mapped[datetime]


def get(session: orm.Session, user_id: str, name: str) -> Keypair | None:
    return session.scalar(sa.select(Keypair).where(Keypair.user_id == user_id, Keypair.name == name))


def of_user(session: orm.Session, user_id: str) -> Sequence[Keypair]:
    """List a user's keypairs by name."""
    return session.scalars(sa.select(Keypair).where(Keypair.user_id == user_id).order_by(Keypair.name)).all()
