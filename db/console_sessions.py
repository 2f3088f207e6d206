"""Who was at which server's console, from when to when: as the API has granted it, and as the proxies tell it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base, projects, users
from db.console_tokens import ConsoleLink
from db.instances import Instance, Task
from db.users import Role


class ConsoleSession(base.Base):
    __tablename__ = "console_sessions"
    __table_args__ = (
        sa.Index("ix_console_sessions_granted_at", "granted_at", "id"),
        sa.Index("ix_console_sessions_instance_id", "instance_id", "granted_at", "id"),
        sa.Index("ix_console_sessions_user_id", "user_id", "granted_at", "id"),
        sa.Index("ix_console_sessions_project_id", "project_id", "granted_at", "id"),
        base.partial_index("ix_console_sessions_open", "proxy", "id", where="ended_at IS NULL"),
    )

    #: the proxy's
    id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    #: host:port of its control channel
    proxy: Mapped[str] = mapped_column(sa.String(255))
    #: vnc or websocket
    kind: Mapped[str] = mapped_column(sa.String(16))
    #: rfb or serial
    protocol: Mapped[str] = mapped_column(sa.String(16))
    instance_id: Mapped[str] = mapped_column(sa.String(36))
    #: who was let in, or by whose link somebody came; None where only the proxy knew, and the link is forgotten
    user_id: Mapped[str | None] = mapped_column(sa.String(32))
    project_id: Mapped[str | None] = mapped_column(sa.String(32))
    roles_elsewhere: Mapped[bool] = mapped_column(default=False)
    link_id: Mapped[str | None] = mapped_column(sa.String(36))
    view_only: Mapped[bool]
    request_id: Mapped[str] = mapped_column(sa.String(255))
    #: the viewer's address
    viewer: Mapped[str | None] = mapped_column(sa.String(64))
    #: bytes to the viewer, and from it
    shown: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    typed: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    granted_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    #: why it has ended: the proxy's word, proxy_restarted, or forgotten
    reason: Mapped[str | None] = mapped_column(sa.String(32))


class ConsoleProxyCursor(base.Base):
    """How far a proxy's history has been read."""

    __tablename__ = "console_proxies"

    #: host:port of its control channel
    name: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    #: the process that told it
    boot: Mapped[str] = mapped_column(sa.String(64), default="")
    after: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    seen_at: Mapped[datetime]


@dataclass(frozen=True)
class Filter:
    """Which sessions are wanted; None leaves out a condition."""

    instance_id: str | None = None
    user_id: str | None = None
    project_id: str | None = None
    link_id: str | None = None
    #: whether it has not ended yet
    open: bool | None = None


def get(session: orm.Session, session_id: str) -> ConsoleSession | None:
    return session.get(ConsoleSession, session_id)


def several(session: orm.Session, ids: Collection[str]) -> Mapping[str, ConsoleSession]:
    """Give those sessions that there are, by id."""
    rows = session.scalars(sa.select(ConsoleSession).where(ConsoleSession.id.in_(ids)))
    return {row.id: row for row in rows}


def open_at(session: orm.Session, proxy: str, *, granted_before: datetime) -> Sequence[ConsoleSession]:
    """List the sessions at a proxy that are not known to have ended."""
    query = sa.select(ConsoleSession).where(
        ConsoleSession.proxy == proxy,
        ConsoleSession.ended_at.is_(None),
        ConsoleSession.granted_at < granted_before,
    )
    return session.scalars(query.order_by(ConsoleSession.id)).all()


def page(
    session: orm.Session, wanted: Filter, *, limit: int, after: ConsoleSession | None = None
) -> Sequence[ConsoleSession]:
    """List sessions, newest first, after one of them. One statement."""
    query = sa.select(ConsoleSession).where(*_conditions(wanted))
    if after is not None:
        query = query.where(
            base.before(ConsoleSession.granted_at, ConsoleSession.id, at=after.granted_at, last=after.id)
        )
    order = (ConsoleSession.granted_at.desc(), ConsoleSession.id.desc())
    return session.scalars(query.order_by(*order).limit(limit)).all()


def viewers(session: orm.Session, instance_id: str) -> int:
    """Count those who are at a server's screen now."""
    query = sa.select(sa.func.count()).where(
        ConsoleSession.instance_id == instance_id,
        ConsoleSession.protocol == "rfb",
        ConsoleSession.opened_at.is_not(None),
        ConsoleSession.ended_at.is_(None),
    )
    return session.scalar(query) or 0


def unjustified(session: orm.Session, now: datetime, *, enough: Collection[Role]) -> Sequence[tuple[str, str]]:
    """List (proxy, session id) of open sessions that nobody would be granted now.

    Their server is gone or going, their link revoked or expired, their user or project disabled or removed, or the
    user has none of the roles in the project that are enough; in a server of another project, `admin` alone is.
    """
    role = sa.select(users.Assignment.user_id).where(
        users.Assignment.user_id == ConsoleSession.user_id,
        users.Assignment.project_id == ConsoleSession.project_id,
        users.Assignment.role.in_(enough),
        (users.Assignment.role == Role.ADMIN) | (users.Assignment.project_id == Instance.project_id),
    )
    going = (Task.DELETING, Task.SOFT_DELETING, Task.SOFT_DELETED)
    query = (
        sa.select(ConsoleSession.proxy, ConsoleSession.id)
        .outerjoin(Instance, Instance.id == ConsoleSession.instance_id)
        .outerjoin(users.User, users.User.id == ConsoleSession.user_id)
        .outerjoin(projects.Project, projects.Project.id == ConsoleSession.project_id)
        .outerjoin(ConsoleLink, ConsoleLink.id == ConsoleSession.link_id)
        .where(
            ConsoleSession.ended_at.is_(None),
            sa.or_(
                Instance.id.is_(None),
                Instance.deleted_at.is_not(None),
                sa.and_(Instance.task.is_not(None), Instance.task.in_(going)),
                users.User.id.is_(None),
                ~users.User.enabled,
                projects.Project.id.is_(None),
                projects.Project.deleted_at.is_not(None),
                ~projects.Project.enabled,
                sa.and_(
                    ConsoleSession.link_id.is_not(None),
                    sa.or_(
                        ConsoleLink.id.is_(None), ConsoleLink.revoked_at.is_not(None), ConsoleLink.expires_at <= now
                    ),
                ),
                sa.and_(~ConsoleSession.roles_elsewhere, ~role.correlate(ConsoleSession, Instance).exists()),
            ),
        )
        .order_by(ConsoleSession.proxy, ConsoleSession.id)
    )
    return [(proxy, session_id) for proxy, session_id in session.execute(query)]


def cursor(session: orm.Session, proxy: str) -> ConsoleProxyCursor | None:
    return session.get(ConsoleProxyCursor, proxy)


def lock_cursor(session: orm.Session, proxy: str) -> ConsoleProxyCursor | None:
    """Get how far a proxy's history has been read, and hold it: what it tells is taken in by one at a time."""
    query = sa.select(ConsoleProxyCursor).where(ConsoleProxyCursor.name == proxy).with_for_update()
    return session.scalar(query.execution_options(populate_existing=True))


def purge(session: orm.Session, before: datetime) -> int:
    """Forget sessions that were granted before a time and have ended; give their number."""
    query = sa.delete(ConsoleSession).where(ConsoleSession.granted_at < before, ConsoleSession.ended_at.is_not(None))
    return int(session.execute(query).rowcount)  # type: ignore[attr-defined]  # a DELETE's result is a CursorResult


def _conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    for column, value in (
        (ConsoleSession.instance_id, wanted.instance_id),
        (ConsoleSession.user_id, wanted.user_id),
        (ConsoleSession.project_id, wanted.project_id),
        (ConsoleSession.link_id, wanted.link_id),
    ):
        if value is not None:
            found.append(column == value)
    if wanted.open is not None:
        found.append(ConsoleSession.ended_at.is_(None) if wanted.open else ConsoleSession.ended_at.is_not(None))
    return found
