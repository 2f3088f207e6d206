"""Backends: the Ganeti clusters that we submit to, with what we know of their capacity."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base


class Backend(base.Base):
    __tablename__ = "backends"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(64), unique=True)
    #: the cluster's own UUID, learnt at the first refresh; jobs and events are keyed by it
    cluster: Mapped[str | None] = mapped_column(sa.String(36), unique=True)
    rapi_urls: Mapped[list[str]]
    rapi_user: Mapped[str] = mapped_column(sa.String(64))
    #: sealed with the installation's key
    rapi_password: Mapped[str] = mapped_column(sa.Text)
    rapi_ca: Mapped[str | None] = mapped_column(sa.Text)
    #: SHA-256 of the server's certificate, in hex
    rapi_fingerprint: Mapped[str | None] = mapped_column(sa.String(64))
    #: Ganeti names of our instances begin so
    prefix: Mapped[str] = mapped_column(sa.String(16))
    disk_template: Mapped[str] = mapped_column(sa.String(16))
    hypervisor: Mapped[str] = mapped_column(sa.String(16))
    #: OS definition with variant; empty: instances are made without one
    os: Mapped[str] = mapped_column(sa.String(64))
    hvparams: Mapped[dict[str, str]] = mapped_column(default=dict)
    #: what rescued instances boot from: an ISO image's path on every node, or its URL; None: none is rescued
    rescue_image: Mapped[str | None] = mapped_column(sa.String(255))
    #: Ganeti is to have an object for each network that our instances have NICs in
    network_objects: Mapped[bool] = mapped_column(default=False)
    #: jobs that may be in flight at once
    max_jobs: Mapped[int] = mapped_column(default=20)
    #: no new instances
    drained: Mapped[bool] = mapped_column(default=False)
    #: no call is made at all
    offline: Mapped[bool] = mapped_column(default=False)
    version: Mapped[str | None] = mapped_column(sa.String(32))
    #: MiB, of the nodes that can take instances
    memory_total: Mapped[int] = mapped_column(default=0)
    memory_free: Mapped[int] = mapped_column(default=0)
    #: MiB
    disk_total: Mapped[int] = mapped_column(default=0)
    disk_free: Mapped[int] = mapped_column(default=0)
    #: MiB that the emptiest node has: an instance has to fit on one
    memory_largest: Mapped[int] = mapped_column(default=0)
    disk_largest: Mapped[int] = mapped_column(default=0)
    cpus: Mapped[int] = mapped_column(default=0)
    nodes: Mapped[int] = mapped_column(default=0)
    refreshed_at: Mapped[datetime | None]
    reconciled_at: Mapped[datetime | None]
    #: why the last refresh failed; None: it did not
    trouble: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[datetime]


def get(session: orm.Session, backend_id: int) -> Backend | None:
    return session.get(Backend, backend_id)


def lock(session: orm.Session, backend_id: int) -> Backend | None:
    """Get a backend and hold it: whoever claims its jobs does so alone."""
    query = sa.select(Backend).where(Backend.id == backend_id).with_for_update(key_share=True)
    return session.scalar(query.execution_options(populate_existing=True))


def take_turn(session: orm.Session, backend_id: int, *, now: datetime, since: datetime) -> bool:
    """Take the turn to reconcile a backend, if nobody has since a time: of several dispatchers one does it."""
    due = Backend.reconciled_at.is_(None) | (Backend.reconciled_at < since)
    query = sa.update(Backend).where(Backend.id == backend_id, due).values(reconciled_at=now)
    result = session.execute(query)
    return bool(result.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult


def by_name(session: orm.Session, name: str) -> Backend | None:
    return session.scalar(sa.select(Backend).where(Backend.name == name))


def by_cluster(session: orm.Session, cluster: str) -> Backend | None:
    return session.scalar(sa.select(Backend).where(Backend.cluster == cluster))


def all_backends(session: orm.Session) -> Sequence[Backend]:
    return session.scalars(sa.select(Backend).order_by(Backend.id)).all()


def usable(session: orm.Session) -> Sequence[Backend]:
    """List the backends that we may call."""
    return session.scalars(sa.select(Backend).where(~Backend.offline).order_by(Backend.id)).all()
