"""The same small cloud as in the unit tests, on PostgreSQL, or on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.settings import CloudSettings
from common import config
from db.sessions import Sessions
from tests.support import clouds

PLENTY = CloudSettings(quota_instances=-1, quota_cores=-1, quota_ram=-1)


@pytest.fixture
def postgres_world(postgres_url: str) -> Iterator[clouds.World]:
    made = clouds.world(clouds.postgres_sessions(postgres_url), settings=PLENTY)
    yield made
    made.cloud.sessions.close()


@pytest.fixture(params=["postgres", "sqlite"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sessions]:
    """An empty database, of each kind."""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    else:
        url = f"sqlite:///{tmp_path / 'empty.db'}"
    sessions = Sessions(config.Database(url=url))
    yield sessions
    sessions.close()


@pytest.fixture(params=["postgres", "sqlite"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[clouds.World]:
    """A furnished cloud, on each kind of database."""
    if request.param == "postgres":
        sessions = clouds.postgres_sessions(request.getfixturevalue("postgres_url"))
    else:
        sessions = clouds.sqlite_sessions(tmp_path)
    made = clouds.world(sessions, settings=PLENTY)
    yield made
    made.cloud.sessions.close()
