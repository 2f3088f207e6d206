"""The schema's version: upgrade it, tell it, and compare it with the tables as the code has them."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import sqlalchemy as sa
from alembic import command
from alembic import config as alembic_config
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from common.errors import Conflict
from db import tables

_LOCK = 0x5E5A705  # any constant that no other program locks on


@dataclass(frozen=True)
class Standing:
    """A database's schema beside the one that this program was written for."""

    #: the database's revision; None for an empty one
    found: str | None
    wanted: str | None
    #: whether this program has the migration that led to it
    known: bool

    @property
    def current(self) -> bool:
        """Whether it is the one that this program was written for."""
        return self.found == self.wanted

    @property
    def behind(self) -> bool:
        """Whether it lacks what this program needs: nothing works before an upgrade."""
        return self.found is None or (self.known and not self.current)

    @property
    def ahead(self) -> bool:
        """Whether a later program has moved it on: this one goes on, for migrations only add (docs/install.md)."""
        return self.found is not None and not self.known

    def __str__(self) -> str:
        """Say how it is and, where something is to be done about it, what."""
        if self.ahead:
            return f"at {self.found}, which a later version than this program's ({self.wanted}) has made"
        if self.behind:
            return f"at {self.found or 'nothing'}, {self.wanted} is needed: `syros-manage db upgrade`"
        return f"at {self.found}"


def upgrade(engine: sa.Engine, *, revision: str = "head") -> None:
    """Bring the schema to a revision; safe to call by several processes at once.

    Raises Conflict when a later program has moved it on already.
    """
    if (found := standing(engine)).ahead:
        raise Conflict(f"the schema is {found}: upgrade the packages on this host")
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


def standing(engine: sa.Engine) -> Standing:
    """Compare the database's revision with this program's. Raises SQLAlchemyError when the database is away."""
    found, scripts = current(engine), ScriptDirectory.from_config(_config())
    known = found in {script.revision for script in scripts.walk_revisions()}
    return Standing(found, scripts.get_current_head(), known)


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
