"""Ports and their addresses: what a server gets, what is refused, and what is free again afterwards."""

from __future__ import annotations

import ipaddress

import pytest

from cloud import address_history, addresses, creations, guest_network, nics, ports
from cloud import networks as cloud_networks
from cloud.fixed_ips import FixedIp
from cloud.networks import NetworkSpec
from cloud.ports import Interface, Interfaces, PortChange, PortSpec
from common.errors import Conflict, Invalid, NotFound
from db import ports as port_rows
from db.networks import Kind
from db.ports import Filter
from tests.support import networks
from tests.support.clouds import World


def create(world: World, interfaces: Interfaces | None = None, *, count: int = 1) -> list[str]:
    spec = creations.CreateSpec(
        name="web",
        flavor_id=world.flavor.id,
        image_id=world.image.id,
        min_count=count,
        max_count=count,
        interfaces=interfaces or Interfaces(),
    )
    return [row.id for row in creations.create(world.cloud, world.fresh(), spec)]


def on(*interfaces: Interface) -> Interfaces:
    return Interfaces(automatic=False, wanted=interfaces)


def ips(world: World, instance_id: str) -> list[str]:
    return [each.ip for each in ports.shown(world.cloud, [instance_id]).get(instance_id, ())]


def all_ports(world: World) -> int:
    return len(ports.page(world.cloud, networks.operator(), Filter(), limit=100))


def test_a_server_that_names_no_network_gets_an_address_of_the_only_one(world: World) -> None:
    networks.add(world.cloud, "192.0.2.0/29", "2001:db8::/64")

    (one,) = create(world)

    v4, v6 = ips(world, one)
    assert v4 == "192.0.2.2"
    assert ipaddress.ip_address(v6) in ipaddress.ip_network("2001:db8::/64")


def test_of_several_networks_the_default_is_meant(world: World) -> None:
    networks.add(world.cloud, "192.0.2.0/29", name="first")
    networks.add(world.cloud, "198.51.100.0/29", name="second", is_default=True)

    assert ips(world, create(world)[0]) == ["198.51.100.2"]


def test_where_several_networks_are_possible_and_none_is_the_default_one_has_to_be_named(world: World) -> None:
    networks.add(world.cloud, "192.0.2.0/29", name="first")
    networks.add(world.cloud, "198.51.100.0/29", name="second")

    with pytest.raises(Conflict, match="networks"):
        create(world)
    assert world.used() == (0, 0, 0)


def test_a_network_that_is_down_or_of_another_project_is_not_chosen(world: World) -> None:
    networks.add(world.cloud, "192.0.2.0/29", shared=False)

    assert ips(world, create(world)[0]) == []


def test_a_server_may_be_without_any_network(world: World) -> None:
    networks.add(world.cloud, "192.0.2.0/29")

    assert ips(world, create(world, on())[0]) == []


def test_a_server_is_in_the_networks_it_names_in_that_order(world: World) -> None:
    first = networks.add(world.cloud, "192.0.2.0/29", name="first")
    second = networks.add(world.cloud, "198.51.100.0/29", name="second")

    (one,) = create(world, on(Interface(network_id=second), Interface(network_id=first)))

    assert ips(world, one) == ["198.51.100.2", "192.0.2.2"]


def test_the_address_that_is_asked_for_is_given_once(world: World) -> None:
    network = networks.add(world.cloud, "192.0.2.0/29")
    wanted = on(Interface(network_id=network, ip=ipaddress.ip_address("192.0.2.5")))

    (one,) = create(world, wanted)

    assert ips(world, one) == ["192.0.2.5"]
    with pytest.raises(Conflict, match=r"192\.0\.2\.5 is in use"):
        create(world, wanted)


@pytest.mark.parametrize("ip", ["192.0.2.0", "192.0.2.7", "192.0.2.1", "203.0.113.1", "2001:db8::1"])
def test_an_address_that_no_guest_can_have_is_refused(world: World, ip: str) -> None:
    network = networks.add(world.cloud, "192.0.2.0/29")

    with pytest.raises(Invalid, match=ip):
        create(world, on(Interface(network_id=network, ip=ipaddress.ip_address(ip))))


def test_when_no_address_is_left_nothing_is_made(world: World) -> None:
    networks.add(world.cloud, "192.0.2.0/29")
    create(world, count=4)

    with pytest.raises(addresses.Exhausted, match="no free address"):
        create(world, count=2)

    assert world.used()[0] == 4
    assert all_ports(world) == 4


def test_a_second_subnet_takes_over_when_the_first_is_full(world: World) -> None:
    network = networks.add(world.cloud, "192.0.2.0/30", "198.51.100.0/29")
    create(world)

    assert ips(world, create(world)[0]) == ["198.51.100.2"]
    assert network


def test_the_addresses_of_a_deleted_server_are_free_again_and_given_last(world: World) -> None:
    networks.add(world.cloud, "192.0.2.0/29")
    first, second = create(world)[0], create(world)[0]
    world.delete(first)
    assert all_ports(world) == 1

    given = [ips(world, one)[0] for one in create(world, count=3)]

    assert given == ["192.0.2.4", "192.0.2.5", "192.0.2.6"]
    world.delete(second)
    assert sorted(ips(world, one)[0] for one in create(world, count=2)) == ["192.0.2.2", "192.0.2.3"]


def test_a_port_of_ones_own_outlives_the_server_and_keeps_its_address(world: World) -> None:
    network = networks.add(world.cloud, "192.0.2.0/29")
    port = ports.create(world.cloud, world.fresh(), [PortSpec(network_id=network, name="mine")])[0].port

    (one,) = create(world, on(Interface(port_id=port.id)))
    assert ips(world, one) == ["192.0.2.2"]
    with pytest.raises(Conflict, match="already"):
        create(world, on(Interface(port_id=port.id)))
    with pytest.raises(Conflict, match=one):
        ports.delete(world.cloud, world.fresh(), port.id)

    world.delete(one)
    kept = ports.get(world.cloud, world.fresh(), port.id)
    assert (kept.port.instance_id, [each.ip for each in kept.addresses]) == (None, ["192.0.2.2"])
    ports.delete(world.cloud, world.fresh(), port.id)
    assert all_ports(world) == 0


def test_a_port_named_twice_is_refused(world: World) -> None:
    network = networks.add(world.cloud, "192.0.2.0/29")
    port = ports.create(world.cloud, world.fresh(), [PortSpec(network_id=network)])[0].port

    with pytest.raises(Invalid, match="twice"):
        create(world, on(Interface(port_id=port.id), Interface(port_id=port.id)))


def test_what_is_another_projects_is_not_there(world: World) -> None:
    network = networks.add(world.cloud, "192.0.2.0/29")
    port = ports.create(world.cloud, world.fresh(), [PortSpec(network_id=network)])[0].port
    stranger = world.stranger_caller()

    with pytest.raises(NotFound):
        ports.get(world.cloud, stranger, port.id)
    with pytest.raises(NotFound):
        ports.delete(world.cloud, stranger, port.id)
    assert ports.page(world.cloud, stranger, Filter(), limit=10) == []
    with pytest.raises(Invalid, match="there is no port"):
        spec = creations.CreateSpec(
            name="thief",
            flavor_id=world.flavor.id,
            image_id=world.image.id,
            interfaces=on(Interface(port_id=port.id)),
        )
        creations.create(world.cloud, stranger, spec)


def test_an_address_may_be_asked_for_by_subnet(world: World) -> None:
    network = networks.add(world.cloud, "192.0.2.0/29")
    other = networks.add_subnet(world.cloud, network, "198.51.100.0/29")

    spec = PortSpec(network_id=network, fixed_ips=(FixedIp(subnet_id=other.id),))
    (made,) = ports.create(world.cloud, world.fresh(), [spec])

    assert [each.ip for each in made.addresses] == ["198.51.100.2"]


def test_a_mac_that_is_in_use_is_refused(world: World) -> None:
    network = networks.add(world.cloud, "192.0.2.0/29")
    spec = PortSpec(network_id=network, mac="02:00:00:00:00:01")
    ports.create(world.cloud, world.fresh(), [spec])

    with pytest.raises(Conflict, match="mac_address"):
        ports.create(world.cloud, world.fresh(), [spec])


def test_ganeti_is_told_the_mac_the_first_address_and_the_link(world: World) -> None:
    networks.add(world.cloud, "192.0.2.0/29", "2001:db8::/64", link="br7")
    (one,) = create(world)
    world.submit()

    (sent,) = world.rapi.created
    with world.cloud.sessions.read() as db:
        (port,) = port_rows.of_instance(db, one)
    assert [nic.body() for nic in sent.nics] == [
        {"ip": "192.0.2.2", "mac": port.mac, "name": f"port-{port.id}", "mode": "bridged", "link": "br7"}
    ]


def test_a_guest_is_told_its_addresses_and_one_way_out_for_each_ip_version(world: World) -> None:
    first = networks.add(world.cloud, "192.0.2.0/29", "2001:db8::/64", name="first")
    second = networks.add(world.cloud, "198.51.100.0/29", name="second")
    (one,) = create(world, on(Interface(network_id=first), Interface(network_id=second)))

    with world.cloud.sessions.read() as db:
        told = guest_network.config(port_rows.places(db, [one])[one])

    assert told is not None
    one_port, two = told["ethernets"]["port0"], told["ethernets"]["port1"]
    assert one_port["addresses"] == ["192.0.2.2/29"]
    assert one_port["routes"] == [{"to": "0.0.0.0/0", "via": "192.0.2.1"}]
    assert one_port["accept-ra"] is True
    assert (two["addresses"], two["routes"]) == (["198.51.100.2/29"], [])
    assert nics.of(()) == ()


@pytest.mark.parametrize(
    ("mac", "expected"),
    [("02:53:79:aa:bb:cc", "2001:db8::53:79ff:feaa:bbcc"), ("00:16:3e:00:00:01", "2001:db8::216:3eff:fe00:1")],
)
def test_an_address_made_of_a_mac_is_the_one_that_the_guest_makes(mac: str, expected: str) -> None:
    assert str(addresses.from_mac(ipaddress.ip_network("2001:db8::/64"), mac)) == expected


def test_a_port_of_a_routed_network_has_an_address(world: World) -> None:
    spec = NetworkSpec(name="out", kind=Kind.ROUTED, link="public", shared=True)
    (view,) = cloud_networks.create(world.cloud, networks.operator(), [spec])
    wanted = view.network.id
    with pytest.raises(Conflict, match="routed"):
        create(world, on(Interface(network_id=wanted)))
    with pytest.raises(Conflict, match="routed"):
        ports.create(world.cloud, world.caller, [PortSpec(network_id=wanted)])
    networks.add_subnet(world.cloud, wanted, "192.0.2.0/29")
    with pytest.raises(Conflict, match="routed"):
        ports.create(world.cloud, world.caller, [PortSpec(network_id=wanted, fixed_ips=())])

    (one,) = create(world, on(Interface(network_id=wanted)))

    with world.cloud.sessions.read() as db:
        (nic,) = nics.of(port_rows.places(db, [one])[one])
    assert (nic.mode, nic.link, nic.ip) == ("routed", "public", "192.0.2.2")


def test_the_metadata_service_s_mac_is_nobody_else_s(world: World) -> None:
    network = networks.add(world.cloud, "192.0.2.0/24", name="of all")
    spec = PortSpec(network_id=network, mac="02:53:79:a9:fe:fe")
    with pytest.raises(Conflict, match="is in use"):
        ports.create(world.cloud, world.fresh(), [spec])


def test_a_port_that_no_server_has_is_given_other_addresses_and_keeps_those_that_it_has(world: World) -> None:
    network = networks.add(world.cloud, "192.0.2.0/29", "2001:db8::/64")
    (made,) = ports.create(world.cloud, world.fresh(), [PortSpec(network_id=network)])
    v4, v6 = made.addresses
    wanted = (FixedIp(ip=ipaddress.ip_address("192.0.2.5")), FixedIp(subnet_id=v6.subnet_id))
    changed = ports.update(world.cloud, world.fresh(), made.port.id, PortChange(fixed_ips=wanted))
    assert [each.ip for each in changed.addresses] == ["192.0.2.5", v6.ip]
    # what it had is free again
    claim = PortSpec(network_id=network, fixed_ips=(FixedIp(ip=ipaddress.ip_address(v4.ip)),))
    (other,) = ports.create(world.cloud, world.fresh(), [claim])
    taken = (FixedIp(ip=ipaddress.ip_address("192.0.2.5")), FixedIp(ip=ipaddress.ip_address(v4.ip)))
    with pytest.raises(Conflict, match="in use"):
        ports.update(world.cloud, world.fresh(), made.port.id, PortChange(fixed_ips=taken))
    assert [each.ip for each in ports.get(world.cloud, world.fresh(), made.port.id).addresses] == ["192.0.2.5", v6.ip]
    with pytest.raises(Invalid, match="is in no subnet"):
        elsewhere = (FixedIp(ip=ipaddress.ip_address("198.51.100.1")),)
        ports.update(world.cloud, world.fresh(), made.port.id, PortChange(fixed_ips=elsewhere))
    assert ports.update(world.cloud, world.fresh(), other.port.id, PortChange(fixed_ips=())).addresses == ()

    (held,) = address_history.page(world.cloud, networks.operator(), ipaddress.ip_address("192.0.2.5"), limit=9)
    assert (held.port_id, held.until) == (made.port.id, None)
    first, *_, last = address_history.page(world.cloud, networks.operator(), ipaddress.ip_address(v4.ip), limit=9)
    assert (first.port_id, last.port_id, last.until is None) == (other.port.id, made.port.id, False)


def test_a_servers_port_keeps_its_addresses(world: World) -> None:
    network = networks.add(world.cloud, "192.0.2.0/29")
    (own,) = ports.create(world.cloud, world.fresh(), [PortSpec(network_id=network)])
    create(world, on(Interface(port_id=own.port.id)))
    with pytest.raises(Conflict, match="is an interface of server"):
        ports.update(world.cloud, world.fresh(), own.port.id, PortChange(fixed_ips=()))
    assert list(ports.get(world.cloud, world.fresh(), own.port.id).addresses)
