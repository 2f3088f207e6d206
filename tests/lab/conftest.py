"""The whole cloud, for the tests that need it."""

import os
from collections.abc import Iterator

import pytest

from lab import cloud as lab_cloud
from tests.conftest import missing


@pytest.fixture(scope="module")
def cloud() -> Iterator[lab_cloud.LabCloud]:
    """A real cloud of one node (LAB_NODES=3 for three), its programs restarted when they end."""
    if reason := lab_cloud.unavailable():
        missing(reason)
    lab = lab_cloud.LabCloud(nodes=int(os.environ.get("LAB_NODES", "1")), version=os.environ.get("LAB_GANETI", ""))
    lab.start()
    yield lab
    lab.stop()
