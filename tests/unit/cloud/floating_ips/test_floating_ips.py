"""Floating IPs: kept by projects, carried by ports of their own, attached and detached as interfaces are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from cloud import floating_ips, instances, interfaces, networks, ports, quotas, security_groups
from cloud.floating_ips import FloatingChange, FloatingSpec, Target
from cloud.ports import Interface, PortChange, PortSpec
from cloud.security_groups import GroupSpec
from cloud.states import Action
from common.errors import Busy, CloudError, Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from common.jobs import Opcode
from db.floating_ips import Filter
from db.instances import State, Task
from db.quotas import Resource
from db.users import Role
from tests.support import clouds, ganeti
from tests.support import networks as made_networks
from tests.support.clouds import World
from tests.unit.cloud.floating_ips.holding import IP, associate, fixed_port, ips, show, take, used


def test_an_address_is_taken_shown_and_given_back(world: World, outside: str) -> None:
    made = take(world, outside, description="web")
    assert (made.address.ip, made.fixed, made.port.floating) == ("203.0.113.2", None, True)
    assert (made.floating.description, used(world)) == ("web", 1)
    assert [each.floating.id for each in floating_ips.page(world.cloud, world.caller, Filter(), limit=9)] == [
        made.floating.id
    ]
    floating_ips.delete(world.cloud, world.fresh(), made.floating.id)
    assert (used(world), quotas.audit(world.cloud)) == (0, [])
    with pytest.raises(NotFound):
        show(world, made.floating.id)
    with pytest.raises(NotFound):
        ports.get(world.cloud, world.caller, made.port.id)
    assert take(world, outside, ip=IP("203.0.113.2")).address.ip == "203.0.113.2"


def test_it_is_of_ipv4_where_there_is_any(world: World, outside: str) -> None:
    subnet = made_networks.add_subnet(world.cloud, outside, "2001:db8::/64")
    assert take(world, outside).address.ip == "203.0.113.2"
    assert take(world, outside, subnet_id=subnet.id).address.ip.startswith("2001:db8::")
    six = made_networks.add(world.cloud, "2001:db8:1::/64", name="six", external=True)
    assert take(world, six).address.ip.startswith("2001:db8:1:")


def test_what_cannot_be_taken_is_refused(world: World, outside: str, server: str) -> None:
    port = fixed_port(world, server)
    inside = interfaces.page(world.cloud, world.caller, server)[0].view.port.network_id
    empty = made_networks.add(world.cloud, name="empty", external=True)
    loose = ports.create(world.cloud, world.fresh(), [PortSpec(inside)])[0].port.id
    carrier = take(world, outside).port.id
    cases: list[tuple[str, dict[str, object], type[CloudError]]] = [
        ("none", {}, NotFound),
        (inside, {}, Invalid),
        (empty, {}, Invalid),
        (outside, {"subnet_id": "none"}, Invalid),
        (outside, {"ip": IP("10.0.0.9")}, Invalid),
        (outside, {"ip": IP("203.0.113.1")}, Invalid),
        (outside, {"ip": IP("203.0.113.2")}, Conflict),
        (outside, {"target": Target("none")}, NotFound),
        (outside, {"target": Target(carrier)}, NotFound),
        (outside, {"target": Target(loose)}, Conflict),
        (outside, {"target": Target(port, IP("10.0.0.9"))}, Invalid),
    ]
    for network, wanted, refusal in cases:
        with pytest.raises(refusal):
            take(world, network, **wanted)
    with pytest.raises(Forbidden):
        floating_ips.create(world.cloud, replace(world.fresh(), roles=(Role.READER,)), FloatingSpec(outside))
    assert (used(world), world.instance(server).task) == (1, None)


def test_the_quota_is_kept_and_every_address_given_once(world: World, outside: str) -> None:
    quotas.set_limits(world.cloud, world.project.id, {Resource.FLOATING_IPS: 2})
    assert take(world, outside).address.ip != take(world, outside).address.ip
    with pytest.raises(QuotaExceeded, match="floating_ips"):
        take(world, outside)
    quotas.set_limits(world.cloud, world.project.id, {Resource.FLOATING_IPS: -1})
    for _ in range(3):
        take(world, outside)
    with pytest.raises(Conflict, match="no free address"):
        take(world, outside)
    assert (used(world), quotas.audit(world.cloud)) == (5, [])


def test_associating_attaches_the_port_that_carries_it(world: World, kept: str, server: str) -> None:
    port = fixed_port(world, server)
    found = associate(world, kept, port)
    assert (found.fixed and found.fixed.id, found.floating.fixed_ip) == (port, "10.0.0.2")
    assert (found.port.instance_id, world.instance(server).task) == (server, Task.ATTACHING)
    assert world.run_out(server) == [Opcode.TAGS_SET, Opcode.SET_PARAMS]
    row = world.instance(server)
    nic = {"ip": "203.0.113.2", "mac": found.port.mac, "name": f"port-{found.port.id}", "mode": "bridged"}
    assert world.rapi.nics[-1] == (row.ganeti_name, True, [["add", -1, {**nic, "link": "br1"}]])
    # the server's first gateway was another's: this one is told, too, since the network is external
    assert f"syros:port-{found.port.id}:gw4:203.0.113.1" in world.rapi.tags[row.ganeti_name]
    assert ips(world, server) == [("10.0.0.2", False), ("203.0.113.2", True)]


def test_disassociating_detaches_it_and_the_project_keeps_it(world: World, associated: str, server: str) -> None:
    assert associate(world, associated, None).port.instance_id == server
    assert associate(world, associated, None).port.instance_id == server
    assert world.run_out(server) == [Opcode.SET_PARAMS, Opcode.TAGS_DEL]
    found = show(world, associated)
    assert (found.fixed, found.floating.fixed_ip, found.port.instance_id) == (None, None, None)
    assert (ips(world, server), used(world)) == ([("10.0.0.2", False)], 1)
    assert associate(world, associated, None).fixed is None


def test_it_may_be_taken_for_a_port_at_once(world: World, outside: str, server: str) -> None:
    made = take(world, outside, target=Target(fixed_port(world, server), IP("10.0.0.2")))
    assert (made.port.instance_id, made.floating.fixed_ip) == (server, "10.0.0.2")
    world.run_out(server)
    assert ips(world, server)[1:] == [("203.0.113.2", True)]


def test_an_attach_that_fails_leaves_it_associated_with_nothing(world: World, kept: str, server: str) -> None:
    associate(world, kept, fixed_port(world, server))
    world.finish(server)
    world.finish(server, failed=ganeti.error())
    found = show(world, kept)
    assert (found.fixed, found.port.instance_id, used(world)) == (None, None, 1)
    assert world.instance(server).task is None


def test_a_detach_that_fails_leaves_it_associated(world: World, associated: str, server: str) -> None:
    associate(world, associated, None)
    world.finish(server, failed=ganeti.error())
    found = show(world, associated)
    assert (found.port.instance_id, found.fixed is not None) == (server, True)


def test_an_associated_one_that_is_deleted_is_gone_when_it_is_detached(
    world: World, associated: str, server: str
) -> None:
    floating_ips.delete(world.cloud, world.fresh(), associated)
    assert (show(world, associated).port.instance_id, used(world)) == (server, 1)
    floating_ips.delete(world.cloud, world.fresh(), associated)
    world.run_out(server)
    with pytest.raises(NotFound):
        show(world, associated)
    assert (used(world), quotas.audit(world.cloud), ips(world, server)) == (0, [], [("10.0.0.2", False)])


def test_one_that_is_deleted_while_it_is_detached_goes_with_that(world: World, associated: str, server: str) -> None:
    associate(world, associated, None)
    world.submit()
    floating_ips.delete(world.cloud, world.fresh(), associated)
    world.run_out(server)
    with pytest.raises(NotFound):
        show(world, associated)
    assert used(world) == 0


def test_a_server_that_is_deleted_leaves_them_to_the_project(world: World, associated: str, server: str) -> None:
    world.delete(server)
    world.run_out(server)
    assert world.instance(server).state is State.DELETED
    found = show(world, associated)
    assert (found.address.ip, found.fixed, found.floating.fixed_ip, found.port.instance_id) == (
        "203.0.113.2",
        None,
        None,
        None,
    )
    assert used(world) == 1


def test_another_port_of_the_same_server_is_named_without_a_job(world: World, associated: str, server: str) -> None:
    inside = interfaces.page(world.cloud, world.caller, server)[0].view.port.network_id
    interfaces.attach(world.cloud, world.fresh(), server, Interface(network_id=inside))
    world.run_out(server)
    second = interfaces.page(world.cloud, world.caller, server)[2].view
    found = associate(world, associated, second.port.id)
    assert (found.fixed and found.fixed.id, found.floating.fixed_ip) == (second.port.id, second.addresses[0].ip)
    assert world.run_out(server) == []


def test_while_something_is_under_way_nothing_else_begins(world: World, kept: str, server: str) -> None:
    associate(world, kept, fixed_port(world, server))
    for attempt in (
        lambda: associate(world, kept, None),
        lambda: associate(world, kept, fixed_port(world, server)),
        lambda: floating_ips.delete(world.cloud, world.fresh(), kept),
    ):
        with pytest.raises(Busy):
            attempt()
    world.run_out(server)
    assert show(world, kept).port.instance_id == server


def test_a_locked_server_is_given_none_and_keeps_what_it_has(world: World, associated: str, server: str) -> None:
    instances.set_locked(world.cloud, world.fresh(), server, locked=True)
    for attempt in (
        lambda: associate(world, associated, None),
        lambda: floating_ips.delete(world.cloud, world.fresh(), associated),
    ):
        with pytest.raises(Conflict, match="locked"):
            attempt()


def test_the_carrying_port_is_nobody_elses(world: World, associated: str, outside: str, server: str) -> None:
    carrier = show(world, associated).port.id
    for port in (carrier, take(world, outside).port.id):
        with pytest.raises(Conflict, match="carries a floating IP"):
            interfaces.delete_port(world.cloud, world.fresh(), port)
    loose = take(world, outside).port.id
    with pytest.raises(Conflict, match="carries a floating IP"):
        interfaces.attach(world.cloud, world.fresh(), server, Interface(port_id=loose))
    interfaces.detach(world.cloud, world.fresh(), server, carrier)
    world.run_out(server)
    assert show(world, associated).fixed is None


def test_a_port_that_one_is_associated_with_is_not_detached_before(world: World, associated: str, server: str) -> None:
    port = fixed_port(world, server)
    with pytest.raises(Conflict, match="disassociate"):
        interfaces.detach(world.cloud, world.fresh(), server, port)
    associate(world, associated, None)
    world.run_out(server)
    interfaces.detach(world.cloud, world.fresh(), server, port)
    world.run_out(server)
    assert ips(world, server) == []


def test_an_external_network_with_one_stays(world: World, kept: str, outside: str) -> None:
    with pytest.raises(Conflict, match="ports"):
        networks.delete(world.cloud, made_networks.operator(), outside)
    floating_ips.delete(world.cloud, world.fresh(), kept)
    networks.delete(world.cloud, made_networks.operator(), outside)


def test_they_are_their_projects_alone(world: World, associated: str, server: str) -> None:
    stranger = world.stranger_caller()
    for attempt in (
        lambda: floating_ips.get(world.cloud, stranger, associated),
        lambda: floating_ips.update(world.cloud, stranger, associated, FloatingChange(description="mine")),
        lambda: floating_ips.delete(world.cloud, stranger, associated),
        lambda: floating_ips.add_to_server(world.cloud, stranger, server, IP("203.0.113.2")),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert floating_ips.page(world.cloud, stranger, Filter(), limit=9) == []
    with pytest.raises(Invalid, match="marker"):
        floating_ips.page(world.cloud, stranger, Filter(), limit=9, marker=associated)


def test_one_is_added_to_a_server_and_removed_by_address(world: World, kept: str, server: str) -> None:
    ip = show(world, kept).address.ip
    for fixed in ("10.0.0.9", "203.0.113.2"):
        with pytest.raises(Invalid, match="fixed_address"):
            floating_ips.add_to_server(world.cloud, world.fresh(), server, IP(ip), IP(fixed))
    with pytest.raises(Conflict, match="not associated"):
        floating_ips.remove_from_server(world.cloud, world.fresh(), server, IP(ip))
    floating_ips.add_to_server(world.cloud, world.fresh(), server, IP(ip), IP("10.0.0.2"))
    world.run_out(server)
    floating_ips.remove_from_server(world.cloud, world.fresh(), server, IP(ip))
    world.run_out(server)
    assert show(world, kept).fixed is None


def test_a_stopped_server_is_given_one_for_its_next_start(world: World, kept: str, server: str) -> None:
    world.act(server, Action.STOP)
    world.finish(server)
    associate(world, kept, fixed_port(world, server))
    world.run_out(server)
    assert world.rapi.nics[-1][1] is False
    assert ips(world, server)[-1] == ("203.0.113.2", True)


def test_its_port_is_in_the_groups_of_the_port_that_is_named(world: World, kept: str, server: str) -> None:
    port, carrier = fixed_port(world, server), show(world, kept).port.id

    def groups(port_id: str) -> Sequence[str]:
        return ports.get(world.cloud, world.fresh(), port_id).groups

    assert groups(carrier) == groups(port) != []
    (made,) = security_groups.create(world.cloud, world.fresh(), [GroupSpec(name="web")])
    ports.update(world.cloud, world.fresh(), port, PortChange(groups=(made.group.id,)))
    associate(world, kept, port)
    assert groups(carrier) == [made.group.id]
    world.run_out(server)
    assert quotas.audit(world.cloud) == []


def test_what_a_change_costs_does_not_depend_on_how_many_there_are(world: World, server: str) -> None:
    wide = made_networks.add(world.cloud, "198.51.100.0/24", name="wide", external=True)
    port = fixed_port(world, server)
    counts = []
    for more in (2, 12):
        for _ in range(more):
            take(world, wide)
        one = take(world, wide).floating.id

        def go_through_all(floating: str = one) -> list[int]:
            steps: list[Callable[[], object]] = [
                lambda: take(world, wide),
                lambda: associate(world, floating, port),
                lambda: associate(world, floating, None),
                lambda: floating_ips.delete(world.cloud, world.fresh(), floating),
            ]
            found = []
            for step in steps:
                found.append(len(clouds.count_statements(world.cloud.sessions, step)))
                world.run_out(server)
            return found

        counts.append(go_through_all())
    assert counts[0] == counts[1]
    assert all(mine <= most for mine, most in zip(counts[0], (20, 38, 20, 20), strict=True)), counts[0]
