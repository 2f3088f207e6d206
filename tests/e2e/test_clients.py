"""What users do with today's clients, from the first key to the last delete, on the sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import missing
from tests.e2e import scripts
from tests.e2e.sandbox_process import SandboxProcess


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[scripts.Scripts]:
    sandbox = SandboxProcess(tmp_path_factory.mktemp("sandbox"))
    sandbox.start()
    begun = scripts.Scripts(sandbox.folder / "clouds.yaml", tmp_path_factory.mktemp("scripts"))
    yield begun
    begun.stop()
    assert sandbox.stop() == 0


@pytest.mark.parametrize("name", scripts.SCRIPTS)
def test_a_clients_day_ends_well(running: scripts.Scripts, name: str) -> None:
    if reason := scripts.unavailable(name):
        missing(reason)
    running.check(name)
