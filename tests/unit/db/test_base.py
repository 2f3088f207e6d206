"""Times, words and sessions mean the same whatever the database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from db import projects, schema, sessions
from db.instances import State
from db.jobs import Job
from db.projects import Project
from db.sessions import Sessions
from tests.support import clouds

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Sessions]:
    opened = clouds.sqlite_sessions(tmp_path)
    yield opened
    opened.close()


def project(created_at: datetime) -> Project:
    return Project(id="p", name="p", description="", enabled=True, created_at=created_at)


def kept(database: Sessions) -> Project | None:
    with database.read() as db:
        return projects.get(db, "p")


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=2)), timezone(timedelta(hours=-9))])
def test_a_time_comes_back_as_the_same_moment_in_utc(database: Sessions, zone: timezone) -> None:
    with database.begin() as db:
        db.add(project(NOW.astimezone(zone)))
    row = kept(database)
    assert row is not None
    assert row.created_at == NOW
    assert row.created_at.tzinfo is UTC


def test_a_naive_time_is_refused(database: Sessions) -> None:
    with pytest.raises(sa.exc.StatementError, match="a naive time"):
        with database.begin() as db:
            db.add(project(NOW.replace(tzinfo=None)))
    assert kept(database) is None


def test_a_word_outside_the_set_is_refused(database: Sessions) -> None:
    with database.read() as db, pytest.raises(sa.exc.StatementError, match="flying"):
        db.scalars(sa.select(Job).where(Job.status == "flying")).all()
    assert State("active") is State.ACTIVE


def test_what_raises_inside_a_transaction_is_rolled_back(database: Sessions) -> None:
    with pytest.raises(ZeroDivisionError):
        with database.begin() as db:
            db.add(project(NOW))
            db.flush()
            raise ZeroDivisionError
    assert kept(database) is None


def test_what_is_changed_while_reading_is_rolled_back(database: Sessions) -> None:
    with database.read() as db:
        db.add(project(NOW))
        db.flush()
    assert kept(database) is None


def test_foreign_keys_hold_on_sqlite_too(database: Sessions) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        with database.begin() as db:
            db.execute(sa.text("INSERT INTO quota_usages (project_id, resource, used) VALUES ('nobody', 'ram', 1)"))


def test_usage_never_goes_below_zero(database: Sessions) -> None:
    with database.begin() as db:
        db.add(project(NOW))
    with pytest.raises(sa.exc.IntegrityError):
        with database.begin() as db:
            db.execute(sa.text("INSERT INTO quota_usages (project_id, resource, used) VALUES ('p', 'ram', -1)"))


def test_readers_do_not_wait_for_a_writer(database: Sessions) -> None:
    with database.begin() as writer:
        writer.add(project(NOW))
        writer.flush()
        assert kept(database) is None
    assert kept(database) is not None


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (sa.exc.OperationalError("x", {}, Exception("deadlock detected")), True),
        (sa.exc.InterfaceError("x", {}, Exception("gone")), True),
        (sa.exc.TimeoutError("pool"), True),
        (sa.exc.DBAPIError("x", {}, Exception("gone"), connection_invalidated=True), True),
        (sa.exc.IntegrityError("x", {}, Exception("duplicate")), False),
        (sa.exc.DataError("x", {}, Exception("too long")), False),
        (ValueError("x"), False),
    ],
)
def test_an_outage_is_what_trying_again_may_help(error: Exception, outage: bool) -> None:
    assert sessions.is_outage(error) is outage


def test_the_template_is_at_the_newest_revision_and_agrees_with_the_code(database: Sessions) -> None:
    assert schema.current(database.engine) == schema.head()
    assert schema.differences(database.engine) == []
    assert database.ready()
