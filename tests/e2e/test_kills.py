"""Any program is killed at any moment, and nothing is lost, doubled or stuck."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from lab import process, scratch
from tests.e2e import agreement, fleet, tenant

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


def _tenant(cloud: fleet.Fleet, seed: int) -> tenant.Tenant:
    return tenant.Tenant(cloud.client.url, user="demo", password=fleet.PASSWORD, seed=seed, most=MOST_SERVERS)
