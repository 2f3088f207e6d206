"""Projects: who owns instances and pays for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base


class Project(base.Base):
    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(64), unique=True)
    description: Mapped[str] = mapped_column(sa.Text, default="")
    enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    #: the row of a deleted project stays for the history of its servers, by another name
    deleted_at: Mapped[datetime | None]


@dataclass(frozen=True)
class Filter:
    """Which projects are wanted; None leaves out a condition."""

    name: str | None = None
    enabled: bool | None = None


def get(session: orm.Session, project_id: str) -> Project | None:
    """Find a project that is not deleted."""
    row = session.get(Project, project_id)
    return row if row is not None and row.deleted_at is None else None


def by_name(session: orm.Session, name: str) -> Project | None:
    return session.scalar(sa.select(Project).where(Project.name == name, Project.deleted_at.is_(None)))


def all_projects(session: orm.Session) -> Sequence[Project]:
    return session.scalars(sa.select(Project).where(Project.deleted_at.is_(None)).order_by(Project.name)).all()


def page(session: orm.Session, wanted: Filter, *, limit: int, after: Project | None = None) -> Sequence[Project]:
    """List projects by name, those after one of them."""
    query = sa.select(Project).where(Project.deleted_at.is_(None))
    if wanted.name is not None:
        query = query.where(Project.name == wanted.name)
    if wanted.enabled is not None:
        query = query.where(Project.enabled == wanted.enabled)
    if after is not None:
        query = query.where(Project.name > after.name)
    return session.scalars(query.order_by(Project.name).limit(limit)).all()
