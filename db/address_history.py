"""Who had which address, and when: a row for each time that a port with an address had the same instance, or none.

Rows outlive what they name, so they refer to nothing. They are written in the transactions that give and take
addresses and ports, from what these have made of the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base
from db.ports import Address, Port


class Holding(base.Base):
    """An address, and who had it from one time until another."""

    __tablename__ = "address_history"
    __table_args__ = (
        sa.Index("ix_address_history_ip", "ip", "since", "id"),
        sa.Index("ix_address_history_until", "until"),
        base.partial_index("ix_address_history_held", "port_id", where="until IS NULL"),
    )

    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True)
    #: in its canonical form
    ip: Mapped[str] = mapped_column(sa.String(45))
    subnet_id: Mapped[str] = mapped_column(sa.String(36))
    network_id: Mapped[str] = mapped_column(sa.String(36))
    port_id: Mapped[str] = mapped_column(sa.String(36))
    mac: Mapped[str] = mapped_column(sa.String(17))
    #: None: the port waited for one
    instance_id: Mapped[str | None] = mapped_column(sa.String(36))
    project_id: Mapped[str] = mapped_column(sa.String(32))
    since: Mapped[datetime]
    #: None: it is held now
    until: Mapped[datetime | None]


def begin(session: orm.Session, port_ids: Sequence[str], now: datetime) -> None:
    """Record that ports have their addresses, and their instances, from now on. One statement."""
    if not port_ids:
        return
    session.flush()
    columns = ["ip", "subnet_id", "network_id", "port_id", "mac", "instance_id", "project_id", "since"]
    query = (
        sa.select(
            Address.ip,
            Address.subnet_id,
            Port.network_id,
            Port.id,
            Port.mac,
            Port.instance_id,
            Port.project_id,
            sa.literal(now, base.UtcDateTime()),
        )
        .join(Port, Port.id == Address.port_id)
        .where(Port.id.in_(port_ids))
    )
    session.execute(sa.insert(Holding).from_select(columns, query))


def end(session: orm.Session, port_ids: Sequence[str], now: datetime) -> None:
    """Record that what is held by ports is so no more. One statement."""
    if not port_ids:
        return
    query = sa.update(Holding).where(Holding.port_id.in_(port_ids), Holding.until.is_(None)).values(until=now)
    session.execute(query, execution_options={"synchronize_session": False})


def page(
    session: orm.Session, ip: str, *, limit: int, at: datetime | None = None, before: Holding | None = None
) -> Sequence[Holding]:
    """List who had an address, at a time if one is given; the latest first, before a row of the list."""
    query = sa.select(Holding).where(Holding.ip == ip)
    if at is not None:
        query = query.where(Holding.since <= at, Holding.until.is_(None) | (Holding.until > at))
    if before is not None:
        since = sa.literal(before.since, base.UtcDateTime())
        query = query.where(sa.tuple_(Holding.since, Holding.id) < sa.tuple_(since, sa.literal(before.id)))
    return session.scalars(query.order_by(Holding.since.desc(), Holding.id.desc()).limit(limit)).all()


def get(session: orm.Session, holding_id: int) -> Holding | None:
    return session.get(Holding, holding_id)


def purge(session: orm.Session, before: datetime) -> int:
    """Forget what ended before a time; give the number of rows."""
    result = session.execute(sa.delete(Holding).where(Holding.until < before))
    return int(result.rowcount)  # type: ignore[attr-defined]  # a DELETE's result is a CursorResult
