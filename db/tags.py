"""Tags of instances: words of their owners' choosing, to find them by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from db import base

#: characters that a tag may have
LONGEST = 60


class Tag(base.Base):
    __tablename__ = "instance_tags"

    instance_id: Mapped[str] = mapped_column(sa.ForeignKey("instances.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(sa.String(LONGEST), primary_key=True, index=True)


def of_instance(session: orm.Session, instance_id: str) -> Sequence[str]:
    """List an instance's tags, sorted."""
    query = sa.select(Tag.tag).where(Tag.instance_id == instance_id)
    return sorted(session.scalars(query))


def add(session: orm.Session, instance_id: str, tags: Iterable[str]) -> None:
    """Add tags that an instance, whose row is held, does not have."""
    session.add_all(Tag(instance_id=instance_id, tag=tag) for tag in tags)


def remove(session: orm.Session, instance_id: str, tags: Iterable[str] | None = None) -> None:
    """Remove some of an instance's tags, or all."""
    query = sa.delete(Tag).where(Tag.instance_id == instance_id)
    if tags is not None:
        query = query.where(Tag.tag.in_(list(tags)))
    session.execute(query)


def has_all(instance_id: orm.InstrumentedAttribute[str], tags: Sequence[str]) -> sa.ColumnElement[bool]:
    """The condition that an instance has each of these tags."""
    return sa.and_(*(has_any(instance_id, [tag]) for tag in tags))


def has_any(instance_id: orm.InstrumentedAttribute[str], tags: Sequence[str]) -> sa.ColumnElement[bool]:
    """The condition that an instance has one of these tags."""
    return sa.exists().where(Tag.instance_id == instance_id, Tag.tag.in_(tags))
