"""Instances: what was asked for, the last confirmed fact, and the pending action."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import backends, base, ports, sorting, tags
from db.ports import AddressFilter
from db.sorting import Order


class State(StrEnum):
    """The last condition that Ganeti confirmed."""

    #: asked for, not yet confirmed to exist
    BUILDING = "building"
    ACTIVE = "active"
    STOPPED = "stopped"
    #: its creation failed, or it is gone from the cluster without our doing
    ERROR = "error"
    #: we cannot see it: its node is down or offline
    UNKNOWN = "unknown"
    DELETED = "deleted"


class Task(StrEnum):
    """The action that is under way."""

    CREATING = "creating"
    STARTING = "starting"
    STOPPING = "stopping"
    REBOOTING = "rebooting"
    REBOOTING_HARD = "rebooting-hard"
    DELETING = "deleting"
    RESIZING = "resizing"
    #: resized, and waiting for its owner to confirm or revert that
    RESIZED = "resized"
    REVERTING = "reverting"
    REBUILDING = "rebuilding"
    MIGRATING = "migrating"
    #: its disk is being copied into an image
    IMAGING = "imaging"
    RESCUING = "rescuing"
    #: booted from the rescue system, until its owner is done there
    RESCUED = "rescued"
    UNRESCUING = "unrescuing"
    SOFT_DELETING = "soft-deleting"
    #: deleted and stopped, and waiting to be removed, unless it is restored before
    SOFT_DELETED = "soft-deleted"
    RESTORING = "restoring"
    #: it is given an interface, or one is taken from it
    ATTACHING = "attaching"
    DETACHING = "detaching"


#: tasks during which nothing is under way in the cluster
AT_REST = (None, Task.RESIZED, Task.RESCUED, Task.SOFT_DELETED)


class Instance(base.Base):
    __tablename__ = "instances"
    __table_args__ = (
        base.partial_index("ix_instances_live", "project_id", "created_at", "id", where="deleted_at IS NULL"),
        # A condition of its own: a project's list does not imply it, so the planner cannot read everybody's servers
        # for one project's.
        base.partial_index("ix_instances_live_all", "created_at", "id", where="state <> 'deleted'"),
        sa.Index("ix_instances_changed", "project_id", "updated_at"),
        base.partial_index("ix_instances_deleted", "project_id", "created_at", "id", where="deleted_at IS NOT NULL"),
        base.partial_index("ix_instances_look", "backend_id", where="look_wanted"),
        base.partial_index("ix_instances_soft_deleted_at", "soft_deleted_at", where="soft_deleted_at IS NOT NULL"),
        base.partial_index("ix_instances_backend", "backend_id", "id", where="deleted_at IS NULL"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    #: the tenant's own words, any Unicode; Ganeti never hears them
    name: Mapped[str] = mapped_column(sa.String(255))
    description: Mapped[str | None] = mapped_column(sa.String(255))
    project_id: Mapped[str] = mapped_column(sa.ForeignKey("projects.id"))
    user_id: Mapped[str] = mapped_column(sa.String(32))
    backend_id: Mapped[int] = mapped_column(sa.ForeignKey("backends.id"))
    #: Ganeti's name
    ganeti_name: Mapped[str] = mapped_column(sa.String(64), index=True)
    flavor_id: Mapped[str] = mapped_column(sa.ForeignKey("flavors.id"))
    flavor_name: Mapped[str] = mapped_column(sa.String(255))
    vcpus: Mapped[int]
    #: MiB
    ram: Mapped[int]
    #: GiB
    disk: Mapped[int]
    image_id: Mapped[str | None] = mapped_column(sa.ForeignKey("images.id"))
    key_name: Mapped[str | None] = mapped_column(sa.String(255))
    #: `metadata` belongs to the declarative base
    meta: Mapped[dict[str, str]] = mapped_column("metadata", default=dict)
    access_ipv4: Mapped[str] = mapped_column(sa.String(15), default="")
    access_ipv6: Mapped[str] = mapped_column(sa.String(45), default="")
    reservation_id: Mapped[str] = mapped_column(sa.String(36))
    state: Mapped[State] = mapped_column(base.Word(State))
    task: Mapped[Task | None] = mapped_column(base.Word(Task))
    #: our job that ends the task
    task_job_id: Mapped[int | None]
    #: percent of the deployment under way, as the node reports it; it moves without `updated_at`
    progress: Mapped[int | None]
    fault_code: Mapped[int | None]
    fault_message: Mapped[str | None] = mapped_column(sa.Text)
    fault_at: Mapped[datetime | None]
    #: primary node
    node: Mapped[str | None] = mapped_column(sa.String(255))
    #: VNC's TCP port on the node
    console_port: Mapped[int | None]
    #: NICs as Ganeti shows them: index, mac, ip, mode, link, network, uuid, name
    nics: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    #: quota is counted for it, in these amounts: during a resize, for the larger of both sizes
    charged: Mapped[bool] = mapped_column(default=True)
    charged_vcpus: Mapped[int] = mapped_column(default=0)
    charged_ram: Mapped[int] = mapped_column(default=0)
    #: only admins may act on it
    locked: Mapped[bool] = mapped_column(default=False)
    #: the size that a resize under way leads to: flavor_id, flavor_name, vcpus, ram, disk
    resizing_to: Mapped[dict[str, Any] | None] = mapped_column(base.Json)
    #: the size before a resize that waits to be confirmed
    resized_from: Mapped[dict[str, Any] | None] = mapped_column(base.Json)
    resized_at: Mapped[datetime | None]
    #: since when it is set to boot from the rescue system
    rescued_at: Mapped[datetime | None]
    #: since when it rests deleted, and can be restored
    soft_deleted_at: Mapped[datetime | None]
    #: Ganeti has it; None: we do not know
    present: Mapped[bool | None]
    #: Ganeti is to be asked for its node and NICs once more
    look_wanted: Mapped[bool] = mapped_column(default=False)
    #: the job whose effect is the last one applied: an older one changes nothing
    fact_at: Mapped[datetime | None]
    fact_job: Mapped[int] = mapped_column(default=0)
    #: the reconciler did not find it in Ganeti, first at this time
    missing_since: Mapped[datetime | None]
    launched_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


#: as its index says it, and no bound value: a prepared statement's plan has to see that they are the same
_LIVE_OF_ALL = Instance.state != sa.literal_column(f"'{State.DELETED}'")


@dataclass(frozen=True)
class Filter:
    """Which instances a list shows; None means any."""

    project_id: str | None
    name: str | None = None
    #: (state, task) pairs, task `...` meaning any; the API's statuses come as these
    conditions: Sequence[tuple[State, Sequence[Task | None] | None]] | None = None
    flavor_id: str | None = None
    image_id: str | None = None
    changes_since: datetime | None = None
    deleted: bool = False
    #: those that can still be restored, too
    soft_deleted: bool = True
    ids: Sequence[str] | None = None
    user_id: str | None = None
    reservation_id: str | None = None
    host: str | None = None
    backend_id: int | None = None
    key_name: str | None = None
    locked: bool | None = None
    #: has an address of each of these
    addresses: Sequence[AddressFilter] = ()
    #: has all of these, one of these, not all of these, none of these; empty means any
    tags: Sequence[str] = ()
    tags_any: Sequence[str] = ()
    not_tags: Sequence[str] = ()
    not_tags_any: Sequence[str] = ()


def get(session: orm.Session, instance_id: str) -> Instance | None:
    return session.get(Instance, instance_id)


def lock(session: orm.Session, instance_id: str) -> Instance | None:
    """Get an instance and hold it until the transaction ends. Lock order: backend, instance, job, quota."""
    query = sa.select(Instance).where(Instance.id == instance_id).with_for_update(key_share=True)
    return session.scalar(query.execution_options(populate_existing=True))


def lock_by_name(session: orm.Session, backend_id: int, ganeti_name: str) -> Instance | None:
    """Get a live or deleted instance by Ganeti's name and hold it."""
    query = sa.select(Instance).where(Instance.ganeti_name == ganeti_name, Instance.backend_id == backend_id)
    return session.scalar(query.with_for_update(key_share=True).execution_options(populate_existing=True))


def page(
    session: orm.Session,
    wanted: Filter,
    *,
    limit: int,
    orders: Sequence[Order] = (),
    after: Instance | None = None,
) -> Sequence[Instance]:
    """List instances, newest first unless told otherwise, up to `limit`, after a given one."""
    total = sorting.complete(orders or (Order(Instance.created_at, descending=True),), Instance.id)
    query = sorting.arranged(_where(sa.select(Instance), wanted), total, after=after)
    return session.scalars(query.limit(limit)).all()


def of_backend(session: orm.Session, backend_id: int, *, after: str, limit: int) -> Sequence[Instance]:
    """List a backend's live instances by id, for the reconciler."""
    query = sa.select(Instance).where(
        Instance.backend_id == backend_id, Instance.deleted_at.is_(None), Instance.id > after
    )
    return session.scalars(query.order_by(Instance.id).limit(limit)).all()


def wanting_look(session: orm.Session, backend_id: int, limit: int) -> Sequence[tuple[str, str, datetime]]:
    """List (id, Ganeti name, last change) of what Ganeti is to be asked about; a pending action is waited for."""
    query = sa.select(Instance.id, Instance.ganeti_name, Instance.updated_at).where(
        Instance.backend_id == backend_id,
        Instance.look_wanted,
        Instance.task.is_(None) | Instance.task.in_([task for task in AT_REST if task is not None]),
    )
    return [(instance_id, name, changed) for instance_id, name, changed in session.execute(query.limit(limit))]


def resized_before(session: orm.Session, before: datetime, limit: int) -> Sequence[str]:
    """List instances whose resize has waited to be confirmed since before a time."""
    query = sa.select(Instance.id).where(
        Instance.task == Task.RESIZED, Instance.resized_at < before, Instance.deleted_at.is_(None)
    )
    return session.scalars(query.limit(limit)).all()


def soft_deleted_before(session: orm.Session, before: datetime, limit: int) -> Sequence[str]:
    """List instances that have rested deleted since before a time, the longest first."""
    query = sa.select(Instance.id).where(
        Instance.soft_deleted_at < before, Instance.task == Task.SOFT_DELETED, Instance.deleted_at.is_(None)
    )
    return session.scalars(query.order_by(Instance.soft_deleted_at).limit(limit)).all()


def wanting_cleanup(session: orm.Session, backend_id: int, *, before: datetime, limit: int) -> Sequence[str]:
    """List failed creates that may still have something in the cluster, untouched since a time."""
    query = sa.select(Instance.id).where(
        Instance.backend_id == backend_id,
        Instance.state == State.ERROR,
        Instance.deleted_at.is_(None),
        Instance.launched_at.is_(None),
        Instance.task.is_(None),
        Instance.present.is_(None),
        Instance.updated_at < before,
    )
    return session.scalars(query.limit(limit)).all()


def recorded_among(session: orm.Session, backend_id: int, ganeti_names: Sequence[str]) -> Mapping[str, bool]:
    """Tell which of these names the database has, and whether as deleted."""
    query = sa.select(Instance.ganeti_name, Instance.deleted_at.is_not(None)).where(
        Instance.backend_id == backend_id, Instance.ganeti_name.in_(ganeti_names)
    )
    return {name: bool(deleted) for name, deleted in session.execute(query)}


def any_of_backend(session: orm.Session, backend_id: int) -> bool:
    """Tell whether a backend has, or ever had, an instance."""
    return session.scalar(sa.select(Instance.id).where(Instance.backend_id == backend_id).limit(1)) is not None


def counts_by_backend(session: orm.Session) -> Mapping[int, int]:
    """Count live instances by backend."""
    query = sa.select(Instance.backend_id, sa.func.count()).where(Instance.deleted_at.is_(None))
    return dict(session.execute(query.group_by(Instance.backend_id)).all())


def promised(session: orm.Session) -> Mapping[int, tuple[int, int]]:
    """Sum (MiB of memory, MiB of disk) that the backends' own figures do not show yet: made since, or being made."""
    unseen = (Instance.state == State.BUILDING) | (Instance.created_at > backends.Backend.refreshed_at)
    query = (
        sa.select(Instance.backend_id, sa.func.sum(Instance.ram), sa.func.sum(Instance.disk))
        .join(backends.Backend, backends.Backend.id == Instance.backend_id)
        .where(Instance.deleted_at.is_(None), unseen)
    )
    rows = session.execute(query.group_by(Instance.backend_id))
    return {backend_id: (int(ram), int(disk) * 1024) for backend_id, ram, disk in rows}


def charges(session: orm.Session) -> Mapping[str, tuple[int, int, int]]:
    """Sum (instances, cores, ram) that are charged, by project: what the quota usages must equal."""
    query = sa.select(
        Instance.project_id, sa.func.count(), sa.func.sum(Instance.charged_vcpus), sa.func.sum(Instance.charged_ram)
    ).where(Instance.charged)
    rows = session.execute(query.group_by(Instance.project_id))
    return {project_id: (count, int(cores), int(ram)) for project_id, count, cores, ram in rows}


def _where(query: sa.Select[Instance], wanted: Filter) -> sa.Select[Instance]:
    if wanted.changes_since is not None:
        query = query.where(Instance.updated_at >= wanted.changes_since)
    elif wanted.deleted:
        query = query.where(Instance.deleted_at.is_not(None))
    else:
        live = _LIVE_OF_ALL if wanted.project_id is None else Instance.deleted_at.is_(None)
        query = query.where(live)
        if not wanted.soft_deleted:
            query = query.where(Instance.soft_deleted_at.is_(None))
    exact: dict[orm.InstrumentedAttribute[Any], object] = {
        Instance.project_id: wanted.project_id,
        Instance.flavor_id: wanted.flavor_id,
        Instance.image_id: wanted.image_id,
        Instance.user_id: wanted.user_id,
        Instance.reservation_id: wanted.reservation_id,
        Instance.node: wanted.host,
        Instance.backend_id: wanted.backend_id,
        Instance.key_name: wanted.key_name,
        Instance.locked: wanted.locked,
    }
    for column, value in exact.items():
        if value is not None:
            query = query.where(column == value)
    if wanted.name is not None:
        query = query.where(Instance.name.regexp_match(wanted.name))
    if wanted.ids is not None:
        query = query.where(Instance.id.in_(wanted.ids))
    for each in wanted.addresses:
        query = query.where(Instance.id.in_(ports.with_address(each, wanted.project_id)))
    query = query.where(*_tagged(wanted))
    if wanted.conditions is not None:
        query = query.where(sa.or_(sa.false(), *(_condition(*pair) for pair in wanted.conditions)))
    return query


def _tagged(wanted: Filter) -> Iterator[sa.ColumnElement[bool]]:
    if wanted.tags:
        yield tags.has_all(Instance.id, wanted.tags)
    if wanted.tags_any:
        yield tags.has_any(Instance.id, wanted.tags_any)
    if wanted.not_tags:
        yield ~tags.has_all(Instance.id, wanted.not_tags)
    if wanted.not_tags_any:
        yield ~tags.has_any(Instance.id, wanted.not_tags_any)


def _condition(state: State, tasks: Sequence[Task | None] | None) -> sa.ColumnElement[bool]:
    if tasks is None:
        return Instance.state == state
    some = [task for task in tasks if task is not None]
    choices: list[sa.ColumnElement[bool]] = [Instance.task.in_(some)] if some else []
    if None in tasks:
        choices.append(Instance.task.is_(None))
    return (Instance.state == state) & sa.or_(*choices)
