"""Networks' objects under many hands on one PostgreSQL: no NIC names one that is not there, and none is left over."""

from __future__ import annotations

import threading
from functools import partial

from cloud import backends, network_keeper, network_objects
from common.errors import NotFound
from db.backends import Backend
from db.instances import State
from tests.integration.cloud.test_concurrency import together
from tests.support import networks
from tests.support.clouds import World


def wanting(world: World) -> World:
    backends.change(world.cloud, world.backend.name, backends.BackendChange(network_objects=True))
    with world.cloud.sessions.begin() as db:
        row = db.get(Backend, world.backend.id)
        assert row is not None
        row.max_jobs = 1000
    return world


def keep(world: World, by: str) -> int:
    return network_keeper.keep(world.cloud, world.clients.of(world.backend), world.known_backend(), by=by)


def finish_all(world: World) -> None:
    for job_id in world.rapi.open_jobs():
        event = world.rapi.finish(job_id)
        if world.rapi.jobs[job_id].effect is None:
            world.deliver(event)


def test_submitters_that_land_the_first_ports_at_once_make_one_network(postgres_world: World) -> None:
    world = wanting(postgres_world)
    network = networks.add(world.cloud, "192.0.2.0/26")
    for _ in range(3):
        world.create(count=4)
    backend = world.known_backend()
    submitters = [world.submitter() for _ in range(6)]

    def land(number: int) -> None:
        submitters[number].serve(backend)
        keep(world, f"keeper-{number}")

    assert together([partial(land, number) for number in range(6)]) == []
    world.settle_networks()
    world.clock.tick()
    assert together([partial(submitters[number].serve, backend) for number in range(6)]) == []
    methods = [method for method, _, _ in world.rapi.calls]
    assert (methods.count("add-network"), methods.count("connect-network")) == (1, 1)
    while world.submit():
        finish_all(world)
    assert len(world.rapi.created) == 12
    assert {nic.network for spec in world.rapi.created for nic in spec.nics} == {f"syros-net-{network}"}


def test_ports_that_come_and_go_while_networks_are_swept_find_theirs(postgres_world: World) -> None:
    world = wanting(postgres_world)
    networks.add(world.cloud, "192.0.2.0/26")
    made: list[str] = []
    busy = threading.Event()

    def own() -> None:
        for _ in range(6):
            made.append(world.create_one())
            world.submit()
            try:
                world.delete(made[len(made) // 2])
            except NotFound:
                continue

    def work(by: str) -> None:
        while not busy.is_set():
            world.submit()
            keep(world, by)
            network_objects.sweep(world.cloud, world.known_backend())

    def end() -> None:
        while not busy.is_set():
            finish_all(world)

    def owners() -> None:
        try:
            assert together([own, own]) == []
        finally:
            busy.set()

    raised = together([owners, partial(work, "one"), partial(work, "two"), end])
    assert raised == []
    for _ in range(30):
        world.clock.tick(60)
        world.submit()
        keep(world, "last")
        finish_all(world)
    states = {world.instance(one).state for one in made}
    assert states <= {State.ACTIVE, State.DELETED}, [world.instance(one).fault_message for one in made]
    for one in made:
        try:
            world.delete(one)
        except NotFound:
            continue
    for _ in range(10):
        world.clock.tick(60)
        world.submit()
        finish_all(world)
    assert world.rapi.instances == {}
    world.clock.tick(301)
    network_objects.sweep(world.cloud, world.known_backend())
    world.settle_networks()
    assert world.rapi.networks.shown == {}
