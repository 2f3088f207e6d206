"""Floating IPs: addresses of external networks that projects keep, each carried by a port of its own.

Whoever changes a floating IP holds the port that carries it: they come and go together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base, sorting
from db.ports import Address, Port
from db.sorting import Order


class FloatingIp(base.Base):
    __tablename__ = "floating_ips"
    __table_args__ = (
        sa.Index("ix_floating_ips_project_id", "project_id", "created_at", "id"),
        sa.Index("ix_floating_ips_fixed_port_id", "fixed_port_id"),
        base.partial_index("ix_floating_ips_next_port_id", "next_port_id", where="next_port_id IS NOT NULL"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    project_id: Mapped[str] = mapped_column(sa.ForeignKey("projects.id"))
    #: the port that carries it, in its external network
    port_id: Mapped[str] = mapped_column(sa.ForeignKey("ports.id"), unique=True)
    #: the port that its owner has named: one of the server that has the carrying port
    fixed_port_id: Mapped[str | None] = mapped_column(sa.ForeignKey("ports.id", ondelete="SET NULL"))
    #: an address of that port, in its canonical form
    fixed_ip: Mapped[str | None] = mapped_column(sa.String(45))
    #: on its way to another server: the port that was named, an address of it, and the request that asked for it
    next_port_id: Mapped[str | None] = mapped_column(sa.ForeignKey("ports.id", ondelete="SET NULL"))
    next_fixed_ip: Mapped[str | None] = mapped_column(sa.String(45))
    next_request_id: Mapped[str | None] = mapped_column(sa.String(40))
    description: Mapped[str] = mapped_column(sa.String(255), default="")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    def go_nowhere(self) -> None:
        """Forget where it is on its way to."""
        self.next_port_id = self.next_fixed_ip = self.next_request_id = None


@dataclass(frozen=True)
class Filter:
    """Which floating IPs a list shows; None means any."""

    #: those of this project alone
    project_id: str | None = None
    ids: Sequence[str] | None = None
    ips: Sequence[str] | None = None
    network_ids: Sequence[str] | None = None
    port_ids: Sequence[str] | None = None
    fixed_ips: Sequence[str] | None = None
    descriptions: Sequence[str] | None = None
    #: with a server, or without
    associated: bool | None = None


@dataclass(frozen=True)
class FloatingView:
    """A floating IP with its address, the port that carries it, and the one that was named last, if any."""

    floating: FloatingIp
    port: Port
    address: Address
    fixed: Port | None

    @property
    def fixed_ip(self) -> str | None:
        """Give the address of the named port that is meant."""
        if self.fixed is None:
            return None
        return self.floating.next_fixed_ip if self.floating.next_port_id else self.floating.fixed_ip

    @property
    def moving(self) -> bool:
        """Tell whether it is on its way from one server to another."""
        return self.floating.next_port_id is not None


def get(session: orm.Session, floating_id: str) -> FloatingIp | None:
    return session.get(FloatingIp, floating_id)


def get_again(session: orm.Session, floating_id: str) -> FloatingIp | None:
    """Get one as it is now, whatever was read of it before."""
    query = sa.select(FloatingIp).where(FloatingIp.id == floating_id)
    return session.scalar(query.execution_options(populate_existing=True))


def carried_by(session: orm.Session, port_id: str) -> FloatingIp | None:
    """Give the floating IP that a port carries."""
    return session.scalar(sa.select(FloatingIp).where(FloatingIp.port_id == port_id))


def view(session: orm.Session, floating_id: str) -> FloatingView | None:
    return next(_read(session, _views().where(FloatingIp.id == floating_id)), None)


def page(
    session: orm.Session, wanted: Filter, *, limit: int, orders: Sequence[Order] = (), after: FloatingIp | None = None
) -> Sequence[FloatingView]:
    """List floating IPs, oldest first unless told otherwise. One statement."""
    total = sorting.complete(orders or (Order(FloatingIp.created_at),), FloatingIp.id)
    query = sorting.arranged(_views().where(*_conditions(wanted)), total, after=after)
    return list(_read(session, query.limit(limit)))


def of_fixed(session: orm.Session, port_id: str) -> FloatingIp | None:
    """Give a floating IP that is associated with a port, if there is one."""
    return session.scalar(sa.select(FloatingIp).where(FloatingIp.fixed_port_id == port_id).limit(1))


def on_their_way(session: orm.Session, *, limit: int) -> Sequence[tuple[str, str]]:
    """List (id, the port that was named) of those that are to come to a server, and have left the one before."""
    query = sa.select(FloatingIp.id, FloatingIp.next_port_id).join(Port, Port.id == FloatingIp.port_id)
    query = query.where(FloatingIp.next_port_id.is_not(None), Port.instance_id.is_(None))
    found = session.execute(query.order_by(FloatingIp.updated_at, FloatingIp.id).limit(limit))
    return [(floating_id, port_id) for floating_id, port_id in found if port_id is not None]


def stay(session: orm.Session, port_id: str, *, named: str | None = None) -> None:
    """Record that what a port carries, if it does, is not on its way any more: to the port that is named, or to any."""
    going = FloatingIp.next_port_id.is_not(None) if named is None else FloatingIp.next_port_id == named
    query = sa.update(FloatingIp).where(FloatingIp.port_id == port_id, going)
    session.execute(query.values(next_port_id=None, next_fixed_ip=None, next_request_id=None))


def dissociate(session: orm.Session, port_ids: Sequence[str]) -> None:
    """Record that what these ports carry is associated no more; the ports are held."""
    query = sa.update(FloatingIp).where(FloatingIp.port_id.in_(port_ids))
    session.execute(query.values(fixed_port_id=None, fixed_ip=None))


def counts(session: orm.Session) -> Mapping[str, int]:
    """Count the floating IPs of projects: what the quota usages must equal."""
    query = sa.select(FloatingIp.project_id, sa.func.count()).group_by(FloatingIp.project_id)
    return {str(project_id): count for project_id, count in session.execute(query)}


_fixed = orm.aliased(Port)
#: of one that is on its way, what it is to be associated with
_fixed_port_id = sa.func.coalesce(FloatingIp.next_port_id, FloatingIp.fixed_port_id)
_fixed_ip = sa.case((FloatingIp.next_port_id.is_not(None), FloatingIp.next_fixed_ip), else_=FloatingIp.fixed_ip)


# Any: a query of four entities, of which the last may be missing
def _views() -> Any:
    return (
        sa.select(FloatingIp, Port, Address, _fixed)
        .join(Port, Port.id == FloatingIp.port_id)
        .join(Address, Address.port_id == FloatingIp.port_id)
        .outerjoin(_fixed, _fixed.id == _fixed_port_id)
    )


def _read(session: orm.Session, query: Any) -> Iterator[FloatingView]:
    for floating, port, address, fixed in session.execute(query):
        yield FloatingView(floating, port, address, fixed)


def _conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    some: dict[sa.ColumnElement[Any], Sequence[str] | None] = {
        FloatingIp.id.expression: wanted.ids,
        Address.ip.expression: wanted.ips,
        Port.network_id.expression: wanted.network_ids,
        _fixed_port_id: wanted.port_ids,
        _fixed_ip: wanted.fixed_ips,
        FloatingIp.description.expression: wanted.descriptions,
    }
    found: list[sa.ColumnElement[bool]] = [column.in_(values) for column, values in some.items() if values is not None]
    if wanted.project_id is not None:
        found.append(FloatingIp.project_id == wanted.project_id)
    if wanted.associated is not None:
        has_server = Port.instance_id.is_not(None)
        found.append(has_server if wanted.associated else ~has_server)
    return found
