"""A seriald for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.seriald.fakes import Daemon, FakeQemu


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Start a seriald on the test's folder; it stops with the test."""
    started: list[Daemon] = []

    def make(**changes: object) -> Daemon:
        started.append(Daemon(tmp_path, **changes))
        return started[-1]

    yield make
    for daemon in started:
        daemon.stop()


@pytest.fixture
def qemu(tmp_path: Path) -> Iterator[Callable[[str], FakeQemu]]:
    """Start a guest; it ends with the test."""
    started: list[FakeQemu] = []
    (tmp_path / "ctrl").mkdir(exist_ok=True)

    def make(name: str) -> FakeQemu:
        started.append(FakeQemu(tmp_path / "ctrl", name))
        return started[-1]

    yield make
    for each in started:
        each.quit()
