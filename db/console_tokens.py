"""What opens a server's screen: tokens of one use, and links that only show it. Of either, the digest is kept alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base


class Purpose(StrEnum):
    """What a token is for."""

    #: a URL that the API gave
    OPEN = "open"
    #: coming back after a connection was lost
    RESUME = "resume"


class ConsoleToken(base.Base):
    __tablename__ = "console_tokens"

    #: SHA-256 of the token's text, in hex
    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    purpose: Mapped[Purpose] = mapped_column(base.Word(Purpose))
    #: the Compute API's: novnc or xvpvnc
    type: Mapped[str] = mapped_column(sa.String(16))
    instance_id: Mapped[str] = mapped_column(sa.ForeignKey("instances.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    #: that the user was in; an admin's is not the server's
    project_id: Mapped[str] = mapped_column(sa.ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    #: the user's roles are another identity service's to tell
    roles_elsewhere: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(base.UtcDateTime, index=True)
    used_at: Mapped[datetime | None]


class ConsoleLink(base.Base):
    """A way to watch a screen, as often as one likes, until it expires or is revoked."""

    __tablename__ = "console_links"
    __table_args__ = (sa.Index("ix_console_links_instance_id", "instance_id", "created_at", "id"),)

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    #: SHA-256 of the token's text, in hex
    digest: Mapped[str] = mapped_column(sa.String(64), unique=True)
    instance_id: Mapped[str] = mapped_column(sa.ForeignKey("instances.id", ondelete="CASCADE"))
    #: who has made it
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    project_id: Mapped[str] = mapped_column(sa.ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    roles_elsewhere: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(base.UtcDateTime, index=True)
    revoked_at: Mapped[datetime | None]


def token(session: orm.Session, digest: str) -> ConsoleToken | None:
    return session.get(ConsoleToken, digest)


def use(session: orm.Session, digest: str, at: datetime) -> bool:
    """Use a token up; of several who try at once, one is told that it was theirs."""
    query = sa.update(ConsoleToken).where(ConsoleToken.digest == digest, ConsoleToken.used_at.is_(None))
    result = session.execute(query.values(used_at=at).execution_options(synchronize_session=False))
    return bool(result.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult


def give_back(session: orm.Session, digest: str) -> None:
    """Let a token be used once more, by whom it has been of no use."""
    session.execute(sa.update(ConsoleToken).where(ConsoleToken.digest == digest).values(used_at=None))


def link(session: orm.Session, link_id: str) -> ConsoleLink | None:
    return session.get(ConsoleLink, link_id)


def link_by_digest(session: orm.Session, digest: str) -> ConsoleLink | None:
    return session.scalar(sa.select(ConsoleLink).where(ConsoleLink.digest == digest))


def living_links(
    session: orm.Session, instance_id: str, now: datetime, *, limit: int, after: ConsoleLink | None = None
) -> Sequence[ConsoleLink]:
    """List a server's links that may still be opened, newest first, after one of them."""
    query = sa.select(ConsoleLink).where(
        ConsoleLink.instance_id == instance_id, ConsoleLink.revoked_at.is_(None), ConsoleLink.expires_at > now
    )
    if after is not None:
        query = query.where(base.before(ConsoleLink.created_at, ConsoleLink.id, at=after.created_at, last=after.id))
    return session.scalars(query.order_by(ConsoleLink.created_at.desc(), ConsoleLink.id.desc()).limit(limit)).all()


def count_living_links(session: orm.Session, instance_id: str, now: datetime) -> int:
    query = sa.select(sa.func.count()).where(
        ConsoleLink.instance_id == instance_id, ConsoleLink.revoked_at.is_(None), ConsoleLink.expires_at > now
    )
    return session.scalar(query) or 0


def purge(session: orm.Session, before: datetime) -> int:
    """Forget tokens and links that expired before a time; give their number."""
    gone = 0
    for table in (ConsoleToken, ConsoleLink):
        result = session.execute(sa.delete(table).where(table.expires_at < before))
        gone += int(result.rowcount)  # type: ignore[attr-defined]  # a DELETE's result is a CursorResult
    return gone
