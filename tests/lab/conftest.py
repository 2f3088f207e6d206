"""The whole cloud, for the tests that need it."""

import os
from collections.abc import Generator, Iterator

import pytest

from lab import cloud as lab_cloud
from lab import evidence
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a test that failed what the cloud knows of itself: it is gone before anybody can look."""
    report = yield
    if report.failed and report.when == "call":
        for lab in getattr(item, "funcargs", {}).values():
            if isinstance(lab, lab_cloud.LabCloud):
                report.sections += evidence.of(lab)
    return report
