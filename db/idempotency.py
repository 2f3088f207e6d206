"""Answers kept by the key that the client sent, so that a request sent again is not done again."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base


class IdempotencyKey(base.Base):
    __tablename__ = "idempotency_keys"

    project_id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    #: SHA-256, in hex, of the key
    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    #: SHA-256, in hex, of the request
    fingerprint: Mapped[str] = mapped_column(sa.String(64))
    #: the answer's; 0 until there is one, which only the transaction that makes it sees
    status: Mapped[int] = mapped_column(default=0)
    headers: Mapped[dict[str, str]]
    #: the answer's body under the installation's key, since it may hold a password; None for an empty one
    sealed: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


def claim(session: orm.Session, wanted: IdempotencyKey) -> IdempotencyKey | None:
    """Insert a key and give None, or give the row that has it; waits for a transaction that is inserting the same."""
    _forget(session, wanted)
    try:
        with session.begin_nested():
            session.add(wanted)
    except sa.exc.IntegrityError:
        return session.get(IdempotencyKey, (wanted.project_id, wanted.user_id, wanted.digest))
    return None


def purge(session: orm.Session, before: datetime) -> int:
    """Forget the keys that expired before a time; give their number."""
    result = session.execute(sa.delete(IdempotencyKey).where(IdempotencyKey.expires_at < before))
    return int(result.rowcount)  # type: ignore[attr-defined]  # a DELETE's result is a CursorResult


def _forget(session: orm.Session, wanted: IdempotencyKey) -> None:
    """Make way for a key whose last use has expired."""
    query = sa.delete(IdempotencyKey).where(
        IdempotencyKey.project_id == wanted.project_id,
        IdempotencyKey.user_id == wanted.user_id,
        IdempotencyKey.digest == wanted.digest,
        IdempotencyKey.expires_at <= wanted.created_at,
    )
    session.execute(query.execution_options(synchronize_session=False))
