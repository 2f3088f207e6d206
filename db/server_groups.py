"""Server groups: instances that are to share a node, or not to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base
from db.instances import Instance


class Policy(StrEnum):
    """What a group asks for; the soft ones are wishes."""

    AFFINITY = "affinity"
    ANTI_AFFINITY = "anti-affinity"
    SOFT_AFFINITY = "soft-affinity"
    SOFT_ANTI_AFFINITY = "soft-anti-affinity"


class ServerGroup(base.Base):
    __tablename__ = "server_groups"
    __table_args__ = (sa.Index("ix_server_groups_project_id", "project_id", "created_at", "id"),)

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(255))
    project_id: Mapped[str] = mapped_column(sa.ForeignKey("projects.id", ondelete="CASCADE"))
    policy: Mapped[Policy] = mapped_column(base.Word(Policy))
    created_at: Mapped[datetime]


class Member(base.Base):
    """An instance that was created into a group."""

    __tablename__ = "server_group_members"

    instance_id: Mapped[str] = mapped_column(sa.ForeignKey("instances.id", ondelete="CASCADE"), primary_key=True)
    group_id: Mapped[str] = mapped_column(sa.ForeignKey("server_groups.id", ondelete="CASCADE"), index=True)


class Pin(base.Base):
    """The node that an instance was created for: where it is until Ganeti says otherwise."""

    __tablename__ = "instance_pins"

    instance_id: Mapped[str] = mapped_column(sa.ForeignKey("instances.id", ondelete="CASCADE"), primary_key=True)
    node: Mapped[str] = mapped_column(sa.String(255))


#: (backend, node)
Place = tuple[int, str]


def get(session: orm.Session, group_id: str) -> ServerGroup | None:
    return session.get(ServerGroup, group_id)


def lock(session: orm.Session, group_id: str) -> ServerGroup | None:
    """Get a group and hold it: creates into it choose their nodes one after the other."""
    query = sa.select(ServerGroup).where(ServerGroup.id == group_id).with_for_update(key_share=True)
    return session.scalar(query.execution_options(populate_existing=True))


def count(session: orm.Session, project_id: str) -> int:
    query = sa.select(sa.func.count()).where(ServerGroup.project_id == project_id)
    return session.scalar(query) or 0


def page(session: orm.Session, *, project_id: str | None, limit: int, offset: int = 0) -> Sequence[ServerGroup]:
    """List groups, oldest first; every project's if `project_id` is None."""
    query = sa.select(ServerGroup)
    if project_id is not None:
        query = query.where(ServerGroup.project_id == project_id)
    query = query.order_by(ServerGroup.created_at, ServerGroup.id).limit(limit).offset(offset)
    return session.scalars(query).all()


def members(session: orm.Session, group_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """List the ids of the live instances in groups, by group."""
    query = (
        sa.select(Member.group_id, Member.instance_id)
        .join(Instance, Instance.id == Member.instance_id)
        .where(Member.group_id.in_(group_ids), Instance.deleted_at.is_(None))
        .order_by(Instance.created_at, Instance.id)
    )
    found: dict[str, list[str]] = {}
    for group_id, instance_id in session.execute(query):
        found.setdefault(group_id, []).append(instance_id)
    return found


def places(session: orm.Session, instance_ids: Sequence[str]) -> Mapping[str, Place | None]:
    """Tell where instances are, or will be; None for one whose node nobody knows yet."""
    query = (
        sa.select(Instance.id, Instance.backend_id, sa.func.coalesce(Instance.node, Pin.node))
        .outerjoin(Pin, Pin.instance_id == Instance.id)
        .where(Instance.id.in_(instance_ids))
    )
    return {
        instance_id: None if node is None else (backend_id, node)
        for instance_id, backend_id, node in session.execute(query)
    }
