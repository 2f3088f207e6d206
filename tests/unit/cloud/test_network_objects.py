"""Networks as Ganeti's objects: made before the first NIC, named by NICs, gone after the last; whoever crashes."""

from __future__ import annotations

import ipaddress

import pytest

from cloud import backends, instances, interfaces, network_objects, networks
from cloud.instances import CreateSpec
from cloud.network_objects import View
from cloud.ports import Interface, Interfaces
from db.instances import State as InstanceState
from db.network_objects import State
from lab import process
from rapi.errors import RapiUnreachable
from tests.support import ganeti
from tests.support import networks as made_networks
from tests.support.clouds import World

FAILED = ganeti.error("OpExecError", "Cannot create IP address pool")
LEASE = 46


@pytest.fixture
def objects(world: World) -> World:
    """A world whose operator wants objects."""
    backends.change(world.cloud, world.backend.name, backends.BackendChange(network_objects=True))
    return world


@pytest.fixture
def network(objects: World) -> str:
    return made_networks.add(objects.cloud, "192.0.2.0/28")


def view(world: World, network: str) -> View:
    (found,) = network_objects.of_network(world.cloud, network)
    return found


def state(world: World, network: str) -> State | None:
    row = view(world, network).row
    return row.state if row is not None else None


def name_of(network: str) -> str:
    return f"syros-net-{network}"


def sent(world: World) -> list[str]:
    return [method for method, _, _ in world.rapi.calls]


def active(world: World) -> str:
    """Make a server, with its networks' objects if there are to be any."""
    instance_id = world.create_one()
    world.submit()
    world.settle_networks()
    world.finish(instance_id)
    world.look()
    return instance_id


def removed(world: World, instance_id: str) -> None:
    world.delete(instance_id)
    world.finish(instance_id)
    assert world.instance(instance_id).state is InstanceState.DELETED


def sweep(world: World) -> int:
    world.clock.tick()
    return network_objects.sweep(world.cloud, world.known_backend())


def test_the_first_port_has_the_network_made_and_connected_and_its_nic_names_it(objects: World, network: str) -> None:
    server = objects.create_one()
    objects.submit()
    assert (sent(objects), state(objects, network)) == ([], State.ADDING)
    assert objects.settle_networks() == ["add-network", "connect-network"]
    assert state(objects, network) is State.CONNECTED
    shown = objects.rapi.networks.get(name_of(network))
    assert (shown["network"], shown["group_list"]) == ("192.0.2.0/28", [["default", "bridged", "br0", ""]])
    assert shown["tags"][:2] == ["syros", "flat"]
    objects.submit()
    (nic,) = objects.rapi.created[0].nics
    assert (nic.network, nic.ip) == (name_of(network), "192.0.2.2")
    assert "mode" not in nic.body()
    assert objects.jobs(server)[0].attempts == 1


def test_the_second_port_adds_no_job_and_the_last_takes_the_network_along(objects: World, network: str) -> None:
    first, second = active(objects), active(objects)
    assert sent(objects) == ["add-network", "connect-network", "create", "create"]
    removed(objects, first)
    assert sweep(objects) == 0
    removed(objects, second)
    assert sweep(objects) == 1
    assert objects.settle_networks() == ["disconnect-network", "remove-network"]
    assert (state(objects, network), objects.rapi.networks.shown) == (None, {})


def test_without_the_choice_nothing_is_made_and_nics_have_mode_and_link(world: World) -> None:
    made_networks.add(world.cloud, "192.0.2.0/28")
    server = world.create_one()
    world.submit()
    assert sent(world) == ["create"]
    (nic,) = world.rapi.created[0].nics
    assert (nic.network, nic.mode, nic.link) == (None, "bridged", "br0")
    assert world.jobs(server)[0].attempts == 1


@pytest.mark.parametrize(
    ("cidrs", "why"),
    [
        (["10.0.0.0/16"], "10.0.0.0/16"),
        (["10.0.0.0/31"], "10.0.0.0/31"),
        (["2001:db8::/64"], "0 IPv4 subnets"),
        (["10.0.0.0/24", "10.0.1.0/24"], "2 IPv4 subnets"),
        (["10.0.0.0/24", "2001:db8::/64", "2001:db8:1::/64"], "2 IPv6 subnets"),
    ],
)
def test_a_network_that_ganeti_has_no_object_of_stays_without_and_says_why(
    objects: World, cidrs: list[str], why: str
) -> None:
    network = made_networks.add(objects.cloud, *cidrs)
    objects.create_one()
    objects.submit()
    assert sent(objects) == ["create"]
    assert objects.rapi.created[0].nics[0].network is None
    found = view(objects, network)
    assert found.row is None
    assert why in (found.why or "")


def test_ipv6_is_said_of_the_network_and_an_address_of_it_of_no_nic(objects: World) -> None:
    network = made_networks.add(objects.cloud, "192.0.2.0/28", "2001:db8::/64")
    active(objects)
    shown = objects.rapi.networks.get(name_of(network))
    assert shown["network6"] == "2001:db8::/64"
    (nic,) = objects.rapi.created[0].nics
    assert nic.ip == "192.0.2.2"


def test_an_interface_that_is_attached_waits_for_its_network_and_names_it(objects: World) -> None:
    server = objects.active()
    network = made_networks.add(objects.cloud, "192.0.2.0/28")
    interfaces.attach(objects.cloud, objects.fresh(), server, Interface(network_id=network))
    objects.finish(server)  # its tags
    objects.submit()
    assert sent(objects)[-1] == "tag"
    assert objects.settle_networks() == ["add-network", "connect-network"]
    objects.finish(server)
    (nic,) = objects.rapi.instances[f"syros-{server}"].nics
    assert (nic.network, nic.ip, nic.link) == (name_of(network), "192.0.2.2", "br0")
    port_id = interfaces.page(objects.cloud, objects.fresh(), server)[0].view.port.id
    interfaces.detach(objects.cloud, objects.fresh(), server, port_id)
    while any(job.finished_at is None for job in objects.jobs(server)):
        objects.finish(server)
    assert sweep(objects) == 1
    objects.settle_networks()
    assert objects.rapi.networks.shown == {}


def test_a_network_that_cannot_be_made_is_done_without_and_tried_again_later(objects: World, network: str) -> None:
    first = objects.create_one()
    objects.submit()
    objects.keep()
    for job_id in objects.rapi.open_jobs():
        objects.rapi.finish(job_id, failed=FAILED)
    objects.keep()
    assert state(objects, network) is State.ERROR
    assert "Cannot create IP address pool" in (view(objects, network).why or "")
    objects.finish(first)
    assert objects.rapi.created[0].nics[0].network is None
    objects.create_one()
    objects.submit()
    assert sent(objects).count("create") == 2
    objects.clock.tick(301)
    backends.refresh(objects.cloud, objects.clients, objects.known_backend())
    third = objects.create_one()
    objects.submit()
    assert objects.settle_networks() == ["add-network", "connect-network"]
    objects.finish(third)
    assert objects.rapi.created[2].nics[0].network == name_of(network)


def test_what_ganeti_refuses_to_take_is_an_error_too(objects: World, network: str) -> None:
    objects.create_one()
    objects.submit()
    objects.rapi.refusals = [ganeti.refused(reason="Invalid body parameters")]
    objects.keep()
    assert (state(objects, network), view(objects, network).why) == (State.ERROR, "Invalid body parameters")


def test_a_full_queue_is_waited_for(objects: World, network: str) -> None:
    objects.create_one()
    objects.submit()
    objects.rapi.refusals = [ganeti.refused(500, reason="Queue drained", retryable=True)]
    objects.keep()
    assert state(objects, network) is State.ADDING
    assert objects.keep() == 0, "there is a pause"
    objects.clock.tick(5)
    objects.settle_networks()
    assert state(objects, network) is State.CONNECTED


def test_what_goes_wrong_with_networks_keeps_no_other_server_waiting(objects: World) -> None:
    made_networks.add(objects.cloud, "192.0.2.0/28")
    objects.create_one()
    objects.submit()
    spec = CreateSpec("web", objects.flavor.id, objects.image.id, interfaces=Interfaces(automatic=False))
    instances.create(objects.cloud, objects.fresh(), spec)

    def broken(_name: str) -> dict[str, object]:
        raise KeyError("network")

    objects.rapi.networks.get = broken  # type: ignore[method-assign]
    submitter = objects.submitter()
    submitter.start()
    process.wait_until(lambda: sent(objects) == ["create"], what="the other server is made", timeout=30)
    submitter.stop()
    assert "network" in objects.rapi.asked


def test_two_submitters_that_land_ports_at_once_make_one_network(objects: World, network: str) -> None:
    for _ in range(2):
        objects.create_one()
    for _ in range(2):
        objects.submitter().serve(objects.known_backend())
    assert objects.keep() == 1
    assert objects.keep() == 1, "it looks at the jobs, and submits no more"
    assert objects.settle_networks() == []
    assert sent(objects) == ["add-network", "connect-network"]


def test_a_keeper_that_dies_between_call_and_note_is_made_up_for_by_the_jobs_reason(
    objects: World, network: str
) -> None:
    objects.create_one()
    objects.submit()
    objects.rapi.lose_replies = 1
    with pytest.raises(RapiUnreachable):
        objects.keep()
    assert objects.keep() == 0, "while the claim lasts nobody takes it"
    objects.clock.tick(LEASE)
    assert objects.settle_networks() == ["connect-network"]
    assert state(objects, network) is State.CONNECTED
    assert sent(objects) == ["add-network", "connect-network"]


def test_a_job_that_ended_unheard_is_seen_by_what_it_did(objects: World, network: str) -> None:
    objects.create_one()
    objects.submit()
    objects.rapi.lose_replies = 1
    with pytest.raises(RapiUnreachable):
        objects.keep()
    objects.rapi.finish(1)
    objects.rapi.forget(1)
    objects.clock.tick(LEASE)
    assert objects.settle_networks() == ["connect-network"]
    assert state(objects, network) is State.CONNECTED


def test_a_backend_out_of_reach_leaves_the_network_for_later(objects: World, network: str) -> None:
    objects.create_one()
    objects.submit()
    objects.rapi.unreachable = True
    with pytest.raises(RapiUnreachable):
        objects.keep()
    objects.rapi.unreachable = False
    objects.settle_networks()
    assert state(objects, network) is State.CONNECTED


@pytest.mark.parametrize("done", [0, 1, 2])
def test_a_port_that_lands_during_the_removal_has_the_network_made_whole_again(
    objects: World, network: str, done: int
) -> None:
    removed(objects, active(objects))
    sweep(objects)
    for _ in range(done):
        objects.keep()
        for job_id in objects.rapi.open_jobs():
            objects.rapi.finish(job_id)
    second = objects.create_one()
    objects.submit()
    assert state(objects, network) is State.ADDING
    objects.settle_networks()
    objects.finish(second)
    assert objects.rapi.instances[f"syros-{second}"].nics[0].network == name_of(network)
    assert objects.rapi.networks.get(name_of(network))["group_list"] == [["default", "bridged", "br0", ""]]


def test_a_port_that_lands_while_the_disconnect_is_under_way_waits_for_it(objects: World, network: str) -> None:
    removed(objects, active(objects))
    sweep(objects)
    objects.keep()
    objects.create_one()
    objects.submit()
    objects.keep()
    assert sent(objects)[-1] == "disconnect-network"
    assert objects.settle_networks() == ["connect-network"]
    assert state(objects, network) is State.CONNECTED


def test_a_network_that_somebody_elses_instance_has_a_nic_in_stays(objects: World, network: str) -> None:
    server = active(objects)
    objects.rapi.instances["by-hand"] = ganeti.FakeInstance("by-hand", 1, 128)
    objects.rapi.instances["by-hand"].nics = list(objects.rapi.instances[f"syros-{server}"].nics)
    removed(objects, server)
    assert sweep(objects) == 1
    assert objects.settle_networks() == []
    assert state(objects, network) is State.CONNECTED
    assert sweep(objects) == 0, "there is a pause"
    del objects.rapi.instances["by-hand"]
    objects.clock.tick(301)
    sweep(objects)
    objects.settle_networks()
    assert objects.rapi.networks.shown == {}


def test_a_removal_that_ganeti_refuses_is_taken_back(objects: World, network: str) -> None:
    removed(objects, active(objects))
    sweep(objects)
    objects.keep()
    (job,) = objects.rapi.open_jobs()
    objects.rapi.finish(job, failed=ganeti.error("OpPrereqError", "Conflicting IP addresses found", "wrong_state"))
    objects.settle_networks()
    assert state(objects, network) is State.CONNECTED
    assert sweep(objects) == 0


def test_an_object_goes_after_its_network(objects: World, network: str) -> None:
    removed(objects, active(objects))
    networks.delete(objects.cloud, made_networks.operator(), network)
    sweep(objects)
    assert objects.settle_networks() == ["disconnect-network", "remove-network"]
    assert network_objects.of_network(objects.cloud, network)[0].row is None


def test_a_new_node_group_is_connected(objects: World, network: str) -> None:
    active(objects)
    backend = objects.known_backend()
    assert network_objects.follow_groups(objects.cloud, objects.clients, backend) == 0
    objects.rapi.networks.groups.append("second")
    assert network_objects.follow_groups(objects.cloud, objects.clients, backend) == 1
    assert objects.settle_networks() == ["connect-network"]
    row = view(objects, network).row
    assert row is not None
    assert row.groups == ["default", "second"]


def test_a_subnet_that_comes_later_leaves_the_object_and_gives_nics_without_an_address(
    objects: World, network: str
) -> None:
    active(objects)
    made_networks.add_subnet(objects.cloud, network, "198.51.100.0/28")
    wanted = Interface(network_id=network, ip=ipaddress.ip_address("198.51.100.5"))
    spec = CreateSpec("web", objects.flavor.id, objects.image.id, interfaces=Interfaces(False, (wanted,)))
    instances.create(objects.cloud, objects.fresh(), spec)
    objects.submit()
    (nic,) = objects.rapi.created[1].nics
    assert (nic.network, nic.ip) == (name_of(network), None)


def test_a_choice_that_was_taken_back_leaves_nics_and_takes_the_network_when_ganeti_lets_it_go(
    objects: World, network: str
) -> None:
    server = active(objects)
    backends.change(objects.cloud, objects.backend.name, backends.BackendChange(network_objects=False))
    second = active(objects)
    assert objects.rapi.instances[f"syros-{second}"].nics[0].network is None
    assert sweep(objects) == 1
    assert objects.settle_networks() == [], "a NIC is in it still"
    removed(objects, server)
    objects.clock.tick(301)
    sweep(objects)
    objects.settle_networks()
    assert objects.rapi.networks.shown == {}
