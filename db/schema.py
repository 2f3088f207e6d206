"""The schema's version: upgrade it, tell it, and compare it with the tables as the code has them."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import sqlalchemy as sa
from alembic import command
from alembic import config as alembic_config
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from db import tables

_LOCK = 0x5E5A705  # any constant that no other program locks on


def upgrade(engine: sa.Engine, *, revision: str = "head") -> None:
    """Bring the schema to a revision; safe to call by several processes at once."""
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        try:
            _run(connection, revision)
            connection.commit()
        finally:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
                connection.commit()


def current(engine: sa.Engine) -> str | None:
    """Tell the database's revision; None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str | None:
    """Tell the revision that this code expects."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def is_known(revision: str) -> bool:
    """Tell whether this code has a revision: one that it has not is a later program's."""
    try:
        return ScriptDirectory.from_config(_config()).get_revision(revision) is not None
    except CommandError:
        return False


def differences(engine: sa.Engine) -> list[object]:
    """List how the database's tables differ from the code's; empty when they agree."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, tables.metadata))


def _run(connection: sa.Connection, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    with _tables_may_be_replaced(connection):
        command.upgrade(config, revision)


@contextlib.contextmanager
def _tables_may_be_replaced(connection: sa.Connection) -> Iterator[None]:
    """On SQLite a table is changed by copying it and dropping the old one, which its referrers must not notice.

    SQLite takes the pragma only outside of a transaction. Raises RuntimeError if a reference leads nowhere afterwards.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    raw = cast("sqlite3.Connection", connection.connection.driver_connection)
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
        connection.commit()
        if broken := raw.execute("PRAGMA foreign_key_check").fetchall():
            raise RuntimeError(f"the upgrade left references that lead nowhere: {broken[:5]}")
    finally:
        raw.execute("PRAGMA foreign_keys=ON")


def _config() -> alembic_config.Config:
    config = alembic_config.Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
