"""Quotas: each project's limits, and what it uses."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base, projects


class Resource(StrEnum):
    """What is counted."""

    INSTANCES = "instances"
    CORES = "cores"
    #: MiB
    RAM = "ram"
    #: that are the project's own
    NETWORKS = "networks"
    FLOATING_IPS = "floating_ips"
    PORTS = "ports"
    #: that are the project's own, its default one among them
    SECURITY_GROUPS = "security_groups"
    #: of all these groups
    SECURITY_GROUP_RULES = "security_group_rules"


class Limit(base.Base):
    """A project's own limit; without one the installation's default counts. -1 means no limit."""

    __tablename__ = "quota_limits"

    project_id: Mapped[str] = mapped_column(sa.ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    resource: Mapped[Resource] = mapped_column(base.Word(Resource), primary_key=True)
    value: Mapped[int]


class Usage(base.Base):
    """What a project uses, counted in the transaction that creates or ends it."""

    __tablename__ = "quota_usages"
    __table_args__ = (sa.CheckConstraint("used >= 0", name="used"),)

    project_id: Mapped[str] = mapped_column(sa.ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    resource: Mapped[Resource] = mapped_column(base.Word(Resource), primary_key=True)
    used: Mapped[int] = mapped_column(sa.BigInteger)


def limits(session: orm.Session, project_id: str) -> Mapping[Resource, int]:
    query = sa.select(Limit.resource, Limit.value).where(Limit.project_id == project_id)
    return dict(session.execute(query).all())


def usages(session: orm.Session, project_id: str) -> Mapping[Resource, int]:
    query = sa.select(Usage.resource, Usage.used).where(Usage.project_id == project_id)
    return dict(session.execute(query).all())


def lock_usages(session: orm.Session, project_id: str) -> Mapping[Resource, Usage]:
    """Get the project's usage rows, made where missing, and hold them until the transaction ends."""
    found = _locked(session, project_id)
    if len(found) < len(Resource):
        # The project's row is the gate: two first creates at once must not both insert.
        session.execute(
            sa.select(projects.Project.id).where(projects.Project.id == project_id).with_for_update(key_share=True)
        )
        found = _locked(session, project_id)
        for resource in Resource:
            if resource not in found:
                session.add(Usage(project_id=project_id, resource=resource, used=0))
        session.flush()
        found = _locked(session, project_id)
    return found


def lower(session: orm.Session, *, project_id: str, resource: Resource, amount: int) -> None:
    """Count less of a resource, and hold its row until the transaction ends. One statement."""
    less = sa.case((Usage.used > amount, Usage.used - amount), else_=0)
    statement = sa.update(Usage).where(Usage.project_id == project_id, Usage.resource == resource).values(used=less)
    session.execute(statement.execution_options(synchronize_session=False))


def all_usages(session: orm.Session) -> Sequence[Usage]:
    return session.scalars(sa.select(Usage).order_by(Usage.project_id, Usage.resource)).all()


def set_limit(session: orm.Session, *, project_id: str, resource: Resource, value: int) -> None:
    """Set one limit, or change it."""
    limit = session.get(Limit, (project_id, resource))
    if limit is None:
        session.add(Limit(project_id=project_id, resource=resource, value=value))
    else:
        limit.value = value


def clear_limits(session: orm.Session, project_id: str, resources: Collection[Resource]) -> None:
    session.execute(sa.delete(Limit).where(Limit.project_id == project_id, Limit.resource.in_(resources)))


def _locked(session: orm.Session, project_id: str) -> dict[Resource, Usage]:
    query = (
        sa.select(Usage).where(Usage.project_id == project_id).order_by(Usage.resource).with_for_update(key_share=True)
    )
    rows = session.scalars(query.execution_options(populate_existing=True))
    return {usage.resource: usage for usage in rows}
