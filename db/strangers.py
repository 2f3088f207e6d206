"""Strangers: instances in Ganeti under our prefix that the database does not know. They are kept, never deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base


class Stranger(base.Base):
    __tablename__ = "strangers"

    backend_id: Mapped[int] = mapped_column(sa.ForeignKey("backends.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    status: Mapped[str] = mapped_column(sa.String(32))
    vcpus: Mapped[int]
    #: MiB
    ram: Mapped[int]
    node: Mapped[str | None] = mapped_column(sa.String(255))
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]


def of_backend(session: orm.Session, backend_id: int) -> Sequence[Stranger]:
    query = sa.select(Stranger).where(Stranger.backend_id == backend_id).order_by(Stranger.name)
    return session.scalars(query).all()


def all_strangers(session: orm.Session) -> Sequence[Stranger]:
    return session.scalars(sa.select(Stranger).order_by(Stranger.backend_id, Stranger.name)).all()


def get(session: orm.Session, backend_id: int, name: str) -> Stranger | None:
    return session.get(Stranger, (backend_id, name))
