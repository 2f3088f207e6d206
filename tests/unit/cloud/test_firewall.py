"""Firewalls on their way to the nodes: each change arrives, once, whatever fails, and is in nobody's way."""

from __future__ import annotations

import pytest

from cloud import firewall, interfaces, ports, security_group_rules, segments
from cloud import networks as cloud_networks
from cloud.networks import NetworkSpec
from cloud.ports import Interface, PortChange
from cloud.states import Action
from common.jobs import JobStatus, Opcode
from db.instances import State, Task
from db.jobs import Job
from db.ports import Filter, Port
from tests.support import ganeti, networks
from tests.support import security_groups as groups
from tests.support.clouds import World


@pytest.fixture
def network(world: World) -> str:
    return networks.add(world.cloud, "192.0.2.0/24")


@pytest.fixture
def running(world: World, network: str) -> str:
    assert network
    return world.active()


def port_of(world: World, instance_id: str) -> Port:
    (view,) = ports.page(world.cloud, networks.operator(), Filter(instance_ids=[instance_id]), limit=2)
    return view.port


def plan(world: World) -> int:
    world.clock.tick()
    return firewall.plan(world.cloud)


def values(job: Job) -> list[str]:
    """What the tags of a job say of firewalls."""
    return [tag.partition(":fw:")[2] for tag in job.spec["tags"]]


def test_a_new_server_is_told_of_its_firewall_with_its_create(world: World, running: str) -> None:
    port = port_of(world, running)
    tags = world.rapi.tags[f"syros-{running}"]
    assert {tag.partition(":fw:")[2] for tag in tags if tag.startswith(f"syros:port-{port.id}:fw:")} == {
        "0:on",
        "0:e4:*:*:*",
        "0:e6:*:*:*",
        f"0:i4:*:*:{port_address(world, port)}/32",
    }
    assert plan(world) == 0


def port_address(world: World, port: Port) -> str:
    (view,) = ports.page(world.cloud, networks.operator(), Filter(ids=[port.id]), limit=2)
    return view.addresses[0].ip


def test_a_new_rule_comes_as_a_new_generation_and_a_look_at_it_and_the_old_one_goes(world: World, running: str) -> None:
    groups.allow(world, groups.default(world))
    assert plan(world) == 1
    tag, look, untag = world.under_way(running)
    assert (tag.opcode, look.opcode, untag.opcode) == (Opcode.TAGS_SET, Opcode.SET_PARAMS, Opcode.TAGS_DEL)
    assert "1:i4:tcp:80-80:*" in values(tag)
    assert "1:on" in values(tag)
    name = f"port-{port_of(world, running).id}"
    assert look.spec["nics"] == [["modify", name, {"name": name}]]
    assert not look.spec["hotplug"]
    world.run_out(running)
    tags = world.rapi.tags[f"syros-{running}"]
    assert {tag.partition(":fw:")[2].partition(":")[0] for tag in tags if ":fw:" in tag} == {"1"}
    assert plan(world) == 0


def test_a_server_can_be_used_meanwhile_and_its_history_says_nothing_of_it(world: World, running: str) -> None:
    groups.allow(world, groups.default(world))
    plan(world)
    assert world.instance(running).task is None
    world.act(running, Action.STOP)
    assert world.instance(running).task is Task.STOPPING
    assert world.run_out(running) == [Opcode.TAGS_SET, Opcode.SET_PARAMS, Opcode.TAGS_DEL, Opcode.SHUTDOWN]
    assert world.instance(running).state is State.STOPPED


def test_a_stopped_server_needs_nobody_to_look(world: World, running: str) -> None:
    world.act(running, Action.STOP)
    world.run_out(running)
    groups.allow(world, groups.default(world))
    assert plan(world) == 1
    assert world.run_out(running) == [Opcode.TAGS_SET, Opcode.TAGS_DEL]


def test_changes_that_come_meanwhile_wait_and_go_together(world: World, running: str) -> None:
    group = groups.default(world)
    groups.allow(world, group)
    assert plan(world) == 1
    groups.allow(world, group, port_min=81, port_max=81)
    groups.allow(world, group, port_min=82, port_max=82)
    assert plan(world) == 0
    world.run_out(running)
    assert plan(world) == 1
    tag = world.under_way(running)[0]
    assert {"2:i4:tcp:80-80:*", "2:i4:tcp:81-81:*", "2:i4:tcp:82-82:*"} <= set(values(tag))


def test_a_change_that_is_undone_before_it_left_is_none(world: World, running: str) -> None:
    assert running
    rule = groups.allow(world, groups.default(world))
    security_group_rules.delete(world.cloud, world.fresh(), rule.id)
    assert plan(world) == 0


@pytest.mark.parametrize("failing", [Opcode.TAGS_SET, Opcode.SET_PARAMS])
def test_a_change_that_failed_is_tried_again_after_a_pause(world: World, running: str, failing: Opcode) -> None:
    groups.allow(world, groups.default(world))
    plan(world)
    while (job := world.under_way(running)[0]).opcode != failing:
        world.finish(running)
    world.finish(running, failed=ganeti.error())
    assert [each.status for each in world.jobs(running) if each.id > job.id] == [JobStatus.CANCELED] * len(
        [each for each in world.jobs(running) if each.id > job.id]
    )
    assert plan(world) == 0
    world.clock.tick(60)
    assert plan(world) == 1
    assert "2:i4:tcp:80-80:*" in values(world.under_way(running)[0])
    world.run_out(running)
    world.clock.tick(60)
    assert plan(world) == 0


def test_old_tags_that_could_not_be_removed_go_with_the_next(world: World, running: str) -> None:
    group = groups.default(world)
    groups.allow(world, group)
    plan(world)
    world.finish(running)
    world.finish(running)
    world.finish(running, failed=ganeti.error())
    world.clock.tick(60)
    assert plan(world) == 0
    groups.allow(world, group, port_min=81, port_max=81)
    assert plan(world) == 1
    world.run_out(running)
    tags = world.rapi.tags[f"syros-{running}"]
    assert {tag.partition(":fw:")[2].partition(":")[0] for tag in tags if ":fw:" in tag} == {"2"}


def test_who_comes_is_let_in_by_the_others_and_who_goes_no_more(world: World, running: str) -> None:
    other = world.active("other")
    assert plan(world) == 1
    come = world.under_way(running)[0]
    # 192.0.2.2 and 192.0.2.3
    assert [value for value in values(come) if ":i4:" in value] == ["1:i4:*:*:192.0.2.2/31"]
    world.run_out(running)
    world.delete(other)
    world.run_out(other)
    assert plan(world) == 1
    gone = world.under_way(running)[0]
    assert [value for value in values(gone) if ":i4:" in value] == [
        f"2:i4:*:*:{port_address(world, port_of(world, running))}/32"
    ]


def test_in_a_network_of_its_own_a_group_that_all_are_in_tells_nobody_of_newcomers(world: World) -> None:
    segments.add(world.cloud, ["prv1"])
    (own,) = cloud_networks.create(world.cloud, world.fresh(), [NetworkSpec(name="own")])
    networks.add_subnet(world.cloud, own.network.id, "10.0.0.0/24")
    first = world.active("first")
    tags = world.rapi.tags[f"syros-{first}"]
    assert any(tag.endswith(":fw:0:i4:*:*:10.0.0.0/24") for tag in tags)
    second = world.active("second")
    assert plan(world) == 0
    # one that is not of the group is let in no more, by either
    apart = groups.add(world, "apart")
    ports.update(world.cloud, world.fresh(), port_of(world, second).id, PortChange(groups=(apart.id,)))
    assert plan(world) == 2
    (told,) = [value for value in values(world.under_way(first)[0]) if ":i4:" in value]
    assert told == f"1:i4:*:*:{port_address(world, port_of(world, first))}/32"


def test_a_port_without_a_firewall_says_so_when_it_had_one(world: World, running: str, network: str) -> None:
    port = port_of(world, running)
    ports.update(world.cloud, networks.operator(), port.id, PortChange(groups=(), firewalled=False))
    assert plan(world) == 1
    assert values(world.under_way(running)[0]) == ["1:off"]
    world.run_out(running)
    assert network


def test_an_interface_that_comes_later_is_told_with_it(world: World, running: str, network: str) -> None:
    interfaces.attach(world.cloud, world.fresh(), running, Interface(network_id=network))
    first = world.under_way(running)[0]
    assert first.opcode == Opcode.TAGS_SET
    assert any(tag.endswith(":fw:0:on") for tag in first.spec["tags"])
    world.run_out(running)
    # the first interface lets the second in
    assert plan(world) == 1
    assert world.run_out(running) == [Opcode.TAGS_SET, Opcode.SET_PARAMS, Opcode.TAGS_DEL]
    assert plan(world) == 0


def test_a_change_is_not_lost_with_a_detach_that_fails(world: World, running: str) -> None:
    groups.allow(world, groups.default(world))
    interfaces.detach(world.cloud, world.fresh(), running, port_of(world, running).id)
    world.finish(running, failed=ganeti.error())
    assert not world.under_way(running)
    assert plan(world) == 1
    assert "1:i4:tcp:80-80:*" in values(world.under_way(running)[0])


def test_a_create_whose_outcome_nobody_knew_is_told_again(world: World, network: str) -> None:
    assert network
    instance_id = world.create_one()
    world.rapi.lose_replies = 1
    world.submit()
    world.clock.tick(3600)
    world.finish(instance_id)
    assert plan(world) == 1
