"""The masters that the contract is held against."""

from collections.abc import Iterator

import pytest

from gntsim import server
from lab import ganeti as ganeti_bed
from rapi import client
from tests.contract import masters


@pytest.fixture(scope="session")
def real(ganeti: ganeti_bed.Cluster) -> Iterator[masters.Handle]:
    yield from _handle("ganeti", masters.RealMaster(ganeti))


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[masters.Handle]:
    simulator = server.Simulator(masters.SimulatedMaster.settings(tmp_path_factory.mktemp("gntsim")))
    simulator.start()
    yield from _handle("gntsim", masters.SimulatedMaster(simulator))
    simulator.stop()


@pytest.fixture(scope="session", params=["gntsim", "ganeti"])
def cluster(request: pytest.FixtureRequest) -> masters.Handle:
    """Each master in turn: what holds for one must hold for the other."""
    fixture = {"ganeti": "real", "gntsim": "simulated"}[request.param]
    handle: masters.Handle = request.getfixturevalue(fixture)
    return handle


def _handle(kind: str, master: masters.Master) -> Iterator[masters.Handle]:
    api = client.Client(master.point)
    yield masters.Handle(kind, master, api, node=api.get_nodes()[0]["name"])
    api.close()
