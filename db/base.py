"""The declarative base: naming of constraints, and column types that mean the same on PostgreSQL and SQLite."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm, types
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect


class UtcDateTime(types.TypeDecorator[datetime]):
    """An aware UTC time. SQLite keeps no zone, so it is taken off and put back here; a naive time is refused."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive time: {value!r}")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is UTC:
            return value
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Word(types.TypeDecorator[StrEnum]):
    """A closed set, stored by value: `Word(State)`."""

    impl = sa.String(32)
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: StrEnum | str | None, dialect: Dialect) -> str | None:
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        return None if value is None else self.words(value)


# Any: JSON columns hold whatever their noun says they hold.
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


class Base(orm.DeclarativeBase):
    """Every table's base."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime: UtcDateTime(),
        dict[str, Any]: Json,
        dict[str, str]: Json,
        list[str]: Json,
        list[dict[str, Any]]: Json,
    }


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> sa.Index:
    """Make an index of the rows that meet a condition alone, on both databases."""
    condition = sa.text(where)
    return sa.Index(name, *columns, unique=unique, postgresql_where=condition, sqlite_where=condition)


def before(
    time: orm.InstrumentedAttribute[datetime], key: orm.InstrumentedAttribute[str], *, at: datetime, last: str
) -> sa.ColumnElement[bool]:
    """Keyset paging, newest first: rows after the one at (`at`, `last`). Its cost does not depend on the page."""
    return sa.tuple_(time, key) < sa.tuple_(sa.literal(at, UtcDateTime()), sa.literal(last, sa.String()))
