"""Two thousand viewers at once, in one process."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Iterator

import pytest

from tests.conftest import missing
from tests.unit.vncauthproxy.bed import bed
from tests.unit.vncauthproxy.peers import PATIENCE

VIEWERS = 2000
#: of each both ends are here: the proxy's two sockets, and those of its peers
DESCRIPTORS = 4 * VIEWERS + 500


@pytest.fixture
def many_files() -> Iterator[None]:
    """Leave to open so many files; as it was, afterwards."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < DESCRIPTORS and os.geteuid() != 0:
        missing(f"{DESCRIPTORS} open files, where {most} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before, DESCRIPTORS), max(most, DESCRIPTORS)))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, max(most, DESCRIPTORS)))


@pytest.mark.usefixtures("many_files")
def test_two_thousand_viewers_are_shown_each_its_own_console() -> None:
    async def test() -> None:
        async with bed(sessions=VIEWERS, sessions_per_user=VIEWERS) as made:
            pairs = []
            for _ in range(VIEWERS):
                viewer = await made.view(await made.forward())
                assert await viewer.read(4) == bytes(4)
                pairs.append((viewer, await made.console.visit()))
            assert sum(each.opened_at is not None for each in made.service.sessions()) == VIEWERS
            for number, (viewer, console) in enumerate(pairs):
                viewer.write(b"viewer %4d" % number)
                console.write(b"console %4d" % number)
            for number, (viewer, console) in enumerate(pairs):
                assert await viewer.read(12) == b"console %4d" % number
                assert await console.read(11) == b"viewer %4d" % number
            async with asyncio.timeout(PATIENCE):
                await made.service.stop()
            assert made.service.sessions() == []

    asyncio.run(test())
