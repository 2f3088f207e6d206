"""Many hands on one PostgreSQL: quotas hold, events agree, nothing is sent twice, nothing locks up."""

from __future__ import annotations

import ipaddress
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import pytest

from cloud import (
    addresses,
    events,
    floating_ips,
    floating_moves,
    instances,
    interfaces,
    ports,
    quotas,
    segments,
    subnets,
    told,
)
from cloud import networks as cloud_networks
from cloud.floating_ips import FloatingChange, FloatingSpec, Target
from cloud.networks import NetworkSpec
from cloud.ports import Interface
from cloud.subnets import SubnetChange
from common import messages
from common.errors import Busy, Conflict, NotFound, QuotaExceeded
from common.jobs import JobStatus
from db import address_history
from db.backends import Backend
from db.floating_ips import Filter as FloatingFilter
from db.instances import Filter, State
from db.networks import POOLED, Kind
from db.networks import Filter as NetworkFilter
from db.ports import Filter as PortFilter
from tests.support import networks
from tests.support.clouds import World


def together(calls: Sequence[Callable[[], object]]) -> list[BaseException]:
    """Make all calls at once; give what they raised."""
    raised: list[BaseException] = []
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        start.wait()
        try:
            call()
        except Exception as err:
            raised.append(err)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread hangs"
    return raised


def building(world: World, count: int) -> list[str]:
    """Servers whose creates are all in Ganeti."""
    made = [row.id for row in world.create(count=count)]
    while world.submit():
        pass
    return made


def raise_limit(world: World) -> None:
    with world.cloud.sessions.begin() as db:
        row = db.get(Backend, world.backend.id)
        assert row is not None
        row.max_jobs = 1000


def test_sixteen_creators_at_once_never_exceed_the_quota(postgres_world: World) -> None:
    world = postgres_world
    world.set_quota(instances=10)
    raised = together([world.create_one] * 16)
    assert [type(err) for err in raised] == [QuotaExceeded] * 6
    assert world.used() == (10, 20, 10240)
    assert quotas.audit(world.cloud) == []


def test_creators_and_deleters_at_once_leave_the_usage_that_is_the_sum(postgres_world: World) -> None:
    world = postgres_world
    made = [world.create_one() for _ in range(12)]
    raised = together(
        [partial(world.delete, one) for one in made[:8]]
        + [partial(world.delete, one) for one in made[:4]]
        + [world.create_one] * 4
    )
    assert {type(err) for err in raised} <= {NotFound}
    assert world.used()[0] == 12 - 8 + 4
    assert quotas.audit(world.cloud) == []


def test_dispatchers_that_get_the_same_events_in_any_order_agree(postgres_world: World) -> None:
    world = postgres_world
    raise_limit(world)
    made = building(world, 12)
    told: list[messages.JobEvent] = []
    for job_id in list(world.rapi.jobs):
        told += [world.rapi.step(job_id, status) for status in (JobStatus.WAITING, JobStatus.RUNNING)]
        told.append(world.rapi.finish(job_id))
    dice = random.Random(7)

    def dispatch() -> None:
        for event in dice.sample(told, len(told)):
            events.apply(world.cloud, event)

    assert together([dispatch] * 4) == []
    assert {world.instance(one).state for one in made} == {State.ACTIVE}
    assert all(world.jobs(one)[0].status is JobStatus.SUCCESS for one in made)
    assert world.used() == (12, 24, 12288)
    assert quotas.audit(world.cloud) == []


def test_submitters_at_once_send_each_job_once_within_the_limit(postgres_world: World) -> None:
    world = postgres_world
    with world.cloud.sessions.begin() as db:
        row = db.merge(world.backend)
        row.max_jobs = 30
    for _ in range(4):
        world.create(count=10)
    backend = world.known_backend()
    submitters = [world.submitter() for _ in range(6)]

    def serve_all(number: int) -> None:
        while submitters[number].serve(backend):
            pass

    assert together([partial(serve_all, number) for number in range(6)]) == []
    sent = [name for _, name, _ in world.rapi.calls]
    assert len(sent) == len(set(sent)) == 30


def test_a_delete_and_the_end_of_the_create_at_once_end_in_a_deleted_server(postgres_world: World) -> None:
    world = postgres_world
    raise_limit(world)
    made = building(world, 10)
    told = [world.rapi.finish(job_id) for job_id in list(world.rapi.jobs)]
    calls: list[Callable[[], object]] = []
    for one, event in zip(made, told, strict=True):
        calls.append(partial(world.delete, one))
        calls.append(partial(events.apply, world.cloud, event))
    assert together(calls) == []
    while world.submit():
        for job_id in world.rapi.open_jobs():
            world.deliver(world.rapi.finish(job_id))
    assert {world.instance(one).state for one in made} == {State.DELETED}
    assert world.rapi.instances == {}
    assert world.used() == (0, 0, 0)


def test_everything_at_once_neither_hangs_nor_loses_count(postgres_world: World) -> None:
    """Submitters, dispatchers, owners and lookers work on the same servers; then whatever is left is finished."""
    world = postgres_world
    raise_limit(world)
    made = [world.create_one() for _ in range(10)]

    def submit() -> None:
        for _ in range(5):
            world.submit()

    def dispatch() -> None:
        for _ in range(5):
            for job_id in list(world.rapi.open_jobs()):
                events.apply(world.cloud, world.rapi.finish(job_id))

    def delete() -> None:
        for one in made:
            instances.delete(world.cloud, world.fresh(), one)

    def look() -> None:
        for _ in range(3):
            world.look()

    raised = together([submit, submit, dispatch, dispatch, delete, delete, look])
    assert {type(err) for err in raised} <= {NotFound}
    for _ in range(8):
        world.clock.tick(60)
        world.submit()
        for job_id in list(world.rapi.jobs):
            if world.rapi.jobs[job_id].ended_at is None:
                world.rapi.finish(job_id)
            world.deliver(world.rapi.event(job_id))
    for one in made:
        try:
            world.delete(one)
        except NotFound:
            continue
        world.finish(one)
    assert {world.instance(one).state for one in made} == {State.DELETED}
    assert world.rapi.instances == {}
    assert world.used() == (0, 0, 0)
    names = [(name, reason) for _, name, reason in world.rapi.calls]
    assert len(names) == len(set(names))


def test_pages_have_no_gap_and_no_overlap_while_servers_are_made(postgres_world: World) -> None:
    world = postgres_world
    made = [world.create_one() for _ in range(30)]
    seen: list[str] = []
    wanted = Filter(project_id=world.project.id)
    marker = None
    while page := instances.page(world.cloud, world.caller, wanted, limit=7, marker=marker):
        seen += [row.id for row in page]
        marker = seen[-1]
        world.create(count=3)
    assert seen == made[::-1]


def test_sixteen_creators_and_deleters_at_once_never_get_one_address_twice(postgres_world: World) -> None:
    world = postgres_world
    networks.add(world.cloud, "192.0.2.0/27")
    old = [row.id for row in world.create(count=8)]

    raised = together([partial(world.delete, one) for one in old] + [world.create_one] * 16)

    assert raised == []
    found = ports.page(world.cloud, networks.operator(), PortFilter(), limit=100)
    ips = [address.ip for view in found for address in view.addresses]
    assert len(ips) == len(set(ips)) == 16
    assert raised == together([world.create_one] * 13)
    assert [type(err) for err in together([world.create_one] * 2)] == [addresses.Exhausted] * 2


@pytest.mark.parametrize("kind", POOLED)
def test_sixteen_projects_at_once_never_get_one_segment_twice(postgres_world: World, kind: Kind) -> None:
    world = postgres_world
    world.cloud = replace(world.cloud, settings=replace(world.cloud.settings, tenant_network_kind=kind))
    links, prefixes = segments.spelled_out("prv1-12"), segments.prefixes("aa:00:01-aa:00:0c")
    segments.add(world.cloud, links)
    segments.add_prefixes(world.cloud, "br-prv", prefixes)
    callers = [world.stranger_caller() for _ in range(16)]

    raised = together(
        [partial(cloud_networks.create, world.cloud, each, [NetworkSpec(name="own")]) for each in callers]
    )

    assert [type(err) for err in raised] == [Conflict] * 4
    made = cloud_networks.page(world.cloud, networks.operator(), NetworkFilter(), limit=100)
    assert {view.network.kind for view in made} == {kind}
    taken = sorted(view.network.mac_prefix or view.network.link for view in made)
    assert taken == (sorted(links) if kind is Kind.BRIDGE else prefixes)
    owners = [each for each in callers if each.project_id in {view.network.project_id for view in made}]
    raised = together(
        [
            partial(cloud_networks.delete, world.cloud, owner, view.network.id)
            for owner in owners
            for view in made
            if view.network.project_id == owner.project_id
        ]
    )
    assert raised == []
    assert segments.count(world.cloud) == (24, 24)
    assert quotas.audit(world.cloud) == []


def test_one_floating_ip_for_many_servers_at_once_is_one_servers(postgres_world: World) -> None:
    """Associating, disassociating and deleting, of one and the same, while servers with it are deleted."""
    world = postgres_world
    raise_limit(world)
    networks.add(world.cloud, "10.0.0.0/24", name="inside", is_default=True)
    outside = networks.add(world.cloud, "203.0.113.0/27", name="outside", external=True)
    servers = [world.active(f"web{number}") for number in range(6)]
    targets = [Target(interfaces.page(world.cloud, world.caller, one)[0].view.port.id) for one in servers]

    def associate(floating: str, target: Target | None) -> None:
        change = FloatingChange(associates=True, target=target)
        floating_ips.update(world.cloud, world.fresh(), floating, change)

    for _ in range(4):
        floating = floating_ips.create(world.cloud, world.fresh(), FloatingSpec(outside)).floating.id
        raised = together([partial(associate, floating, target) for target in targets])
        assert len(raised) == len(targets) - 1
        assert {type(err) for err in raised} <= {Conflict, Busy}
        having = floating_ips.get(world.cloud, world.caller, floating).port.instance_id
        assert having is not None
        while any(job.finished_at is None for job in world.jobs(having)):
            world.finish(having)
        calls: list[Callable[[], object]] = [partial(associate, floating, None)] * 3
        calls += [partial(associate, floating, target) for target in targets]
        calls += [partial(floating_ips.delete, world.cloud, world.fresh(), floating)] * 3
        assert {type(err) for err in together(calls)} <= {Conflict, Busy, NotFound}
        while any(job.finished_at is None for job in world.jobs(having)):
            world.finish(having)
    assert floating_ips.page(world.cloud, world.caller, FloatingFilter(), limit=9) == []
    assert quotas.audit(world.cloud) == []


def test_floating_ips_given_back_and_associated_at_once_while_their_servers_go(postgres_world: World) -> None:
    world = postgres_world
    raise_limit(world)
    networks.add(world.cloud, "10.0.0.0/24", name="inside", is_default=True)
    outside = networks.add(world.cloud, "203.0.113.0/27", name="outside", external=True)
    servers = [world.active(f"web{number}") for number in range(6)]
    targets = [Target(interfaces.page(world.cloud, world.caller, one)[0].view.port.id) for one in servers]
    loose = [floating_ips.create(world.cloud, world.fresh(), FloatingSpec(outside)).floating.id for _ in range(6)]
    calls: list[Callable[[], object]] = []
    for floating, target, server in zip(loose, targets, servers, strict=True):
        change = FloatingChange(associates=True, target=target)
        calls.append(partial(floating_ips.update, world.cloud, world.fresh(), floating, change))
        calls.append(partial(floating_ips.delete, world.cloud, world.fresh(), floating))
        calls.append(partial(instances.delete, world.cloud, world.fresh(), server))
        calls.append(partial(floating_ips.create, world.cloud, world.fresh(), FloatingSpec(outside)))
    raised = together(calls)
    assert {type(err) for err in raised} <= {Conflict, Busy, NotFound}
    for server in servers:
        while any(job.finished_at is None for job in world.jobs(server)):
            world.finish(server)
    left = floating_ips.page(world.cloud, world.caller, FloatingFilter(), limit=100)
    assert [view.port.instance_id for view in left] == [None] * len(left)
    assert len({view.address.ip for view in left}) == len(left) >= 6
    assert quotas.audit(world.cloud) == []
    with world.cloud.sessions.read() as db:
        for view in left:
            assert address_history.page(db, view.address.ip, limit=1)[0].until is None


def test_floating_ips_that_change_places_at_once_are_each_at_one_server_in_the_end(postgres_world: World) -> None:
    world = postgres_world
    raise_limit(world)
    networks.add(world.cloud, "10.0.0.0/24", name="inside", is_default=True)
    outside = networks.add(world.cloud, "203.0.113.0/27", name="outside", external=True)
    servers = [world.active(f"web{number}") for number in range(4)]
    targets = [Target(interfaces.page(world.cloud, world.caller, one)[0].view.port.id) for one in servers]

    def run_out() -> None:
        # what an attach waits for may be a detach that another server's end brings about
        for _ in range(3):
            for server in servers:
                while any(job.finished_at is None for job in world.jobs(server)):
                    world.finish(server)
            together([partial(floating_moves.plan, world.cloud)] * 3)

    def associate(floating: str, target: Target) -> None:
        change = FloatingChange(associates=True, target=target)
        floating_ips.update(world.cloud, world.fresh(), floating, change)

    kept = [
        floating_ips.create(world.cloud, world.fresh(), FloatingSpec(outside, target=target)).floating.id
        for target in targets
    ]
    run_out()
    for shift in (1, 3, 2):
        moves = [partial(associate, one, targets[(at + shift) % 4]) for at, one in enumerate(kept)]
        # each is asked to leave a server that another is to come to: the first of them wins
        assert {type(err) for err in together(moves)} <= {Conflict, Busy}
        run_out()
    found = [floating_ips.get(world.cloud, world.caller, one) for one in kept]
    assert [(each.moving, each.fixed is not None) for each in found] == [(False, True)] * 4
    assert all(each.fixed and each.fixed.instance_id == each.port.instance_id for each in found)
    assert quotas.audit(world.cloud) == []


def test_a_subnet_that_changes_while_its_servers_come_and_go_tells_each_the_last_of_it(postgres_world: World) -> None:
    world = postgres_world
    raise_limit(world)
    network = networks.add(world.cloud, "10.0.0.0/24", is_default=True)
    (subnet,) = cloud_networks.get(world.cloud, networks.operator(), network).subnets
    servers = [world.active(f"web{number}") for number in range(4)]

    def change(number: int) -> None:
        asked = SubnetChange(nameservers=(ipaddress.ip_address(f"192.0.2.{number}"),))
        subnets.update(world.cloud, networks.operator(), subnet.id, asked)

    def attach(server: str) -> None:
        interfaces.attach(world.cloud, world.fresh(), server, Interface(network_id=network))

    for number in (1, 11):
        calls: list[Callable[[], object]] = [partial(change, number + more) for more in range(4)]
        calls += [partial(attach, server) for server in servers[:2]]
        calls += [partial(told.plan, world.cloud)] * 3
        calls += [partial(world.create, "more"), partial(world.submit)]
        assert {type(err) for err in together(calls)} <= {Busy}
        change(number + 9)
        running = instances.page(world.cloud, world.caller, Filter(project_id=None), limit=99)
        for _ in range(3):
            for server in running:
                while any(job.finished_at is None for job in world.jobs(server.id)):
                    world.finish(server.id)
            world.clock.tick(60)
            told.plan(world.cloud)
        for server in running:
            tags = world.rapi.tags[f"syros-{server.id}"]
            assert {tag.rpartition(":")[2] for tag in tags if ":dns4:" in tag} == {f"192.0.2.{number + 9}"}, tags
