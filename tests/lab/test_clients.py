"""What users do with today's clients, on a real Ganeti."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import cloud as lab_cloud
from tests.conftest import missing
from tests.e2e import scripts


@pytest.fixture(scope="module")
def running(cloud: lab_cloud.LabCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[scripts.Scripts]:
    clouds = tmp_path_factory.mktemp("clouds") / "clouds.yaml"
    cloud.write_clouds(clouds)
    begun = scripts.Scripts(clouds, tmp_path_factory.mktemp("scripts"))
    yield begun
    begun.stop()


@pytest.mark.parametrize("name", scripts.SCRIPTS)
def test_a_clients_day_ends_well(cloud: lab_cloud.LabCloud, running: scripts.Scripts, name: str) -> None:
    if reason := scripts.unavailable(name):
        missing(reason)
    running.check(name)
    cloud.programs.restart_ended()
