"""The version before goes on, on the schema of the next: what a migration may do (docs/architecture.md)."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from alembic.script import ScriptDirectory

from common import config
from db import schema
from db.sessions import Sessions

#: the schema of the first packages: nothing older was ever installed from them
FIRST = "0024"


@dataclass(frozen=True)
class Column:
    """What matters to who inserts without knowing it."""

    table: str
    name: str
    required: bool


def columns(engine: sa.Engine) -> dict[tuple[str, str], Column]:
    found = {}
    inspector = sa.inspect(engine)
    for table in inspector.get_table_names():
        for column in inspector.get_columns(table):
            optional = column["nullable"] or column["default"] is not None or column.get("autoincrement") is True
            found[table, column["name"]] = Column(table, column["name"], not optional)
    return found


def hindrances(before: dict[tuple[str, str], Column], after: dict[tuple[str, str], Column]) -> list[str]:
    """List what the version before would fail at."""
    tables = {column.table for column in before.values()}
    gone = [f"{table}.{name} is gone" for table, name in before.keys() - after.keys()]
    needed = [
        f"{column.table}.{column.name} is needed"
        for key, column in after.items()
        if column.required and column.table in tables and not (key in before and before[key].required)
    ]
    return sorted(gone + needed)


def hindrances_of_each(url: str) -> dict[str, list[str]]:
    """Migrate step by step; tell what each migration is to the version before it."""
    revisions = [script.revision for script in ScriptDirectory.from_config(schema._config()).walk_revisions()]
    sessions, found = Sessions(config.Database(url=url)), {}
    before: dict[tuple[str, str], Column] = {}
    for revision in reversed(revisions):
        schema.upgrade(sessions.engine, revision=revision)
        after = columns(sessions.engine)
        found[revision] = hindrances(before, after)
        before = after
    sessions.close()
    return found


def test_no_migration_since_the_first_packages_hinders_the_version_before(postgres_url: str) -> None:
    found = hindrances_of_each(postgres_url)
    later = {revision: each for revision, each in found.items() if revision > FIRST}
    assert {revision: each for revision, each in later.items() if each} == {}
    # that it can be told: the last one before the rule has columns that have to be given
    assert found[FIRST] == [
        "networks.firewalled is needed",
        "ports.allowed_pairs is needed",
        "ports.later is needed",
        "ports.told_generation is needed",
    ]
