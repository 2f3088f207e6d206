"""An API to talk to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.ganeti_hooks.serving import Api


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    served = Api(tmp_path)
    yield served
    served.close()
