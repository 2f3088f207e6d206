"""Users, their roles in projects, and their application credentials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base, projects


class Role(StrEnum):
    """What a user may do in a project."""

    #: everything, in every project
    ADMIN = "admin"
    #: change what the project owns
    MEMBER = "member"
    #: look at what the project owns
    READER = "reader"


class User(base.Base):
    __tablename__ = "users"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(64), unique=True)
    email: Mapped[str | None] = mapped_column(sa.String(255))
    #: argon2; None: this user can't log in by password
    password_hash: Mapped[str | None] = mapped_column(sa.String(255))
    enabled: Mapped[bool] = mapped_column(default=True)
    default_project_id: Mapped[str | None] = mapped_column(sa.ForeignKey("projects.id", ondelete="SET NULL"))
    description: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[datetime]


class Assignment(base.Base):
    __tablename__ = "assignments"

    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[str] = mapped_column(
        sa.ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[Role] = mapped_column(base.Word(Role), primary_key=True)


class ApplicationCredential(base.Base):
    __tablename__ = "application_credentials"
    __table_args__ = (sa.UniqueConstraint("user_id", "name"),)

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(255))
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(sa.ForeignKey("projects.id", ondelete="CASCADE"))
    secret_hash: Mapped[str] = mapped_column(sa.String(255))
    roles: Mapped[list[str]]
    description: Mapped[str] = mapped_column(sa.Text, default="")
    unrestricted: Mapped[bool] = mapped_column(default=False)
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


@dataclass(frozen=True)
class Filter:
    """Which users are wanted; None leaves out a condition."""

    name: str | None = None
    enabled: bool | None = None
    email: str | None = None


@dataclass(frozen=True)
class Held:
    """A role that a user has in a project."""

    user_id: str
    user_name: str
    project_id: str
    project_name: str
    role: Role


def get(session: orm.Session, user_id: str) -> User | None:
    return session.get(User, user_id)


def by_name(session: orm.Session, name: str) -> User | None:
    return session.scalar(sa.select(User).where(User.name == name))


def all_users(session: orm.Session) -> Sequence[User]:
    return session.scalars(sa.select(User).order_by(User.name)).all()


def page(session: orm.Session, wanted: Filter, *, limit: int, after: User | None = None) -> Sequence[User]:
    """List users by name, those after one of them."""
    query = sa.select(User)
    if wanted.name is not None:
        query = query.where(User.name == wanted.name)
    if wanted.enabled is not None:
        query = query.where(User.enabled == wanted.enabled)
    if wanted.email is not None:
        query = query.where(User.email == wanted.email)
    if after is not None:
        query = query.where(User.name > after.name)
    return session.scalars(query.order_by(User.name).limit(limit)).all()


def lock_admins(session: orm.Session) -> int:
    """Count the ways by which somebody can be an admin now, and hold them until the transaction ends."""
    query = (
        sa.select(Assignment.user_id, Assignment.project_id)
        .join(User, User.id == Assignment.user_id)
        .join(projects.Project, projects.Project.id == Assignment.project_id)
        .where(Assignment.role == Role.ADMIN, User.enabled, projects.Project.enabled)
        .order_by(Assignment.user_id, Assignment.project_id)
    )
    return len(session.execute(query.with_for_update(key_share=True)).all())


def roles_in(session: orm.Session, user_id: str, project_id: str) -> list[Role]:
    """List the user's roles in one project."""
    query = sa.select(Assignment.role).where(Assignment.user_id == user_id, Assignment.project_id == project_id)
    return list(session.scalars(query.order_by(Assignment.role)))


def projects_of(session: orm.Session, user_id: str) -> Sequence[projects.Project]:
    """List the enabled projects in which the user has a role."""
    member = sa.select(Assignment.project_id).where(Assignment.user_id == user_id)
    query = sa.select(projects.Project).where(projects.Project.id.in_(member), projects.Project.enabled)
    return session.scalars(query.order_by(projects.Project.name)).all()


def all_assignments(session: orm.Session) -> Sequence[tuple[str, str, Role]]:
    """List every (user id, project id, role)."""
    rows = session.execute(sa.select(Assignment.user_id, Assignment.project_id, Assignment.role))
    return [(user_id, project_id, role) for user_id, project_id, role in rows]


def held(
    session: orm.Session, *, user_id: str | None = None, project_id: str | None = None, role: Role | None = None
) -> Sequence[Held]:
    """List who has which role where; None leaves out a condition."""
    query = (
        sa.select(User.id, User.name, projects.Project.id, projects.Project.name, Assignment.role)
        .join(User, User.id == Assignment.user_id)
        .join(projects.Project, projects.Project.id == Assignment.project_id)
    )
    if user_id is not None:
        query = query.where(Assignment.user_id == user_id)
    if project_id is not None:
        query = query.where(Assignment.project_id == project_id)
    if role is not None:
        query = query.where(Assignment.role == role)
    rows = session.execute(query.order_by(User.name, projects.Project.name, Assignment.role))
    return [Held(*row) for row in rows]


def forget_project(session: orm.Session, project_id: str) -> None:
    """Remove everybody's roles and application credentials in a project; their tokens go along."""
    session.execute(sa.delete(Assignment).where(Assignment.project_id == project_id))
    session.execute(sa.delete(ApplicationCredential).where(ApplicationCredential.project_id == project_id))
    ours = sa.update(User).where(User.default_project_id == project_id)
    session.execute(ours.values(default_project_id=None))


def credential(session: orm.Session, credential_id: str) -> ApplicationCredential | None:
    return session.get(ApplicationCredential, credential_id)


def credential_by_name(session: orm.Session, user_id: str, name: str) -> ApplicationCredential | None:
    query = sa.select(ApplicationCredential).where(
        ApplicationCredential.user_id == user_id, ApplicationCredential.name == name
    )
    return session.scalar(query)


def credentials_of(session: orm.Session, user_id: str) -> Sequence[ApplicationCredential]:
    query = sa.select(ApplicationCredential).where(ApplicationCredential.user_id == user_id)
    return session.scalars(query.order_by(ApplicationCredential.name)).all()
