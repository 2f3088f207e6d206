"""An API to talk to, and a node with guests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.integration.ganeti_hooks.nodes import Node
from tests.integration.ganeti_hooks.serving import Api
from tests.support import taps


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    served = Api(tmp_path)
    yield served
    served.close()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    reason = taps.unavailable()
    if reason is None and not Path("/usr/lib/ganeti/net-common").exists():
        reason = "not installed: ganeti"
    if reason:
        missing(reason)
    bed = taps.Bed(tmp_path)
    try:
        bed.start()
        yield Node(bed, tmp_path / "ganeti")
    finally:
        bed.stop()
