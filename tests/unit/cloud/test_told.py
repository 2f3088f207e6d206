"""What guests are told changes with their subnets, and reaches the nodes: once, whatever fails, in nobody's way."""

from __future__ import annotations

import ipaddress

import pytest

from cloud import creations, interfaces, networks, ports, subnets, told
from cloud.addresses import Ip
from cloud.creations import CreateSpec
from cloud.networks import NetworkChange
from cloud.ports import Interface, Interfaces
from cloud.states import Action
from cloud.subnets import Route, SubnetChange
from common.errors import Conflict, Invalid
from common.jobs import Opcode
from db import jobs as job_rows
from db.instances import State, Task
from db.networks import Subnet
from db.ports import Filter, Port
from ganeti_hooks.nic import describe
from tests.support import clouds, ganeti
from tests.support import networks as made_networks
from tests.support.clouds import World

DNS = ipaddress.ip_address("192.0.2.53")
OTHER = ipaddress.ip_address("192.0.2.54")


@pytest.fixture
def network(world: World) -> str:
    return made_networks.add(world.cloud, "192.0.2.0/24")


@pytest.fixture
def running(world: World, network: str) -> str:
    assert network
    return world.active()


def subnet_of(world: World, network: str) -> Subnet:
    return networks.get(world.cloud, made_networks.operator(), network).subnets[0]


def change(world: World, network: str, **values: object) -> Subnet:
    """An operator changes the network's one subnet."""
    asked = SubnetChange(**values)  # type: ignore[arg-type]  # the fields of the class
    return subnets.update(world.cloud, made_networks.operator(), subnet_of(world, network).id, asked)


def port_of(world: World, instance_id: str) -> Port:
    wanted = Filter(instance_ids=[instance_id])
    return ports.page(world.cloud, made_networks.operator(), wanted, limit=2)[0].port


def plan(world: World) -> int:
    world.clock.tick()
    return told.plan(world.cloud)


def facts(world: World, instance_id: str, port: Port | None = None) -> dict[str, list[str]]:
    """What the node makes of the tags that Ganeti has of a port of an instance; without one, of its first."""
    port = port or port_of(world, instance_id)
    environ = {
        "INSTANCE": f"syros-{instance_id}",
        "INTERFACE": "tap0",
        "INTERFACE_NAME": f"port-{port.id}",
        "MAC": port.mac,
        "TAGS": " ".join(world.rapi.tags[f"syros-{instance_id}"]),
    }
    return dict(describe(environ).told)


def test_a_name_server_comes_as_a_new_generation_and_a_look_at_it_and_the_old_facts_go(
    world: World, network: str, running: str
) -> None:
    change(world, network, nameservers=(DNS,), routes=(Route(ipaddress.ip_network("198.51.100.0/24"), OTHER),))
    assert plan(world) == 1
    tag, look, untag = world.under_way(running)
    assert (tag.opcode, look.opcode, untag.opcode) == (Opcode.TAGS_SET, Opcode.SET_PARAMS, Opcode.TAGS_DEL)
    name = f"port-{port_of(world, running).id}"
    assert look.spec["nics"] == [["modify", name, {"name": name}]]
    assert not look.spec["hotplug"]

    world.finish(running)
    before = world.rapi.tags[f"syros-{running}"]
    assert facts(world, running)["dns4"] == [str(DNS)], "the whole of the new is told as soon as any of it is"
    assert world.run_out(running) == [Opcode.SET_PARAMS, Opcode.TAGS_DEL]
    assert facts(world, running) == {
        "ip4": [f"{address(world, running)}/24"],
        "gw4": ["192.0.2.1"],
        "dns4": [str(DNS)],
        "route4": [f"198.51.100.0/24@{OTHER}"],
    }
    left = world.rapi.tags[f"syros-{running}"]
    assert len(left) < len(before)
    assert {tag for tag in left if ":fw:" in tag} == {tag for tag in before if ":fw:" in tag}
    assert [tag for tag in left if ":ip4:" in tag and ":told:1:" not in tag] == []
    assert plan(world) == 0


def address(world: World, instance_id: str) -> str:
    wanted = Filter(instance_ids=[instance_id])
    (view,) = ports.page(world.cloud, made_networks.operator(), wanted, limit=2)
    return view.addresses[0].ip


def test_every_thing_that_guests_are_told_is_brought_to_the_node(world: World, network: str, running: str) -> None:
    gateway = ipaddress.ip_address("192.0.2.254")
    with world.cloud.sessions.begin() as db:
        db.get_one(Subnet, subnet_of(world, network).id).pools = [{"start": "192.0.2.1", "end": "192.0.2.99"}]
    change(world, network, changes_gateway=True, gateway=gateway)
    networks.update(world.cloud, made_networks.operator(), network, NetworkChange(mtu=1400))
    assert plan(world) == 1
    world.run_out(running)
    assert (facts(world, running)["gw4"], facts(world, running)["mtu"]) == ([str(gateway)], ["1400"])
    change(world, network, changes_gateway=True, dhcp=False)
    assert plan(world) == 1
    world.run_out(running)
    found = facts(world, running)
    assert ("gw4" in found, found["silent4"]) == (False, ["yes"])


def test_a_network_that_becomes_external_is_the_way_out(world: World, network: str) -> None:
    other = made_networks.add(world.cloud, "198.51.100.0/24", name="other")
    wanted = Interfaces(automatic=False, wanted=(Interface(network_id=network), Interface(network_id=other)))
    spec = CreateSpec(name="two", flavor_id=world.flavor.id, image_id=world.image.id, interfaces=wanted)
    made = creations.create(world.cloud, world.fresh(), spec)[0].id
    world.finish(made)
    both = [view.port for view in ports.page(world.cloud, world.fresh(), Filter(instance_ids=[made]), limit=3)]
    assert ["gw4" in facts(world, made, port) for port in both] == [True, False]
    networks.update(world.cloud, made_networks.operator(), other, NetworkChange(external=True))
    assert plan(world) == 1
    world.run_out(made)
    assert ["gw4" in facts(world, made, port) for port in both] == [False, True]


def test_what_guests_are_not_told_is_no_news(world: World, network: str, running: str) -> None:
    assert running
    change(world, network, name="other", description="another", nameservers=())
    networks.update(world.cloud, made_networks.operator(), network, NetworkChange(name="other", mtu=1500))
    assert plan(world) == 0
    with world.cloud.sessions.read() as db:
        assert [port.told_due_at for port in db.query(Port)] == [None]


def test_a_change_that_is_undone_before_it_left_is_none(world: World, network: str, running: str) -> None:
    assert running
    change(world, network, nameservers=(DNS,))
    change(world, network, nameservers=())
    assert plan(world) == 0


def test_a_server_can_be_used_meanwhile_and_its_history_says_nothing_of_it(
    world: World, network: str, running: str
) -> None:
    change(world, network, nameservers=(DNS,))
    plan(world)
    assert world.instance(running).task is None
    world.act(running, Action.STOP)
    assert world.instance(running).task is Task.STOPPING
    assert world.run_out(running) == [Opcode.TAGS_SET, Opcode.SET_PARAMS, Opcode.TAGS_DEL, Opcode.SHUTDOWN]
    assert world.instance(running).state is State.STOPPED


def test_a_stopped_server_needs_nobody_to_look(world: World, network: str, running: str) -> None:
    world.act(running, Action.STOP)
    world.run_out(running)
    change(world, network, nameservers=(DNS,))
    assert plan(world) == 1
    assert world.run_out(running) == [Opcode.TAGS_SET, Opcode.TAGS_DEL]
    assert facts(world, running)["dns4"] == [str(DNS)]


def test_changes_that_come_meanwhile_wait_and_go_together(world: World, network: str, running: str) -> None:
    change(world, network, nameservers=(DNS,))
    assert plan(world) == 1
    change(world, network, nameservers=(OTHER,))
    change(world, network, nameservers=(OTHER, DNS))
    assert plan(world) == 0
    world.run_out(running)
    assert plan(world) == 1
    world.run_out(running)
    assert facts(world, running)["dns4"] == [str(OTHER), str(DNS)]


@pytest.mark.parametrize("failing", [Opcode.TAGS_SET, Opcode.SET_PARAMS])
def test_a_change_that_failed_is_tried_again_after_a_pause(
    world: World, network: str, running: str, failing: Opcode
) -> None:
    change(world, network, nameservers=(DNS,))
    plan(world)
    while world.under_way(running)[0].opcode != failing:
        world.finish(running)
    world.finish(running, failed=ganeti.error())
    assert world.under_way(running) == []
    assert plan(world) == 0
    world.clock.tick(60)
    assert plan(world) == 1
    world.run_out(running)
    assert facts(world, running)["dns4"] == [str(DNS)]
    world.clock.tick(60)
    assert plan(world) == 0


def test_a_server_that_is_created_meanwhile_is_told_what_is_so_when_its_create_is_sent(
    world: World, network: str
) -> None:
    made = world.create_one()
    change(world, network, nameservers=(DNS,))
    world.finish(made)
    assert facts(world, made)["dns4"] == [str(DNS)]
    assert plan(world) == 0
    change(world, network, nameservers=(OTHER,))
    assert plan(world) == 1


def test_a_change_after_the_create_was_sent_waits_for_the_server(world: World, network: str) -> None:
    made = world.create_one()
    world.submit()
    change(world, network, nameservers=(DNS,))
    assert plan(world) == 0
    world.finish(made)
    assert plan(world) == 1
    world.run_out(made)
    assert facts(world, made)["dns4"] == [str(DNS)]


def test_a_create_that_may_have_been_sent_before_is_told_again(world: World, network: str) -> None:
    made = world.create_one()
    with world.cloud.sessions.begin() as db:
        (job,) = job_rows.of_instance(db, made)
        job.attempts = 1
    change(world, network, nameservers=(DNS,))
    world.finish(made)
    assert plan(world) == 1
    world.run_out(made)
    assert facts(world, made)["dns4"] == [str(DNS)]


def test_an_interface_of_another_network_is_the_way_out_when_the_first_has_none_any_more(
    world: World, network: str
) -> None:
    other = made_networks.add(world.cloud, "198.51.100.0/24", name="other")
    wanted = Interfaces(automatic=False, wanted=(Interface(network_id=network), Interface(network_id=other)))
    spec = CreateSpec(name="two", flavor_id=world.flavor.id, image_id=world.image.id, interfaces=wanted)
    with_both = creations.create(world.cloud, world.fresh(), spec)[0].id
    world.finish(with_both)
    first, second = (
        view.port for view in ports.page(world.cloud, world.fresh(), Filter(instance_ids=[with_both]), limit=3)
    )
    assert ("gw4" in facts(world, with_both, first), "gw4" in facts(world, with_both, second)) == (True, False)
    change(world, network, changes_gateway=True)
    assert plan(world) == 1
    world.run_out(with_both)
    assert ("gw4" in facts(world, with_both, first), "gw4" in facts(world, with_both, second)) == (False, True)


def test_what_came_later_is_told_as_when_it_came(world: World, network: str, running: str) -> None:
    outside = made_networks.add(world.cloud, "198.51.100.0/24", name="outside", external=True)
    change(world, network, nameservers=(OTHER,))
    plan(world)
    world.run_out(running)
    first = port_of(world, running)
    later = interfaces.attach(world.cloud, world.fresh(), running, Interface(network_id=outside)).view.port
    world.run_out(running)
    change(world, network, nameservers=(DNS,))
    change(world, outside, nameservers=(DNS,))
    assert plan(world) == 1
    world.run_out(running)
    for port in (first, later):
        assert "gw4" in facts(world, running, port)
        assert facts(world, running, port)["dns4"] == [str(DNS)]


def test_an_interface_that_left_and_comes_back_is_told_what_is_so(world: World, network: str, running: str) -> None:
    port = ports.create(world.cloud, world.fresh(), [ports.PortSpec(network_id=network)])[0].port
    for server in (DNS, OTHER):
        interfaces.attach(world.cloud, world.fresh(), running, Interface(port_id=port.id))
        world.run_out(running)
        change(world, network, nameservers=(server,))
        assert plan(world) == 1
        world.run_out(running)
        assert facts(world, running, port)["dns4"] == [str(server)]
        interfaces.detach(world.cloud, world.fresh(), running, port.id)
        world.run_out(running)
        assert not [tag for tag in world.rapi.tags[f"syros-{running}"] if port.id in tag]
    assert plan(world) == 0


def test_a_backend_has_a_few_chains_at_a_time_and_those_of_others_go_first(world: World, network: str) -> None:
    several = [world.active(f"web{number}") for number in range(told.AT_ONCE + 2)]
    change(world, network, nameservers=(DNS,))
    assert plan(world) == told.AT_ONCE
    assert plan(world) == 0
    untouched = next(each for each in several if not world.under_way(each))
    world.act(untouched, Action.REBOOT)
    world.submit()
    assert [job.ganeti_id is not None for job in world.under_way(untouched)] == [True]
    for each in several:
        world.run_out(each)
    assert plan(world) == 2
    for each in several:
        world.run_out(each)
        assert facts(world, each)["dns4"] == [str(DNS)]
    assert plan(world) == 0


def test_what_a_change_costs_does_not_depend_on_how_many_there_are(world: World, network: str) -> None:
    counts = []
    for server, more in ((DNS, 1), (OTHER, 6)):
        for _ in range(more):
            world.active()

        def once(new: Ip = server) -> object:
            return change(world, network, nameservers=(new,))

        counts.append(len(clouds.count_statements(world.cloud.sessions, once)))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("gateway", "error"), [("2001:db8::1", Invalid), ("192.0.2.7", Conflict), ("192.0.2.200", Conflict)]
)
def test_a_gateway_that_cannot_be_is_refused(world: World, network: str, gateway: str, error: type[Exception]) -> None:
    with world.cloud.sessions.begin() as db:
        db.get_one(Subnet, subnet_of(world, network).id).pools = [{"start": "192.0.2.1", "end": "192.0.2.99"}]
    fixed = (ports.FixedIp(ip=ipaddress.ip_address("192.0.2.200")),)
    ports.create(world.cloud, world.fresh(), [ports.PortSpec(network_id=network, fixed_ips=fixed)])
    with pytest.raises(error, match="gateway_ip"):
        change(world, network, changes_gateway=True, gateway=ipaddress.ip_address(gateway))
