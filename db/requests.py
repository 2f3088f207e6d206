"""The request log: every request that changed something, or tried to."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base


class Request(base.Base):
    __tablename__ = "requests"

    id: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    method: Mapped[str] = mapped_column(sa.String(8))
    path: Mapped[str] = mapped_column(sa.Text)
    user_id: Mapped[str | None] = mapped_column(sa.String(32))
    project_id: Mapped[str | None] = mapped_column(sa.String(32), index=True)
    status: Mapped[int]
    #: the fault's message, for those that failed
    message: Mapped[str | None] = mapped_column(sa.Text)
    remote: Mapped[str | None] = mapped_column(sa.String(64))
    milliseconds: Mapped[int]
    at: Mapped[datetime] = mapped_column(base.UtcDateTime, index=True)


def get(session: orm.Session, request_id: str) -> Request | None:
    return session.get(Request, request_id)


def purge(session: orm.Session, before: datetime) -> int:
    """Forget requests older than a time; give their number."""
    result = session.execute(sa.delete(Request).where(Request.at < before))
    return int(result.rowcount)  # type: ignore[attr-defined]  # a DELETE's result is a CursorResult
