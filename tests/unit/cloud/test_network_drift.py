"""Comparing Ganeti's networks with what is known of them: what is found, what an operator has put right, what stays."""

from __future__ import annotations

from typing import Any

import pytest

from cloud import backends, network_drift, network_objects, networks, nic_drift, reconciler, segments
from cloud.network_drift import Kind
from cloud.networks import NetworkSpec
from cloud.reconciler import Finding
from cloud.states import Action
from common import names
from db import network_objects as object_rows
from db.network_objects import State
from db.networks import Kind as NetworkKind
from tests.support import networks as made_networks
from tests.support.clouds import World


@pytest.fixture
def objects(world: World) -> World:
    backends.change(world.cloud, world.backend.name, backends.BackendChange(network_objects=True))
    return world


@pytest.fixture
def network(objects: World) -> str:
    return made_networks.add(objects.cloud, "192.0.2.0/28")


@pytest.fixture
def server(objects: World, network: str) -> str:
    """A running server whose NIC names the network."""
    instance_id = objects.create_one()
    objects.submit()
    assert objects.settle_networks() == ["add-network", "connect-network"]
    objects.finish(instance_id)
    objects.look()
    assert network
    return instance_id


def reconcile(world: World, *, repair: bool = True) -> list[Finding]:
    world.clock.tick()
    backend = world.known_backend()
    return reconciler.reconcile(world.cloud, world.clients, backend, repair=repair, repair_nics=repair)


def kinds(findings: list[Finding]) -> list[tuple[str, bool]]:
    return [(finding.kind, finding.repaired) for finding in findings]


def shown(world: World, network: str) -> dict[str, Any]:
    return world.rapi.networks.shown[names.network_name("syros-", network)]


def nics(world: World, server: str) -> list[Any]:
    return world.rapi.instances[f"syros-{server}"].nics


def stopped(world: World, server: str) -> None:
    world.act(server, Action.STOP)
    world.finish(server)


def test_what_is_as_it_should_be_is_not_found(objects: World, server: str) -> None:
    assert reconcile(objects) == []


def test_a_backend_without_objects_is_not_asked_for_them(world: World) -> None:
    made_networks.add(world.cloud, "192.0.2.0/28")
    world.active()
    assert reconcile(world) == []
    assert "networks" not in world.rapi.asked


def test_a_network_that_is_gone_comes_back(objects: World, server: str, network: str) -> None:
    name = names.network_name("syros-", network)
    del objects.rapi.networks.shown[name]
    nics(objects, server).clear()
    found = reconcile(objects, repair=False)
    assert kinds(found) == [(Kind.MISSING, False), (nic_drift.Kind.MISSING, False)]
    assert (found[0].subject, found[0].seen) == (name, "nothing")
    assert kinds(reconcile(objects))[0] == (Kind.MISSING, True)
    assert objects.settle_networks() == ["add-network", "connect-network"]


def test_a_group_that_lacks_the_network_is_connected(objects: World, server: str, network: str) -> None:
    shown(objects, network)["group_list"] = []
    found = reconcile(objects, repair=False)
    assert kinds(found) == [(Kind.UNCONNECTED, False)]
    assert (found[0].recorded, found[0].seen) == ("each group bridged br0", "default -")
    assert kinds(reconcile(objects)) == [(Kind.UNCONNECTED, True)]
    assert reconcile(objects) == [], "it is under way"
    assert objects.settle_networks() == ["connect-network"]
    assert reconcile(objects) == []


def test_a_wrong_link_is_put_right_once_nobody_is_in_the_network(objects: World, server: str, network: str) -> None:
    shown(objects, network)["group_list"] = [["default", "bridged", "br9", ""]]
    assert kinds(reconcile(objects)) == [(Kind.UNCONNECTED, True)]
    assert objects.settle_networks() == ["disconnect-network", "connect-network"]
    assert kinds(reconcile(objects, repair=False)) == [(Kind.UNCONNECTED, False)], "Ganeti has refused"
    (row,) = network_objects.of_network(objects.cloud, network)
    assert row.row is not None
    assert row.row.state is State.ERROR
    nics(objects, server).clear()
    reconcile(objects)
    objects.settle_networks()
    assert shown(objects, network)["group_list"] == [["default", "bridged", "br0", ""]]


def test_tags_and_a_gateway_are_put_right_and_an_ipv6_subnet_too_many_is_reported(
    objects: World, server: str, network: str
) -> None:
    shown(objects, network)["tags"].clear()
    assert kinds(reconcile(objects)) == [(Kind.DIFFERS, True)]
    assert objects.settle_networks() == ["tag-network"]
    shown(objects, network)["gateway"] = "192.0.2.9"
    assert kinds(reconcile(objects)) == [(Kind.DIFFERS, True)]
    assert objects.settle_networks() == ["modify-network"]
    shown(objects, network)["network6"] = "2001:db8::/64"
    assert kinds(reconcile(objects)) == [(Kind.DIFFERS, False)]


def test_a_stray_of_ours_goes_and_others_stay(objects: World, server: str) -> None:
    stray = names.network_name("syros-", names.new_id())
    for name in (stray, "by-hand", f"other-net-{names.new_id()}"):
        objects.rapi.networks.shown[name] = {"name": name, "network": "10.0.0.0/24", "tags": [], "group_list": []}
    objects.rapi.networks.shown[stray]["group_list"] = [["default", "bridged", "br7", ""]]
    found = reconcile(objects)
    assert [(each.kind, each.subject, each.repaired) for each in found] == [(Kind.STRAY, stray, True)]
    assert objects.settle_networks() == ["disconnect-network", "remove-network"]
    assert stray not in objects.rapi.networks.shown
    assert len(objects.rapi.networks.shown) == 3
    assert reconcile(objects) == []


def test_a_stray_that_somebody_uses_stays(objects: World, server: str) -> None:
    stray = names.network_name("syros-", names.new_id())
    objects.rapi.networks.shown[stray] = {"name": stray, "network": "10.0.0.0/24", "tags": [], "group_list": []}
    (nic,) = nics(objects, server)
    nics(objects, server)[0] = type(nic)(network=stray, mac=nic.mac, name=nic.name, mode="bridged", link="br0")
    assert (Kind.STRAY, False) in kinds(reconcile(objects))


def test_servers_from_before_the_choice_get_their_network_and_come_in_when_they_are_stopped(world: World) -> None:
    made_networks.add(world.cloud, "192.0.2.0/28")
    server = world.active()
    backends.change(world.cloud, world.backend.name, backends.BackendChange(network_objects=True))
    assert kinds(reconcile(world)) == [(Kind.MISSING, True)]
    assert world.settle_networks() == ["add-network", "connect-network"]
    assert kinds(reconcile(world)) == [(nic_drift.Kind.OUTSIDE, False)], "its guest runs"
    stopped(world, server)
    assert kinds(reconcile(world)) == [(nic_drift.Kind.OUTSIDE, True)]
    before = nics(world, server)[0]
    world.run_out(server)
    (nic,) = nics(world, server)
    assert (nic.mac, nic.ip, nic.link) == (before.mac, before.ip, "br0")
    assert nic.network in world.rapi.networks.shown
    assert reconcile(world) == []


def test_a_nic_that_would_get_another_mac_stays_outside(world: World) -> None:
    caller = made_networks.operator()
    segments.add_prefixes(world.cloud, "br-prv", ["aa:01:00"])
    spec = NetworkSpec("prv", shared=True, kind=NetworkKind.MAC_FILTERED)
    (view,) = networks.create(world.cloud, caller, [spec])
    made_networks.add_subnet(world.cloud, view.network.id, "192.0.2.0/28")
    server = world.active()
    backends.change(world.cloud, world.backend.name, backends.BackendChange(network_objects=True))
    reconcile(world)
    world.settle_networks()
    assert shown(world, view.network.id)["mac_prefix"] == "aa:01:00"
    stopped(world, server)
    assert kinds(reconcile(world)) == [(nic_drift.Kind.OUTSIDE, False)]


def test_a_nic_that_ganeti_lacks_comes_back_into_its_network(objects: World, server: str) -> None:
    (nic,) = nics(objects, server)
    nics(objects, server).clear()
    assert kinds(reconcile(objects)) == [(nic_drift.Kind.MISSING, True)]
    objects.run_out(server)
    assert nics(objects, server) == [nic]


def test_a_nic_in_a_network_that_failed_is_right_as_it_is(objects: World, server: str, network: str) -> None:
    with objects.cloud.sessions.begin() as db:
        row = object_rows.lock(db, objects.backend.id, network)
        assert row is not None
        row.state = State.ERROR
    assert kinds(reconcile(objects, repair=False)) == [(network_drift.Kind.FAILED, False)]


def test_a_choice_that_was_taken_back_says_nothing_of_nics(objects: World, server: str) -> None:
    backends.change(objects.cloud, objects.backend.name, backends.BackendChange(network_objects=False))
    assert reconcile(objects, repair=False) == []
