"""Jobs: our intent to have Ganeti do something, and what became of it. They are also an instance's action log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from common.jobs import JobStatus, Opcode
from db import base

_OPEN = "finished_at IS NULL"
#: the actions of which there may be a lot at once, and which nobody waits for at the API
_LAST = ("firewall", "tell")
#: the error of a job that Ganeti has forgotten: it may have worked
LOST = "JobLost"
#: word for word as in the index, so that lists find it
_MOVES = "action IN ('evacuate', 'live-migration', 'migrate', 'resize')"
#: of an action of several jobs, the one that counts
_MOVING = (Opcode.MIGRATE, Opcode.FAILOVER, Opcode.SET_PARAMS)
#: jobs of unknown outcome that one claim takes
_RETRIES = 50


class Job(base.Base):
    __tablename__ = "jobs"
    __table_args__ = (
        sa.UniqueConstraint("cluster", "ganeti_id"),
        base.partial_index("ix_jobs_open", "backend_id", "id", where=_OPEN),
        base.partial_index("ix_jobs_moves", "id", where=_MOVES),
        sa.Index("ix_jobs_instance_id", "instance_id", "id"),
        sa.Index("ix_jobs_request_id", "request_id"),
    )

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    backend_id: Mapped[int] = mapped_column(sa.ForeignKey("backends.id"))
    #: the cluster's UUID and Ganeti's job id, once Ganeti has answered
    cluster: Mapped[str | None] = mapped_column(sa.String(36))
    ganeti_id: Mapped[int | None]
    instance_id: Mapped[str] = mapped_column(sa.ForeignKey("instances.id"))
    request_id: Mapped[str] = mapped_column(sa.String(40))
    user_id: Mapped[str | None] = mapped_column(sa.String(32))
    project_id: Mapped[str | None] = mapped_column(sa.String(32))
    #: what was asked: create, start, stop, reboot, delete, or `cleanup` for the remains of a failed create
    action: Mapped[str] = mapped_column(sa.String(32))
    opcode: Mapped[str] = mapped_column(sa.String(64))
    #: what the action needs beyond the instance's row, such as a reboot's type; never a secret
    spec: Mapped[dict[str, Any]] = mapped_column(default=dict)
    status: Mapped[JobStatus] = mapped_column(base.Word(JobStatus))
    #: calls made to RAPI for it; with one made and no answer kept, Ganeti is asked before another
    attempts: Mapped[int] = mapped_column(default=0)
    claimed_by: Mapped[str | None] = mapped_column(sa.String(64))
    claimed_until: Mapped[datetime | None]
    error_class: Mapped[str | None] = mapped_column(sa.String(64))
    error_code: Mapped[str | None] = mapped_column(sa.String(64))
    error_text: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
    #: when an event last moved it
    heard_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


@dataclass(frozen=True)
class MoveFilter:
    """Which moves a list shows; None means any."""

    #: (action, statuses) pairs
    conditions: Sequence[tuple[str, Sequence[JobStatus]]] | None = None
    instance_id: str | None = None
    #: the node that it left
    source: str | None = None
    #: the node that it left, or was to go to
    node: str | None = None


def get(session: orm.Session, job_id: int) -> Job | None:
    return session.get(Job, job_id)


def known_ids(session: orm.Session, cluster: str, ganeti_ids: Sequence[int], *, but: int) -> frozenset[int]:
    """Tell which of these Ganeti jobs are ours, as far as that was recorded, one job left out of account."""
    query = sa.select(Job.ganeti_id).where(Job.cluster == cluster, Job.ganeti_id.in_(ganeti_ids), Job.id != but)
    return frozenset(found for found in session.scalars(query) if found is not None)


def lock(session: orm.Session, job_id: int) -> Job | None:
    query = (
        sa.select(Job).where(Job.id == job_id).with_for_update(key_share=True).execution_options(populate_existing=True)
    )
    return session.scalar(query)


def by_ganeti_id(session: orm.Session, cluster: str, ganeti_id: int) -> Job | None:
    return session.scalar(sa.select(Job).where(Job.cluster == cluster, Job.ganeti_id == ganeti_id))


def unanswered(
    session: orm.Session,
    *,
    backend_id: int,
    request_id: str | None,
    instance_name: str | None,
    opcodes: Sequence[str],
) -> Job | None:
    """Find the job of a request that has no Ganeti id yet, by the instance and opcode that its event names.

    Without a request id (Ganeti keeps none of a reinstall), a job that was sent counts.
    """
    from db import instances  # noqa: PLC0415  # jobs and instances name each other

    query = (
        sa.select(Job)
        .join(instances.Instance, instances.Instance.id == Job.instance_id)
        .where(
            Job.backend_id == backend_id,
            Job.finished_at.is_(None),
            Job.ganeti_id.is_(None),
            Job.opcode.in_(opcodes),
        )
    )
    query = query.where(Job.request_id == request_id if request_id is not None else Job.attempts > 0)
    if instance_name is not None:
        query = query.where(instances.Instance.ganeti_name == instance_name)
    return session.scalar(query.order_by(Job.id).limit(1))


def of_instance(session: orm.Session, instance_id: str, *, limit: int = 1000, but: Sequence[str] = ()) -> Sequence[Job]:
    """List an instance's jobs, newest first, those of some actions left out."""
    query = sa.select(Job).where(Job.instance_id == instance_id, Job.action.not_in(but))
    return session.scalars(query.order_by(Job.id.desc()).limit(limit)).all()


def open_of_instance(session: orm.Session, instance_id: str) -> Sequence[Job]:
    """List an instance's unfinished jobs, oldest first."""
    query = sa.select(Job).where(Job.instance_id == instance_id, Job.finished_at.is_(None))
    return session.scalars(query.order_by(Job.id)).all()


def of_request(session: orm.Session, request_id: str) -> Sequence[Job]:
    return session.scalars(sa.select(Job).where(Job.request_id == request_id).order_by(Job.id)).all()


def page(
    session: orm.Session,
    *,
    limit: int,
    after: int | None = None,
    open_only: bool = False,
    backend_id: int | None = None,
) -> Sequence[Job]:
    """List jobs, newest first."""
    query = sa.select(Job)
    if open_only:
        query = query.where(Job.finished_at.is_(None))
    if backend_id is not None:
        query = query.where(Job.backend_id == backend_id)
    if after is not None:
        query = query.where(Job.id < after)
    return session.scalars(query.order_by(Job.id.desc()).limit(limit)).all()


def moves(session: orm.Session, wanted: MoveFilter, *, limit: int, after: int | None = None) -> Sequence[Job]:
    """List the jobs that moved or resized an instance, newest first."""
    query = sa.select(Job).where(sa.text(_MOVES), Job.opcode.in_(_MOVING))
    source, target = Job.spec["from"].as_string(), Job.spec["to"].as_string()
    if wanted.conditions is not None:
        pairs = ((Job.action == action) & Job.status.in_(statuses) for action, statuses in wanted.conditions)
        query = query.where(sa.or_(sa.false(), *pairs))
    if wanted.instance_id is not None:
        query = query.where(Job.instance_id == wanted.instance_id)
    if wanted.source is not None:
        query = query.where(source == wanted.source)
    if wanted.node is not None:
        query = query.where((source == wanted.node) | (target == wanted.node))
    if after is not None:
        query = query.where(Job.id < after)
    return session.scalars(query.order_by(Job.id.desc()).limit(limit)).all()


def claim(
    session: orm.Session, *, backend_id: int, by: str, now: datetime, until: datetime, fresh: int
) -> Sequence[Job]:
    """Take jobs that are to be submitted, oldest first: up to `fresh` new ones, and any whose claim has run out.

    What nobody waits for comes last.
    A job whose claim has run out is in flight already, so far as anybody knows: it needs no free slot.
    An instance's jobs go one at a time, in order: one is eligible only when none before it is unfinished.
    The backend's row is held.
    """
    claimed = [
        *session.scalars(_claimable(backend_id, now).where(Job.attempts > 0).limit(_RETRIES)),
        *session.scalars(_claimable(backend_id, now).where(Job.attempts == 0).limit(fresh)),
    ]
    for job in claimed:
        job.claimed_by = by
        job.claimed_until = until
    return claimed


def in_flight(session: orm.Session, backend_id: int) -> int:
    """Count a backend's jobs that Ganeti has, or may have, under way."""
    query = sa.select(sa.func.count()).where(
        Job.backend_id == backend_id,
        Job.finished_at.is_(None),
        (Job.status != JobStatus.SUBMITTING) | (Job.attempts > 0),
    )
    return session.scalar(query) or 0


def in_flight_by_backend(session: orm.Session) -> Mapping[int, int]:
    """Count unfinished jobs by backend."""
    query = sa.select(Job.backend_id, sa.func.count()).where(Job.finished_at.is_(None)).group_by(Job.backend_id)
    return dict(session.execute(query).all())


def silent(session: orm.Session, *, backend_id: int, since: datetime, limit: int) -> Sequence[tuple[int, int]]:
    """List (id, Ganeti id) of submitted jobs that nothing was heard of since a time."""
    query = (
        sa.select(Job.id, Job.ganeti_id)
        .where(
            Job.backend_id == backend_id,
            Job.finished_at.is_(None),
            Job.ganeti_id.is_not(None),
            sa.func.coalesce(Job.heard_at, Job.submitted_at) < since,
        )
        .order_by(Job.id)
        .limit(limit)
    )
    return [(job_id, ganeti_id) for job_id, ganeti_id in session.execute(query) if ganeti_id is not None]


def instances_with_open(session: orm.Session, backend_id: int) -> frozenset[str]:
    """Name the instances that have unfinished jobs."""
    query = sa.select(Job.instance_id).where(Job.backend_id == backend_id, Job.finished_at.is_(None))
    return frozenset(session.scalars(query))


def _claimable(backend_id: int, now: datetime) -> sa.Select[Job]:
    earlier = orm.aliased(Job)
    waits = (
        sa.select(earlier.id)
        .where(earlier.instance_id == Job.instance_id, earlier.id < Job.id, earlier.finished_at.is_(None))
        .exists()
    )
    return (
        sa.select(Job)
        .where(
            Job.backend_id == backend_id,
            Job.finished_at.is_(None),
            Job.status == JobStatus.SUBMITTING,
            Job.claimed_until.is_(None) | (Job.claimed_until < now),
            ~waits,
        )
        # what somebody waits for goes first
        .order_by(Job.action.in_(_LAST), Job.id)
        .with_for_update(skip_locked=True, of=Job, key_share=True)
    )
