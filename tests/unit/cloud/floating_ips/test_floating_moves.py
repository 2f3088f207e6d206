"""Floating IPs that go from one server straight to another."""

from __future__ import annotations

import pytest

from cloud import floating_ips, floating_moves, interfaces, quotas
from cloud.ports import Interface
from cloud.states import Action
from common.errors import Busy, Conflict, Invalid, NotFound
from db import address_history
from db.instances import Instance, State, Task
from tests.support import ganeti
from tests.support.clouds import World
from tests.unit.cloud.floating_ips.holding import associate, fixed_port, ips, show, used


@pytest.fixture
def other(world: World, associated: str) -> str:
    """Another server, beside the one that has the floating IP."""
    assert associated
    return world.active("other")


def go_on(world: World) -> int:
    world.clock.tick()
    return floating_moves.plan(world.cloud)


def test_it_leaves_one_server_and_then_comes_to_another(world: World, associated: str, server: str, other: str) -> None:
    port = fixed_port(world, other)
    asked = associate(world, associated, port)
    assert (asked.fixed and asked.fixed.id, asked.fixed_ip, asked.moving) == (port, "10.0.0.3", True)
    assert (asked.port.instance_id, world.instance(server).task) == (server, Task.DETACHING)
    assert (go_on(world), world.instance(other).task) == (0, None)

    world.finish(server)
    assert (show(world, associated).port.instance_id, ips(world, other)) == (None, [("10.0.0.3", False)])
    assert (go_on(world), go_on(world)) == (1, 0)
    found = show(world, associated)
    assert (found.port.instance_id, found.moving, world.instance(other).task) == (other, False, Task.ATTACHING)
    assert {job.request_id for job in world.jobs(other) if job.finished_at is None} == {
        job.request_id for job in world.jobs(server) if job.action == Action.DETACH_INTERFACE
    }
    world.run_out(server)
    world.run_out(other)
    found = show(world, associated)
    assert (found.fixed and found.fixed.id, found.floating.fixed_ip, found.port.instance_id) == (
        port,
        "10.0.0.3",
        other,
    )
    assert (ips(world, server), ips(world, other)[1:]) == ([("10.0.0.2", False)], [("203.0.113.2", True)])
    assert quotas.audit(world.cloud) == []


def test_its_history_has_it_at_one_server_and_then_at_the_other(
    world: World, associated: str, server: str, other: str
) -> None:
    associate(world, associated, fixed_port(world, other))
    world.run_out(server)
    go_on(world)
    world.run_out(other)
    address = show(world, associated).address.ip
    with world.cloud.sessions.read() as db:
        held = list(reversed(address_history.page(db, address, limit=9)))
    assert [each.instance_id for each in held] == [None, server, None, other]
    assert [each.until for each in held[:-1]] == [each.since for each in held[1:]]


def test_a_detach_that_fails_leaves_it_where_it_was(world: World, associated: str, server: str, other: str) -> None:
    before = show(world, associated)
    associate(world, associated, fixed_port(world, other))
    world.finish(server, failed=ganeti.error())
    found = show(world, associated)
    assert (found.port.instance_id, found.moving, found.fixed_ip) == (server, False, "10.0.0.2")
    assert found.fixed and before.fixed
    assert found.fixed.id == before.fixed.id
    assert (go_on(world), ips(world, other)) == (0, [("10.0.0.3", False)])


def test_an_attach_that_fails_leaves_it_with_neither(world: World, associated: str, server: str, other: str) -> None:
    associate(world, associated, fixed_port(world, other))
    world.run_out(server)
    assert go_on(world) == 1
    world.finish(other)
    world.finish(other, failed=ganeti.error())
    found = show(world, associated)
    assert (found.port.instance_id, found.fixed, found.moving) == (None, None, False)
    assert (go_on(world), used(world), world.instance(other).task) == (0, 1, None)


def test_it_waits_for_a_server_that_is_used_meanwhile(world: World, associated: str, server: str, other: str) -> None:
    associate(world, associated, fixed_port(world, other))
    world.act(other, Action.STOP)
    world.run_out(server)
    assert (go_on(world), show(world, associated).moving) == (0, True)
    world.run_out(other)
    assert go_on(world) == 1
    world.run_out(other)
    assert ips(world, other)[1:] == [("203.0.113.2", True)]


def test_it_comes_to_no_server_that_is_gone_or_broken(world: World, associated: str, server: str, other: str) -> None:
    associate(world, associated, fixed_port(world, other))
    world.delete(other)
    world.run_out(server)
    world.run_out(other)
    assert go_on(world) == 0
    third = world.active("third")
    associate(world, associated, fixed_port(world, third))
    world.run_out(third)
    fourth = world.active("fourth")
    associate(world, associated, fixed_port(world, fourth))
    with world.cloud.sessions.begin() as db:
        db.get_one(Instance, fourth).state = State.ERROR
    world.run_out(third)
    assert go_on(world) == 0
    found = show(world, associated)
    assert (found.port.instance_id, found.fixed, found.moving, used(world)) == (None, None, False, 1)


@pytest.mark.parametrize("left", [False, True])
def test_who_changes_their_mind_meanwhile_is_heard(
    world: World, associated: str, server: str, other: str, left: bool
) -> None:
    third = world.active("third")
    associate(world, associated, fixed_port(world, other))
    if left:
        world.run_out(server)
    found = associate(world, associated, fixed_port(world, third))
    assert found.fixed and found.fixed.id == fixed_port(world, third)
    if left:
        world.run_out(third)
        associate(world, associated, fixed_port(world, other))
        associate(world, associated, None)
        world.run_out(third)
        assert (go_on(world), show(world, associated).fixed) == (0, None)
        return
    with pytest.raises(Busy):
        associate(world, associated, fixed_port(world, server))
    world.run_out(server)
    assert go_on(world) == 1
    world.run_out(third)
    assert (ips(world, other)[1:], ips(world, third)[1:]) == ([], [("203.0.113.2", True)])


def test_one_that_is_deleted_on_its_way_is_gone(world: World, associated: str, server: str, other: str) -> None:
    associate(world, associated, fixed_port(world, other))
    floating_ips.delete(world.cloud, world.fresh(), associated)
    world.run_out(server)
    assert (go_on(world), used(world), quotas.audit(world.cloud)) == (0, 0, [])
    with pytest.raises(NotFound):
        show(world, associated)


def test_what_cannot_come_to_the_other_server_stays(world: World, associated: str, server: str, other: str) -> None:
    inside = interfaces.page(world.cloud, world.fresh(), other)[0].view.port.network_id
    for _ in range(interfaces.MOST - 1):
        interfaces.attach(world.cloud, world.fresh(), other, Interface(network_id=inside))
        world.run_out(other)
    with pytest.raises(Conflict, match="interfaces"):
        associate(world, associated, fixed_port(world, other))
    with pytest.raises(Invalid, match="fixed_ip_address"):
        associate(world, associated, fixed_port(world, world.active("third")), "10.0.0.77")
    assert (show(world, associated).port.instance_id, world.instance(server).task) == (server, None)
