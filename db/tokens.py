"""Tokens, by the digest of their text: a stolen database opens no door."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base, projects, users


class Token(base.Base):
    __tablename__ = "tokens"

    #: SHA-256 of the token's text, in hex
    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    audit_id: Mapped[str] = mapped_column(sa.String(32))
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    #: None for an unscoped token
    project_id: Mapped[str | None] = mapped_column(sa.ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("application_credentials.id", ondelete="CASCADE"), index=True
    )
    methods: Mapped[list[str]]
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(base.UtcDateTime, index=True)
    revoked_at: Mapped[datetime | None]


@dataclass(frozen=True)
class Bearer:
    """A live token with everything about its holder, as of now."""

    token: Token
    user: users.User
    project: projects.Project | None
    roles: tuple[users.Role, ...]
    credential: users.ApplicationCredential | None


def bearer(session: orm.Session, digest: str) -> Bearer | None:
    """Find a token with its user, project, credential and current roles, in one statement. Says nothing of expiry."""
    query = (
        sa.select(Token, users.User, projects.Project, users.ApplicationCredential, users.Assignment.role)
        .join(users.User, users.User.id == Token.user_id)
        .outerjoin(projects.Project, projects.Project.id == Token.project_id)
        .outerjoin(users.ApplicationCredential, users.ApplicationCredential.id == Token.credential_id)
        .outerjoin(
            users.Assignment,
            (users.Assignment.user_id == Token.user_id) & (users.Assignment.project_id == Token.project_id),
        )
        .where(Token.digest == digest)
    )
    rows = session.execute(query).all()
    if not rows:
        return None
    token, user, project, credential, _ = rows[0]
    roles = tuple(sorted(row[4] for row in rows if row[4] is not None))
    return Bearer(token=token, user=user, project=project, roles=roles, credential=credential)


def revoke(session: orm.Session, digest: str, at: datetime) -> None:
    session.execute(sa.update(Token).where(Token.digest == digest).values(revoked_at=at))


def revoke_of_user(session: orm.Session, user_id: str, at: datetime) -> None:
    """Revoke every live token of a user, as when the password changes."""
    query = sa.update(Token).where(Token.user_id == user_id, Token.revoked_at.is_(None))
    session.execute(query.values(revoked_at=at))


def revoke_of_project(session: orm.Session, project_id: str, at: datetime) -> None:
    """Revoke every live token for a project, as when it is closed."""
    query = sa.update(Token).where(Token.project_id == project_id, Token.revoked_at.is_(None))
    session.execute(query.values(revoked_at=at))


def purge(session: orm.Session, before: datetime) -> int:
    """Forget tokens that expired before a time; give their number."""
    result = session.execute(sa.delete(Token).where(Token.expires_at < before))
    return int(result.rowcount)  # type: ignore[attr-defined]  # a DELETE's result is a CursorResult
