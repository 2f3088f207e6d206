"""Any program is killed at any moment, and nothing is lost, doubled or stuck."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from cloud import backends, network_objects
from cloud import networks as cloud_networks
from cloud.networks import NetworkChange
from db.networks import Filter
from lab import process, scratch
from tests.e2e import agreement, fleet, tenant
from tests.support import networks

KILLS = 200
PER_ROUND = 10
SEED = 20_240_229
MOST_SERVERS = 12
PATIENCE = 90.0


@pytest.fixture
def cloud(postgres_url: str, amqp_url: str) -> Iterator[fleet.Fleet]:
    folder = scratch.folder("fleet")
    built = fleet.Fleet(folder, database_url=postgres_url, amqp_url=amqp_url)
    try:
        built.start()
        yield built
    finally:
        built.stop()
        scratch.remove(folder)


def test_two_hundred_kills_leave_nothing_lost_doubled_or_stuck(cloud: fleet.Fleet) -> None:
    dice = random.Random(SEED)
    answered = 0
    killed: dict[str, int] = dict.fromkeys(cloud.programs, 0)
    for number in range(KILLS // PER_ROUND):
        tenants = [_tenant(cloud, seed=number * 10 + each) for each in range(2)]
        for each in tenants:
            each.start()
        for _ in range(PER_ROUND):
            victim = dice.choice(cloud.programs)
            time.sleep(dice.uniform(0.05, 0.8))  # the moment is the test's random input, not a wait for anything
            cloud.kill(victim)
            killed[victim] += 1
            cloud.revive()
        process.wait_until(cloud.client.ready, what="the API is back", timeout=PATIENCE)
        for each in tenants:
            each.stop()
            assert each.surprises == []
            answered += each.answered
        cloud.client.log_in("demo", fleet.PASSWORD)
        agreement.wait(cloud.disagreements, patience=PATIENCE, logs=cloud.folder, what=f"agreement, round {number}")
    assert sum(killed.values()) == KILLS
    assert min(killed.values()) > 0
    assert answered > 0


def test_networks_as_ganetis_objects_come_and_go_whoever_of_ours_is_killed(cloud: fleet.Fleet) -> None:
    network = _small_network(cloud)
    backends.change(cloud.cloud, "simulated", backends.BackendChange(network_objects=True))
    dice = random.Random(SEED)
    ours = [name for name in cloud.programs if name != "gntsim"]
    for number in range(4):
        visitor = _tenant(cloud, seed=number, most=2)
        visitor.start()
        for _ in range(PER_ROUND):
            time.sleep(dice.uniform(0.05, 1.5))  # the moment is the test's random input, not a wait for anything
            cloud.kill(dice.choice(ours))
            cloud.revive()
        process.wait_until(cloud.client.ready, what="the API is back", timeout=PATIENCE)
        visitor.stop()
        assert visitor.surprises == []
        cloud.client.log_in("demo", fleet.PASSWORD)
        agreement.wait(cloud.disagreements, patience=PATIENCE, logs=cloud.folder, what=f"agreement, round {number}")
        for server in cloud.client.servers():
            cloud.client.call("DELETE", f"/servers/{server['id']}")

        def gone() -> bool:
            return network_objects.of_network(cloud.cloud, network)[0].row is None

        process.wait_until(gone, what=f"the network is gone, round {number}", timeout=PATIENCE, every=0.5)
        agreement.wait(cloud.disagreements, patience=PATIENCE, logs=cloud.folder, what=f"emptiness, round {number}")
    done = cloud.opcodes()
    assert {"OP_NETWORK_ADD", "OP_NETWORK_CONNECT", "OP_NETWORK_DISCONNECT", "OP_NETWORK_REMOVE"} <= set(done)


def _small_network(cloud: fleet.Fleet) -> str:
    """Make servers' default network one that Ganeti can have an object of."""
    operator = networks.operator()
    for view in cloud_networks.page(cloud.cloud, operator, Filter(), limit=10):
        cloud_networks.update(cloud.cloud, operator, view.network.id, NetworkChange(is_default=False))
    return networks.add(cloud.cloud, "10.65.0.0/24", "2001:db8:65::/64", is_default=True)


def _tenant(cloud: fleet.Fleet, seed: int, most: int = MOST_SERVERS) -> tenant.Tenant:
    return tenant.Tenant(cloud.client.url, user="demo", password=fleet.PASSWORD, seed=seed, most=most)
