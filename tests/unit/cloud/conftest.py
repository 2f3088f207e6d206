"""One small cloud per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from db.sessions import Sessions
from tests.support import clouds


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the database is that tests have one after the other."""
    return tmp_path_factory.mktemp("database")


@pytest.fixture(scope="session")
def shared_sessions(folder: Path) -> Iterator[Sessions]:
    made = clouds.sqlite_sessions(folder)
    yield made
    made.close()


@pytest.fixture
def sessions(shared_sessions: Sessions, folder: Path) -> Sessions:
    """A database with nothing but the schema in it."""
    clouds.begin_anew(shared_sessions, folder)
    return shared_sessions


@pytest.fixture
def world(sessions: Sessions) -> clouds.World:
    return clouds.world(sessions)
