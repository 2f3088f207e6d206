"""Segments: what the nodes keep for networks that tenants make; taken with a network, and free again after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base
from db.networks import Kind, Network
from db.ports import Port


class Segment(base.Base):
    """A bridge that is on every node and nobody else's, such as one on a VLAN; or a MAC prefix on a bridge of many."""

    __tablename__ = "segments"
    __table_args__ = (
        base.partial_index("ix_segments_free", "kind", "id", where="network_id IS NULL"),
        base.partial_index("ix_segments_bridge", "link", where="mac_prefix IS NULL", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[Kind] = mapped_column(base.Word(Kind))
    link: Mapped[str] = mapped_column(sa.String(64))
    #: three octets, of a mac-filtered one
    mac_prefix: Mapped[str | None] = mapped_column(sa.String(8), unique=True)
    #: the network that has it; None: it is free
    network_id: Mapped[str | None] = mapped_column(sa.ForeignKey("networks.id"), unique=True)


def add(session: orm.Session, links: Sequence[str]) -> None:
    """Add bridges."""
    session.add_all(Segment(kind=Kind.BRIDGE, link=link) for link in links)
    session.flush()


def add_prefixes(session: orm.Session, link: str, prefixes: Sequence[str]) -> None:
    """Add MAC prefixes on a bridge of many."""
    session.add_all(Segment(kind=Kind.MAC_FILTERED, link=link, mac_prefix=prefix) for prefix in prefixes)
    session.flush()


def taken_names(session: orm.Session, links: Sequence[str], *, kind: Kind | None = None) -> Sequence[str]:
    """Tell which of these are bridges of segments already, of any kind or of this one."""
    query = sa.select(Segment.link).where(Segment.link.in_(links)).distinct().order_by(Segment.link)
    return session.scalars(query if kind is None else query.where(Segment.kind == kind)).all()


def taken_prefixes(session: orm.Session, prefixes: Sequence[str]) -> Sequence[str]:
    """Tell which of these MAC prefixes are segments already."""
    query = sa.select(Segment.mac_prefix).where(Segment.mac_prefix.in_(prefixes)).order_by(Segment.mac_prefix)
    return [str(prefix) for prefix in session.scalars(query)]


def take(session: orm.Session, kind: Kind) -> Segment | None:
    """Hold a free segment until the transaction ends, passing over what others hold; None if there is none.

    Free is one that no network has, whose bridge no other network has, and whose prefix no port's MAC begins with.
    """
    used = sa.or_(
        sa.and_(Segment.mac_prefix.is_(None), sa.exists().where(Network.link == Segment.link)),
        sa.exists().where(
            # all MACs are of one form: the order of a collation is theirs
            Port.mac.between(Segment.mac_prefix + ":00:00:00", Segment.mac_prefix + ":ff:ff:ff"),
        ),
    )
    query = sa.select(Segment).where(Segment.kind == kind, Segment.network_id.is_(None), ~used)
    query = query.order_by(Segment.id).limit(1).with_for_update(skip_locked=True, of=Segment)
    return session.scalar(query.execution_options(populate_existing=True))


def give_back(session: orm.Session, network_id: str) -> None:
    """Free the segment of a network, if it has one."""
    session.execute(sa.update(Segment).where(Segment.network_id == network_id).values(network_id=None))


def lock(session: orm.Session, link: str) -> Segment | None:
    """Get the segment of a bridge of its own and hold it until the transaction ends."""
    return _locked(session, Segment.link == link, Segment.kind == Kind.BRIDGE)


def lock_prefix(session: orm.Session, prefix: str) -> Segment | None:
    """Get the segment of a MAC prefix and hold it until the transaction ends."""
    return _locked(session, Segment.mac_prefix == prefix)


def page(session: orm.Session, *, limit: int, after: int = 0, free: bool | None = None) -> Sequence[Segment]:
    """List segments by id."""
    query = sa.select(Segment).where(Segment.id > after).order_by(Segment.id).limit(limit)
    if free is not None:
        query = query.where(Segment.network_id.is_(None) if free else Segment.network_id.is_not(None))
    return session.scalars(query).all()


def count(session: orm.Session) -> Mapping[Kind, tuple[int, int]]:
    """Tell how many there are of each kind, and how many of them are free."""
    free = sa.func.count().filter(Segment.network_id.is_(None))
    query = sa.select(Segment.kind, sa.func.count(), free).group_by(Segment.kind)
    return {kind: (int(total), int(left)) for kind, total, left in session.execute(query)}


def _locked(session: orm.Session, *conditions: sa.ColumnElement[bool]) -> Segment | None:
    query = sa.select(Segment).where(*conditions).with_for_update()
    return session.scalar(query.execution_options(populate_existing=True))
