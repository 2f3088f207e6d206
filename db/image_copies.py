"""Copies of servers' disks on their way into images: the job each belongs to, and the digest of its token."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base


class ImageCopy(base.Base):
    """A copy under way; there is none any more when its job has ended."""

    __tablename__ = "image_copies"

    image_id: Mapped[str] = mapped_column(sa.ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)
    #: our job that copies
    job_id: Mapped[int] = mapped_column(sa.BigInteger)
    #: SHA-256, in hex, of the token that was sent last
    token_digest: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    used_at: Mapped[datetime | None]
    #: the project's quota counts
    limited: Mapped[bool]
    created_at: Mapped[datetime]


def get(session: orm.Session, image_id: str) -> ImageCopy | None:
    return session.get(ImageCopy, image_id)


def by_digest(session: orm.Session, digest: str) -> ImageCopy | None:
    return session.scalar(sa.select(ImageCopy).where(ImageCopy.token_digest == digest))
