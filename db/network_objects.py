"""Networks as Ganeti's objects: what is known of each on each backend whose operator wants them there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base
from db.instances import Instance
from db.jobs import Job
from db.ports import Port


class State(StrEnum):
    """What is meant to come of an object, or has."""

    #: to be there, and connected with each node group
    ADDING = "adding"
    CONNECTED = "connected"
    #: to be gone
    REMOVING = "removing"
    #: it can't be what it should: NICs do without
    ERROR = "error"


class NetworkObject(base.Base):
    """A network on a backend. It may outlive the network, which is gone before Ganeti has let go of it."""

    __tablename__ = "network_objects"
    __table_args__ = (sa.Index("ix_network_objects_network_id", "network_id"),)

    backend_id: Mapped[int] = mapped_column(sa.ForeignKey("backends.id", ondelete="CASCADE"), primary_key=True)
    network_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    #: in Ganeti
    name: Mapped[str] = mapped_column(sa.String(64))
    state: Mapped[State] = mapped_column(base.Word(State))
    #: the one IPv4 subnet that it has for its whole life
    subnet: Mapped[str] = mapped_column(sa.String(18))
    #: the node groups that it was last seen connected with, by name
    groups: Mapped[list[str]] = mapped_column(default=list)
    #: Ganeti's jobs that are under way for it
    jobs: Mapped[list[int]] = mapped_column(base.Json, default=list)
    #: by which its jobs are found again whose ids were lost
    request_id: Mapped[str] = mapped_column(sa.String(40))
    #: why it is no better than it is
    error: Mapped[str | None] = mapped_column(sa.Text)
    #: not before this is what failed tried again
    retry_at: Mapped[datetime | None]
    claimed_by: Mapped[str | None] = mapped_column(sa.String(64))
    claimed_until: Mapped[datetime | None]
    changed_at: Mapped[datetime]


def lock(session: orm.Session, backend_id: int, network_id: str) -> NetworkObject | None:
    """Get an object and hold it until the transaction ends. Lock order: backend, object."""
    return next(iter(lock_several(session, backend_id, [network_id])), None)


def lock_several(session: orm.Session, backend_id: int, network_ids: Collection[str]) -> Sequence[NetworkObject]:
    """Get a backend's objects of networks and hold them until the transaction ends."""
    query = sa.select(NetworkObject).where(
        NetworkObject.backend_id == backend_id, NetworkObject.network_id.in_(network_ids)
    )
    query = query.order_by(NetworkObject.network_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).all()


def of_backend(session: orm.Session, backend_id: int) -> Sequence[NetworkObject]:
    query = sa.select(NetworkObject).where(NetworkObject.backend_id == backend_id)
    return session.scalars(query.order_by(NetworkObject.network_id)).all()


def of_network(session: orm.Session, network_id: str) -> Sequence[NetworkObject]:
    query = sa.select(NetworkObject).where(NetworkObject.network_id == network_id)
    return session.scalars(query.order_by(NetworkObject.backend_id)).all()


def claim(
    session: orm.Session, backend_id: int, *, by: str, now: datetime, until: datetime, limit: int
) -> Sequence[tuple[NetworkObject, bool]]:
    """Take objects that something is to be done for, passing over what others hold.

    With each: whether somebody had it before whose claim has run out, and who may have left jobs that nobody noted.
    """
    query = (
        sa.select(NetworkObject)
        .where(
            NetworkObject.backend_id == backend_id,
            NetworkObject.state.in_((State.ADDING, State.REMOVING)),
            NetworkObject.claimed_until.is_(None) | (NetworkObject.claimed_until < now),
        )
        .order_by(NetworkObject.changed_at, NetworkObject.network_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = [(row, row.claimed_by is not None) for row in session.scalars(query)]
    for row, _ in found:
        row.claimed_by, row.claimed_until = by, until
    return found


def unused(session: orm.Session, backend_id: int, *, wanted: bool, now: datetime) -> Sequence[str]:
    """List the networks whose objects may go: no instance of the backend has a port there.

    Where the operator does not want objects any more, those that nothing is under way in: see `in_use`.
    """
    query = sa.select(NetworkObject.network_id).where(
        NetworkObject.backend_id == backend_id,
        NetworkObject.state.in_((State.CONNECTED, State.ERROR)),
        NetworkObject.retry_at.is_(None) | (NetworkObject.retry_at < now),
        ~_users(backend_id, NetworkObject.network_id, moving=not wanted),
    )
    return session.scalars(query.order_by(NetworkObject.network_id)).all()


def in_use(session: orm.Session, backend_id: int, network_id: str, *, wanted: bool) -> bool:
    """Tell whether an instance of the backend has a port in a network; one with jobs, if objects are unwanted."""
    return bool(session.scalar(sa.select(_users(backend_id, sa.literal(network_id), moving=not wanted))))


def by_network(rows: Sequence[NetworkObject]) -> Mapping[str, NetworkObject]:
    return {row.network_id: row for row in rows}


def _users(
    backend_id: int, network_id: orm.InstrumentedAttribute[str] | sa.ColumnElement[str], *, moving: bool
) -> sa.Exists:
    query = (
        sa.select(Port.id)
        .join(Instance, Instance.id == Port.instance_id)
        .where(Port.network_id == network_id, Instance.backend_id == backend_id)
    )
    if moving:
        query = query.where(sa.exists().where(Job.instance_id == Instance.id, Job.finished_at.is_(None)))
    return query.exists()
