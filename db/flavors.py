"""Flavors: the sizes an instance may have, and which projects may use those that are not public."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base, sorting
from db.sorting import Order


class Flavor(base.Base):
    __tablename__ = "flavors"
    __table_args__ = (
        sa.CheckConstraint("vcpus > 0", name="vcpus"),
        sa.CheckConstraint("ram > 0", name="ram"),
        sa.CheckConstraint("disk >= 0", name="disk"),
    )

    id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(255), unique=True)
    vcpus: Mapped[int]
    #: MiB
    ram: Mapped[int]
    #: GiB
    disk: Mapped[int]
    #: MiB; shown, and no disk is made of it
    swap: Mapped[int] = mapped_column(default=0)
    #: shown, and nothing is shaped by it
    rxtx_factor: Mapped[float] = mapped_column(sa.Double, default=1.0)
    public: Mapped[bool] = mapped_column(default=True)
    enabled: Mapped[bool] = mapped_column(default=True)
    extra_specs: Mapped[dict[str, str]] = mapped_column(default=dict)
    created_at: Mapped[datetime]


class Access(base.Base):
    """A project that may use a flavor that is not public."""

    __tablename__ = "flavor_access"

    flavor_id: Mapped[str] = mapped_column(sa.ForeignKey("flavors.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[str] = mapped_column(
        sa.ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True, index=True
    )


def get(session: orm.Session, flavor_id: str) -> Flavor | None:
    return session.get(Flavor, flavor_id)


def lock(session: orm.Session, flavor_id: str) -> Flavor | None:
    """Get a flavor and hold it until the transaction ends. Flavors are locked before backends."""
    query = sa.select(Flavor).where(Flavor.id == flavor_id).with_for_update(key_share=True)
    return session.scalar(query.execution_options(populate_existing=True))


def by_name(session: orm.Session, name: str) -> Flavor | None:
    return session.scalar(sa.select(Flavor).where(Flavor.name == name))


def page(
    session: orm.Session,
    *,
    limit: int,
    orders: Sequence[Order],
    after: Flavor | None = None,
    public: bool | None = True,
    open_to: str | None = None,
    min_ram: int = 0,
    min_disk: int = 0,
) -> Sequence[Flavor]:
    """List enabled flavors in a total order, up to `limit`, after a given one.

    `public` None means both kinds; those that are open to the project `open_to` are listed in any case.
    """
    query = sa.select(Flavor).where(Flavor.enabled, Flavor.ram >= min_ram, Flavor.disk >= min_disk)
    if public is not None:
        kind = Flavor.public == public
        if open_to is not None:
            kind = kind | Flavor.id.in_(sa.select(Access.flavor_id).where(Access.project_id == open_to))
        query = query.where(kind)
    return session.scalars(sorting.arranged(query, orders, after=after).limit(limit)).all()


def accesses(session: orm.Session, flavor_id: str) -> Sequence[str]:
    """List the ids of the projects that a flavor is open to."""
    query = sa.select(Access.project_id).where(Access.flavor_id == flavor_id)
    return session.scalars(query.order_by(Access.project_id)).all()


def is_open(session: orm.Session, flavor_id: str, project_id: str) -> bool:
    return session.get(Access, (flavor_id, project_id)) is not None
