"""What projects' instances used within a period: from their launch to their end, by their size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from db import base
from db.instances import Instance


@dataclass(frozen=True)
class Total:
    """Sums over a project's instances, each multiplied by the seconds it was there."""

    project_id: str
    seconds: float = 0.0
    vcpus: float = 0.0
    #: MiB
    ram: float = 0.0
    #: GiB
    disk: float = 0.0


def totals(session: orm.Session, *, start: datetime, end: datetime, project_id: str | None = None) -> Sequence[Total]:
    """Sum up by project, in one statement; every project's if `project_id` is None."""
    seconds = _seconds(session, start=start, end=end)
    query = (
        sa.select(
            Instance.project_id,
            sa.func.sum(seconds),
            sa.func.sum(seconds * Instance.vcpus),
            sa.func.sum(seconds * Instance.ram),
            sa.func.sum(seconds * Instance.disk),
        )
        .where(*_within(start, end, project_id))
        .group_by(Instance.project_id)
        .order_by(Instance.project_id)
    )
    return [Total(project, *(float(amount) for amount in amounts)) for project, *amounts in session.execute(query)]


def instances(
    session: orm.Session, *, start: datetime, end: datetime, project_id: str | None = None
) -> Sequence[Instance]:
    """List the instances that were there in a period, oldest first."""
    query = sa.select(Instance).where(*_within(start, end, project_id))
    return session.scalars(query.order_by(Instance.launched_at, Instance.id)).all()


def _within(start: datetime, end: datetime, project_id: str | None) -> list[sa.ColumnElement[bool]]:
    found = [Instance.launched_at < end, Instance.deleted_at.is_(None) | (Instance.deleted_at > start)]
    return found if project_id is None else [*found, Instance.project_id == project_id]


# Any: an expression in SQL
def _seconds(session: orm.Session, *, start: datetime, end: datetime) -> sa.ColumnElement[Any]:
    """Give the length of the part of an instance's life that lies in the period."""
    first, last = sa.literal(start, base.UtcDateTime()), sa.literal(end, base.UtcDateTime())
    began = sa.case((Instance.launched_at > first, Instance.launched_at), else_=first)
    ended = sa.case((Instance.deleted_at < last, Instance.deleted_at), else_=last)
    if session.get_bind().dialect.name == "sqlite":
        return (sa.func.julianday(ended) - sa.func.julianday(began)) * 86400
    return sa.cast(sa.extract("epoch", ended) - sa.extract("epoch", began), sa.Double)
