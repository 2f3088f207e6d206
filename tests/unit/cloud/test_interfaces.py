"""Interfaces: attached and detached by jobs whose outcome decides; no address is lost, and none is given twice."""

from __future__ import annotations

import ipaddress
from datetime import timedelta

import pytest

from cloud import instances, interfaces, networks, ports, soft_deletes, sweeper
from cloud.interfaces import Attachment
from cloud.ports import Interface, PortSpec
from cloud.settings import CloudSettings
from cloud.states import Action
from common.errors import Busy, Conflict, Forbidden, Invalid, NotFound
from common.jobs import Opcode
from db.instances import State, Task
from db.ports import Filter
from db.sessions import Sessions
from db.users import Role
from tests.support import clouds, ganeti
from tests.support import networks as made_networks
from tests.support.clouds import World


@pytest.fixture
def running(world: World) -> str:
    """A server with no network."""
    return world.active()


@pytest.fixture
def network(world: World, running: str) -> str:
    """A network that there was not when the server was made."""
    assert world.instance(running).state is State.ACTIVE
    return made_networks.add(world.cloud, "192.0.2.0/29")


def attach(world: World, instance_id: str, **wanted: object) -> Attachment:
    world.clock.tick()
    return interfaces.attach(world.cloud, world.fresh(), instance_id, Interface(**wanted))  # type: ignore[arg-type]


def detach(world: World, instance_id: str, port_id: str) -> None:
    world.clock.tick()
    interfaces.detach(world.cloud, world.fresh(), instance_id, port_id)


def ips(world: World, instance_id: str) -> list[str]:
    return [each.ip for each in ports.shown(world.cloud, [instance_id]).get(instance_id, ())]


def all_ports(world: World) -> int:
    return len(ports.page(world.cloud, made_networks.operator(), Filter(), limit=100))


def own_port(world: World, network: str) -> str:
    return ports.create(world.cloud, world.fresh(), [PortSpec(network_id=network, name="mine")])[0].port.id


def is_free(world: World, port_id: str) -> bool:
    return ports.get(world.cloud, world.fresh(), port_id).port.instance_id is None


@pytest.fixture
def attached(world: World, running: str, network: str) -> str:
    """The id of a port that was made for the running server."""
    port_id = attach(world, running, network_id=network).view.port.id
    world.run_out(running)
    return port_id


def test_a_running_server_is_told_what_the_nic_is_and_given_it_at_once(
    world: World, running: str, network: str
) -> None:
    port = attach(world, running, network_id=network).view.port
    assert world.instance(running).task is Task.ATTACHING
    assert [each.coming for each in interfaces.page(world.cloud, world.caller, running)] == [True]

    assert world.run_out(running) == [Opcode.TAGS_SET, Opcode.SET_PARAMS]
    row = world.instance(running)
    assert (row.state, row.task) == (State.ACTIVE, None)
    nic = {"ip": "192.0.2.2", "mac": port.mac, "name": f"port-{port.id}", "mode": "bridged", "link": "br0"}
    assert world.rapi.nics == [(row.ganeti_name, True, [["add", -1, nic]])]
    facts = ("ip4:192.0.2.2/29", "gw4:192.0.2.1")
    assert world.rapi.tags[row.ganeti_name] == [
        "syros:host:web",
        *(f"syros:port-{port.id}:{fact}" for fact in facts),
        *(f"syros:port-{port.id}:fw:0:{rule}" for rule in ("on", "e4:*:*:*", "e6:*:*:*", "i4:*:*:192.0.2.2/32")),
    ]
    assert interfaces.get(world.cloud, world.caller, running, port.id).coming is False
    assert ips(world, running) == ["192.0.2.2"]


def test_a_stopped_server_is_given_it_without_hotplug(world: World, running: str, network: str) -> None:
    world.act(running, Action.STOP)
    world.finish(running)
    port_id = attach(world, running, network_id=network).view.port.id
    world.run_out(running)
    detach(world, running, port_id)
    world.run_out(running)
    assert [hotplug for _, hotplug, _ in world.rapi.nics] == [False, False]
    assert (world.instance(running).state, ips(world, running)) == (State.STOPPED, [])


def test_a_detached_interface_is_gone_with_its_address_and_what_nodes_were_told(
    world: World, running: str, attached: str
) -> None:
    detach(world, running, attached)
    row = world.instance(running)
    assert (row.task, ips(world, running)) == (Task.DETACHING, ["192.0.2.2"])

    assert world.run_out(running) == [Opcode.SET_PARAMS, Opcode.TAGS_DEL]
    assert world.rapi.nics[-1] == (row.ganeti_name, True, [["remove", f"port-{attached}", {}]])
    assert world.rapi.tags[row.ganeti_name] == ["syros:host:web"]
    assert (world.instance(running).task, all_ports(world)) == (None, 0)


def test_what_the_instance_was_told_is_removed_even_if_its_subnet_says_otherwise_now(
    world: World, running: str, attached: str
) -> None:
    row = world.instance(running)
    world.rapi.tags[row.ganeti_name] = ["foreign", f"syros:port-{attached}:gw4:192.0.2.6", "syros:port-other:mtu:9000"]
    detach(world, running, attached)
    world.run_out(running)
    assert world.rapi.tags[row.ganeti_name] == ["foreign", "syros:port-other:mtu:9000"]


def test_interfaces_come_after_those_that_are_there(world: World, network: str) -> None:
    server = world.active("first")
    attach(world, server, network_id=network, ip=ipaddress.ip_address("192.0.2.5"))
    world.run_out(server)
    (first, second) = (each.view.port for each in interfaces.page(world.cloud, world.caller, server))
    assert ips(world, server) == ["192.0.2.2", "192.0.2.5"]
    detach(world, server, first.id)
    world.run_out(server)
    attach(world, server, network_id=network)
    world.run_out(server)
    found = [each.view.port for each in interfaces.page(world.cloud, world.caller, server)]
    assert (found[0].id, found[1].number > second.number) == (second.id, True)
    # the second was not the host's first, so that was told already
    assert sum(tag.startswith("syros:host:") for tag in world.rapi.tags[world.instance(server).ganeti_name]) == 1


def test_without_a_wish_it_is_the_network_that_a_create_would_choose(world: World, running: str, network: str) -> None:
    assert attach(world, running).view.port.network_id == network


def test_where_there_is_no_network_to_choose_it_says_so(world: World, running: str) -> None:
    with pytest.raises(Invalid, match="net_id"):
        attach(world, running)
    assert world.instance(running).task is None


def test_a_port_of_ones_own_is_attached_and_free_again_afterwards(world: World, running: str, network: str) -> None:
    port_id = own_port(world, network)
    attach(world, running, port_id=port_id)
    world.run_out(running)
    assert ips(world, running) == ["192.0.2.2"]
    detach(world, running, port_id)
    world.run_out(running)
    assert is_free(world, port_id)


@pytest.mark.parametrize("sent", [0, 1])
def test_an_attach_that_fails_leaves_nothing(world: World, running: str, network: str, sent: int) -> None:
    attach(world, running, network_id=network)
    for _ in range(sent):
        world.finish(running)
    world.finish(running, failed=ganeti.error())
    assert world.run_out(running) == []
    assert (world.instance(running).task, all_ports(world)) == (None, 0)
    again = attach(world, running, network_id=network, ip=ipaddress.ip_address("192.0.2.2"))
    assert [each.ip for each in again.view.addresses] == ["192.0.2.2"]


def test_a_port_of_ones_own_is_free_when_its_attach_fails_or_is_cancelled(
    world: World, running: str, network: str
) -> None:
    port_id = own_port(world, network)
    for outcome in ({"failed": ganeti.error()}, {"canceled": True}):
        attach(world, running, port_id=port_id)
        world.finish(running)
        world.finish(running, **outcome)  # type: ignore[arg-type]
        assert (is_free(world, port_id), world.instance(running).task) == (True, None)


def test_a_submit_that_ganeti_refuses_is_a_failure_too(world: World, running: str, network: str) -> None:
    attach(world, running, network_id=network)
    world.finish(running)
    world.rapi.refusals = [ganeti.refused()]
    world.submit()
    assert (world.instance(running).task, all_ports(world)) == (None, 0)


def test_a_detach_that_fails_or_is_refused_leaves_the_interface(world: World, running: str, attached: str) -> None:
    detach(world, running, attached)
    world.finish(running, failed=ganeti.error())
    detach(world, running, attached)
    world.rapi.refusals = [ganeti.refused()]
    world.submit()
    assert world.run_out(running) == []
    assert (world.instance(running).task, ips(world, running)) == (None, ["192.0.2.2"])


def test_a_nic_that_is_not_there_has_been_detached(world: World, running: str, attached: str) -> None:
    detach(world, running, attached)
    text = f"Cannot find NIC with identifier port-{attached}"
    world.finish(running, failed=ganeti.error(ganeti.PREREQ, text, "unknown_entity"))
    assert (world.instance(running).task, all_ports(world)) == (None, 0)


def lose(world: World, instance_id: str) -> None:
    """Have Ganeti forget the job that is under way."""
    world.submit()
    world.rapi.jobs.clear()
    world.clock.tick(600)
    patience = timedelta(seconds=60)
    sweeper.settle_silent_jobs(world.cloud, world.clients, world.known_backend(), patience=patience)
    assert world.jobs(instance_id)[0].finished_at is not None


def test_an_address_that_the_guest_may_have_is_not_given_to_another(world: World, running: str, network: str) -> None:
    port_id = attach(world, running, network_id=network).view.port.id
    world.finish(running)
    lose(world, running)
    assert (world.instance(running).task, ips(world, running)) == (None, ["192.0.2.2"])

    detach(world, running, port_id)
    world.run_out(running)
    assert all_ports(world) == 0


def test_a_process_that_died_may_have_attached_it(world: World, running: str, network: str) -> None:
    attach(world, running, network_id=network)
    world.finish(running)
    world.finish(running, failed="detected death of job 7")
    assert (world.instance(running).task, ips(world, running)) == (None, ["192.0.2.2"])


def test_a_job_whose_answer_was_lost_is_not_sent_twice(world: World, running: str, network: str) -> None:
    attach(world, running, network_id=network)
    world.rapi.lose_replies = 1
    world.submit()
    world.clock.tick(600)
    assert world.run_out(running) == [Opcode.TAGS_SET, Opcode.SET_PARAMS]
    assert [method for method, _, _ in world.rapi.calls][-2:] == ["tag", "modify"]


def test_an_event_that_comes_twice_changes_nothing(world: World, running: str, attached: str, network: str) -> None:
    detach(world, running, attached)
    job = world.finish(running)
    other = own_port(world, network)
    assert job.ganeti_id is not None
    world.deliver(world.rapi.event(job.ganeti_id))
    world.run_out(running)
    attach(world, running, port_id=other)
    world.run_out(running)
    world.deliver(world.rapi.event(job.ganeti_id))
    assert not is_free(world, other)


def test_while_it_lasts_nothing_else_begins(world: World, running: str, network: str) -> None:
    port_id = attach(world, running, network_id=network).view.port.id
    for attempt in (
        lambda: attach(world, running, network_id=network),
        lambda: detach(world, running, port_id),
        lambda: interfaces.delete_port(world.cloud, world.fresh(), port_id),
        lambda: world.act(running, Action.STOP),
    ):
        with pytest.raises(Busy):
            attempt()
    assert all_ports(world) == 1


@pytest.mark.parametrize("submitted", [0, 1, 2])
def test_a_delete_meanwhile_releases_everything_once(world: World, running: str, network: str, submitted: int) -> None:
    port_id = own_port(world, network)
    attach(world, running, port_id=port_id)
    if submitted:
        world.submit()
    if submitted == 2:
        world.finish(running)
        world.submit()
    world.delete(running)
    world.run_out(running)
    assert (world.instance(running).state, is_free(world, port_id)) == (State.DELETED, True)


@pytest.mark.parametrize("submitted", [False, True])
def test_a_delete_during_a_detach_takes_the_port_along(
    world: World, running: str, attached: str, submitted: bool
) -> None:
    detach(world, running, attached)
    if submitted:
        world.submit()
    world.delete(running)
    world.run_out(running)
    assert (world.instance(running).state, all_ports(world)) == (State.DELETED, 0)


def test_what_was_not_sent_before_a_soft_delete_is_not_there_after_it(sessions: Sessions) -> None:
    world = clouds.world(sessions, settings=CloudSettings(reclaim_after=3600))
    server = world.active()
    network = made_networks.add(world.cloud, "192.0.2.0/29")
    attach(world, server, network_id=network)
    soft_deletes.delete(world.cloud, world.fresh(), server)
    assert (all_ports(world), world.run_out(server)) == (0, [Opcode.SHUTDOWN])


def test_a_port_that_is_deleted_is_detached_first(world: World, running: str, network: str) -> None:
    port_id = own_port(world, network)
    attach(world, running, port_id=port_id)
    world.run_out(running)
    interfaces.delete_port(world.cloud, world.fresh(), port_id)
    assert ips(world, running) == ["192.0.2.2"]
    world.run_out(running)
    assert (ips(world, running), all_ports(world)) == ([], 0)
    interfaces.delete_port(world.cloud, world.fresh(), own_port(world, network))
    assert all_ports(world) == 0


def test_an_interface_is_found_by_its_address(world: World, running: str, attached: str) -> None:
    with pytest.raises(Invalid, match=r"192\.0\.2\.9"):
        interfaces.detach_address(world.cloud, world.fresh(), running, ipaddress.ip_address("192.0.2.9"))
    interfaces.detach_address(world.cloud, world.fresh(), running, ipaddress.ip_address("192.0.2.2"))
    world.run_out(running)
    assert (all_ports(world), attached in str(world.rapi.nics[-1])) == (0, True)


def test_what_is_not_there_is_not_found(world: World, running: str, attached: str, network: str) -> None:
    loose = own_port(world, network)
    for attempt in (
        lambda: attach(world, running, network_id="none"),
        lambda: attach(world, running, port_id="none"),
        lambda: attach(world, "none", network_id=network),
        lambda: detach(world, running, loose),
        lambda: detach(world, running, "none"),
        lambda: interfaces.get(world.cloud, world.caller, running, loose),
        lambda: interfaces.delete_port(world.cloud, world.fresh(), "none"),
        lambda: interfaces.delete_port(world.cloud, world.stranger_caller(), attached),
        lambda: interfaces.page(world.cloud, world.stranger_caller(), running),
    ):
        with pytest.raises(NotFound):
            attempt()


def test_a_port_that_a_server_has_is_not_attached_to_another(world: World, running: str, attached: str) -> None:
    with pytest.raises(Conflict, match="already"):
        attach(world, running, port_id=attached)


def test_an_address_that_is_in_use_or_nobodys_is_refused(world: World, running: str, attached: str) -> None:
    network = ports.get(world.cloud, world.caller, attached).port.network_id
    with pytest.raises(Conflict, match="in use"):
        attach(world, running, network_id=network, ip=ipaddress.ip_address("192.0.2.2"))
    with pytest.raises(Invalid, match="no subnet"):
        attach(world, running, network_id=network, ip=ipaddress.ip_address("198.51.100.1"))
    assert (all_ports(world), world.instance(running).task) == (1, None)


def test_a_server_has_no_more_interfaces_than_ganeti_allows(world: World, running: str) -> None:
    network = made_networks.add(world.cloud, "192.0.2.0/24")
    for _ in range(interfaces.MOST):
        attach(world, running, network_id=network)
        world.run_out(running)
    with pytest.raises(Conflict, match="8"):
        attach(world, running, network_id=network)


def test_a_locked_server_is_left_alone_and_a_reader_changes_nothing(
    world: World, running: str, network: str, attached: str
) -> None:
    reader = world.fresh(roles=(Role.READER,))
    assert len(interfaces.page(world.cloud, reader, running)) == 1
    with pytest.raises(Forbidden):
        interfaces.attach(world.cloud, reader, running, Interface(network_id=network))
    with pytest.raises(Forbidden):
        interfaces.detach(world.cloud, reader, running, attached)
    instances.set_locked(world.cloud, world.fresh(), running, locked=True)
    with pytest.raises(Conflict, match="locked"):
        interfaces.delete_port(world.cloud, world.fresh(), attached)


def test_a_network_is_not_deleted_under_an_interface(world: World, running: str, attached: str) -> None:
    network = ports.get(world.cloud, world.caller, attached).port.network_id
    with pytest.raises(Conflict, match="ports"):
        networks.delete(world.cloud, made_networks.operator(), network)
