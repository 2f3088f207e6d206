"""Segments: what the nodes keep for networks that tenants make; taken with a network, and free again after it."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base


class Segment(base.Base):
    """A bridge that is on every node and nobody else's, such as one on a VLAN."""

    __tablename__ = "segments"
    __table_args__ = (base.partial_index("ix_segments_free", "id", where="network_id IS NULL"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    link: Mapped[str] = mapped_column(sa.String(64), unique=True)
    #: the network that has it; None: it is free
    network_id: Mapped[str | None] = mapped_column(sa.ForeignKey("networks.id"), unique=True)


def add(session: orm.Session, links: Sequence[str]) -> None:
    session.add_all(Segment(link=link) for link in links)
    session.flush()


def taken_names(session: orm.Session, links: Sequence[str]) -> Sequence[str]:
    """Tell which of these are segments already."""
    return session.scalars(sa.select(Segment.link).where(Segment.link.in_(links)).order_by(Segment.link)).all()


def take(session: orm.Session) -> Segment | None:
    """Hold a free segment until the transaction ends, passing over what others hold; None if there is none."""
    query = sa.select(Segment).where(Segment.network_id.is_(None)).order_by(Segment.id).limit(1)
    return session.scalar(query.with_for_update(skip_locked=True).execution_options(populate_existing=True))


def give_back(session: orm.Session, network_id: str) -> None:
    """Free the segment of a network, if it has one."""
    session.execute(sa.update(Segment).where(Segment.network_id == network_id).values(network_id=None))


def lock(session: orm.Session, link: str) -> Segment | None:
    query = sa.select(Segment).where(Segment.link == link).with_for_update()
    return session.scalar(query.execution_options(populate_existing=True))


def page(session: orm.Session, *, limit: int, after: int = 0, free: bool | None = None) -> Sequence[Segment]:
    """List segments by id."""
    query = sa.select(Segment).where(Segment.id > after).order_by(Segment.id).limit(limit)
    if free is not None:
        query = query.where(Segment.network_id.is_(None) if free else Segment.network_id.is_not(None))
    return session.scalars(query).all()


def count(session: orm.Session) -> tuple[int, int]:
    """Tell how many there are, and how many of them are free."""
    query = sa.select(sa.func.count(), sa.func.count().filter(Segment.network_id.is_(None))).select_from(Segment)
    total, free = session.execute(query).one()
    return int(total), int(free)
