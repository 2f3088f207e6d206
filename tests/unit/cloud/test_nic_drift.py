"""Comparing NICs in Ganeti with ports: what is found, what an operator has repaired, and what is left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloud import instances, interfaces, nic_drift, ports, reconciler
from cloud.nic_drift import Inside, Kind
from cloud.ports import Interface
from cloud.reconciler import Finding
from common.errors import Busy
from common.messages import Nic
from db.instances import Task
from rapi.specs import NicSpec
from tests.support import ganeti, networks
from tests.support.clouds import World

PORT = "0a0a0a0a-0000-4000-8000-000000000001"
SPEC = NicSpec(ip="192.0.2.2", mac="02:53:79:00:00:01", name=f"port-{PORT}", mode="bridged", link="br0")
SEEN = Nic(0, "02:53:79:00:00:01", "192.0.2.2", "bridged", "br0", None, "uuid-1", f"port-{PORT}")


@pytest.mark.parametrize(
    ("seen", "kind", "change"),
    [
        (SEEN, None, None),
        (replace(SEEN, mac="02:53:79:00:00:01".upper()), None, None),
        (None, Kind.MISSING, ["add", -1, SPEC.body()]),
        (replace(SEEN, mac="02:53:79:00:00:02"), Kind.DIFFERS, ["modify", "uuid-1", {"mac": SPEC.mac}]),
        (replace(SEEN, ip=None), Kind.DIFFERS, ["modify", "uuid-1", {"ip": "192.0.2.2"}]),
        (
            replace(SEEN, link="br1", mode="routed"),
            Kind.DIFFERS,
            ["modify", "uuid-1", {"mode": "bridged", "link": "br0"}],
        ),
        (replace(SEEN, name=None), Kind.DIFFERS, ["modify", "uuid-1", {"name": f"port-{PORT}"}]),
        (replace(SEEN, ip=None, uuid=None), Kind.DIFFERS, None),
    ],
)
def test_every_difference_has_its_kind_and_its_change(seen: Nic | None, kind: Kind | None, change: object) -> None:
    found = list(nic_drift.compare([SPEC], [seen] if seen is not None else []))
    assert [(each.kind, each.change) for each in found] == ([(kind, change)] if kind is not None else [])


NAMED = replace(SPEC, network="net")
WITHIN = replace(SEEN, network="net")


def inside_of(*, running: bool = False, settled: bool = True, prefixed: bool = False) -> Inside:
    names = frozenset({"net"})
    return Inside(nics=[NAMED], settled=names if settled else (), prefixed=names if prefixed else (), running=running)


@pytest.mark.parametrize(
    ("seen", "inside", "kind", "change"),
    [
        (WITHIN, inside_of(), None, None),
        (WITHIN, inside_of(settled=False), None, None),
        (SEEN, inside_of(settled=False), None, None),
        (None, inside_of(), Kind.MISSING, ["add", -1, NAMED.body()]),
        (None, inside_of(settled=False), Kind.MISSING, ["add", -1, SPEC.body()]),
        (SEEN, inside_of(), Kind.OUTSIDE, ["modify", "uuid-1", {"network": "net", "ip": "192.0.2.2"}]),
        (
            replace(SEEN, name=None, link="br9"),
            inside_of(),
            Kind.OUTSIDE,
            ["modify", "uuid-1", {"name": SPEC.name, "network": "net", "ip": "192.0.2.2"}],
        ),
        (SEEN, inside_of(running=True), Kind.OUTSIDE, None),
        (SEEN, inside_of(prefixed=True), Kind.OUTSIDE, None),
        (replace(SEEN, network="by-hand"), inside_of(), Kind.OUTSIDE, None),
        (replace(WITHIN, ip=None), inside_of(running=True), Kind.DIFFERS, ["modify", "uuid-1", {"ip": "192.0.2.2"}]),
        (replace(WITHIN, link="br9"), inside_of(), Kind.DIFFERS, None),
    ],
)
def test_a_nic_is_in_its_network_where_that_can_be(
    seen: Nic | None, inside: Inside, kind: Kind | None, change: object
) -> None:
    found = list(nic_drift.compare([SPEC], [seen] if seen is not None else [], inside=inside))
    assert [(each.kind, each.change) for each in found] == ([(kind, change)] if kind is not None else [])


def test_a_nic_that_can_not_come_in_is_put_right_where_it_is() -> None:
    found = list(nic_drift.compare([SPEC], [replace(SEEN, link="br9")], inside=inside_of(running=True)))
    assert [(each.kind, each.change) for each in found] == [
        (Kind.OUTSIDE, None),
        (Kind.DIFFERS, ["modify", "uuid-1", {"link": "br0"}]),
    ]


def test_an_address_that_the_port_does_not_have_is_taken_off() -> None:
    (found,) = nic_drift.compare([replace(SPEC, ip=None)], [SEEN])
    assert found.change == ["modify", "uuid-1", {"ip": "none"}]


def test_only_the_remains_of_a_port_that_is_gone_are_to_be_removed() -> None:
    others = [replace(SEEN, name=None), replace(SEEN, name="eth0"), replace(SEEN, name="port-mine")]
    for nic in others:
        assert [each.change for each in nic_drift.compare([], [nic])] == [None]
    assert [each.change for each in nic_drift.compare([], [SEEN], ports={PORT})] == [None]
    assert [each.change for each in nic_drift.compare([], [SEEN])] == [["remove", "uuid-1", {}]]


@pytest.fixture
def server(world: World) -> str:
    """A running server with an interface of its own."""
    networks.add(world.cloud, "192.0.2.0/29")
    return world.active()


def inside(world: World, server: str) -> ganeti.FakeInstance:
    return world.rapi.instances[world.instance(server).ganeti_name]


def reconcile(world: World, *, repair: bool = True, repair_nics: bool = True) -> list[Finding]:
    world.clock.tick()
    return reconciler.reconcile(
        world.cloud, world.clients, world.known_backend(), repair=repair, repair_nics=repair_nics
    )


def kinds(findings: list[Finding]) -> list[tuple[str, bool]]:
    return [(finding.kind, finding.repaired) for finding in findings]


def test_a_nic_that_ganeti_lacks_comes_back(world: World, server: str) -> None:
    seen = inside(world, server)
    (nic,) = seen.nics
    seen.nics.clear()
    world.rapi.tags.clear()

    assert kinds(reconcile(world, repair_nics=False)) == [(Kind.MISSING, False)]
    assert reconcile(world, repair=False, repair_nics=False)[0].recorded.startswith(f"{nic.name} {nic.mac} 192.0.2.2")
    assert kinds(reconcile(world)) == [(Kind.MISSING, True)]
    assert world.instance(server).task is Task.ATTACHING
    with pytest.raises(Busy):
        interfaces.attach(world.cloud, world.fresh(), server, Interface())
    # while that is under way, there is nothing to say
    assert reconcile(world) == []
    world.run_out(server)

    assert seen.nics == [nic]
    assert any(nic.name and nic.name in tag for tag in world.rapi.tags[seen.name])
    assert world.instance(server).task is None
    assert reconcile(world) == []


def test_what_differs_is_put_right_and_what_is_left_of_a_port_is_removed(world: World, server: str) -> None:
    seen = inside(world, server)
    (nic,) = seen.nics
    others = NicSpec(mac="00:16:3e:00:00:01", mode="bridged", link="br7")
    left = NicSpec(mac="02:53:79:aa:aa:aa", name=f"port-{PORT}", mode="bridged", link="br0")
    seen.nics = [others, replace(nic, link="br9", ip=None), left]

    assert kinds(reconcile(world)) == [(Kind.DIFFERS, True), (Kind.STRAY, False), (Kind.STRAY, True)]
    world.run_out(server)

    assert seen.nics == [others, nic]
    assert kinds(reconcile(world)) == [(Kind.STRAY, False)]


def test_a_nic_of_a_port_that_there_is_stays(world: World, server: str) -> None:
    (view,) = ports.create(
        world.cloud, world.fresh(), [ports.PortSpec(network_id=world_network(world, server), name="mine")]
    )
    seen = inside(world, server)
    seen.nics.append(NicSpec(mac=view.port.mac, name=f"port-{view.port.id}", mode="bridged", link="br0"))
    assert kinds(reconcile(world)) == [(Kind.STRAY, False)]
    assert world.jobs(server)[0].finished_at is not None


def test_a_repair_that_fails_costs_no_port(world: World, server: str) -> None:
    inside(world, server).nics.clear()
    reconcile(world)
    world.finish(server)
    world.finish(server, failed=ganeti.error())
    assert world.instance(server).task is None
    assert len(ports.shown(world.cloud, [server])[server]) == 1
    assert kinds(reconcile(world, repair_nics=False)) == [(Kind.MISSING, False)]


def test_half_an_attach_is_left_alone(world: World, server: str) -> None:
    world.clock.tick()
    interfaces.attach(world.cloud, world.fresh(), server, Interface())
    assert reconcile(world) == []
    world.run_out(server)
    assert len(inside(world, server).nics) == 2
    assert reconcile(world) == []


def test_what_changed_meanwhile_is_not_repaired(world: World, server: str) -> None:
    inside(world, server).nics.clear()

    def delete(what: str) -> None:
        if what == "instances":
            world.rapi.meanwhile = lambda _: None
            instances.delete(world.cloud, world.fresh(), server)

    world.rapi.meanwhile = delete
    assert kinds(reconcile(world)) == [(Kind.MISSING, False)]
    assert {job.action for job in world.jobs(server)} == {"create", "delete"}


def world_network(world: World, server: str) -> str:
    return interfaces.page(world.cloud, world.fresh(), server)[0].view.port.network_id
