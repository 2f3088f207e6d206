"""One small cloud per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import clouds


@pytest.fixture
def world(tmp_path: Path) -> Iterator[clouds.World]:
    made = clouds.world(clouds.sqlite_sessions(tmp_path))
    yield made
    made.cloud.sessions.close()
