"""What nodes are told of ports by tags, and what their network script makes of it."""

from __future__ import annotations

import json
import re

import pytest

from cloud import guest_network, instances, nic_tags, nics, segments
from cloud import networks as cloud_networks
from cloud.instances import CreateSpec
from cloud.networks import NetworkSpec
from cloud.ports import Interface, Interfaces
from common import bindings
from db import ports
from db.networks import Kind, Subnet
from ganeti_hooks import kvm_network, mac_filter
from ganeti_hooks.nic import describe
from ganeti_hooks.refused import Refused
from nfdhcpd.lease import Lease
from tests.support import networks
from tests.support.clouds import World


def tags(world: World, instance_id: str) -> tuple[str, ...]:
    with world.cloud.sessions.read() as db:
        return nic_tags.of(ports.places(db, [instance_id]).get(instance_id, ()), hostname="web-1.example", firewalls={})


def change_subnet(world: World, version: int, **values: object) -> None:
    with world.cloud.sessions.begin() as db:
        for row in db.query(Subnet).filter_by(version=version):
            for key, value in values.items():
                setattr(row, key, value)


def environ(world: World, instance_id: str) -> dict[str, str]:
    """The environment that Ganeti gives its network script for the instance's first NIC."""
    with world.cloud.sessions.read() as db:
        place = ports.places(db, [instance_id])[instance_id][0]
    assert place.address is not None
    return {
        "INSTANCE": f"syros-{instance_id}",
        "INTERFACE": "tap3",
        "INTERFACE_NAME": nics.name_of(place.port.id),
        "MAC": place.port.mac,
        "IP": place.address.ip,
        "MODE": "bridged",
        "LINK": "br0",
        "TAGS": " ".join(tags(world, instance_id)),
    }


def test_the_script_makes_a_binding_of_the_tags(world: World) -> None:
    networks.add(world.cloud, "192.0.2.0/29", "2001:db8::/64")
    change_subnet(
        world,
        4,
        gateway="192.0.2.1",
        nameservers=["192.0.2.6", "2001:db8::54", "192.0.2.5"],
        routes=[{"destination": "198.51.100.0/24", "nexthop": "192.0.2.4"}],
    )
    change_subnet(world, 6, gateway="2001:db8::1", nameservers=["2001:db8::53"])
    found = environ(world, world.create_one())

    made = kvm_network.binding(describe(found))

    read = bindings.decode(json.dumps(made).encode())
    assert (read.interface, read.mac, read.link) == ("tap3", found["MAC"], "br0")
    assert (read.hostname, read.domain) == ("web-1", "example")
    assert read.ipv4 is not None
    assert (str(read.ipv4.address), str(read.ipv4.subnet), str(read.ipv4.gateway)) == (
        found["IP"],
        "192.0.2.0/29",
        "192.0.2.1",
    )
    assert [str(each) for each in read.ipv4.nameservers] == ["192.0.2.6", "192.0.2.5"]
    assert [(str(each.destination), str(each.via)) for each in read.ipv4.routes] == [("198.51.100.0/24", "192.0.2.4")]
    assert read.ipv6 is not None
    assert [str(each) for each in read.ipv6.nameservers] == ["2001:db8::54", "2001:db8::53"]
    assert (str(read.ipv6.subnet), read.ipv6.mode, str(read.ipv6.gateway)) == ("2001:db8::/64", "slaac", "2001:db8::1")


def test_where_a_subnet_has_no_dhcp_the_guest_is_told_nothing_and_guarded_all_the_same(world: World) -> None:
    networks.add(world.cloud, "192.0.2.0/29")
    change_subnet(world, 4, dhcp=False)
    found = environ(world, world.create_one())

    nic = describe(found)

    assert kvm_network.binding(nic) is None
    assert f"ip saddr != {{ {found['IP']} }} drop" in kvm_network.rules(nic)


def test_tags_are_such_as_ganeti_takes(world: World) -> None:
    networks.add(world.cloud, "255.255.255.240/28", "2001:db8:1111:2222::/64")
    routes = [{"destination": "255.255.255.255/32", "nexthop": "255.255.255.254"}]
    change_subnet(world, 4, gateway="255.255.255.254", routes=routes)

    made = tags(world, world.create_one())

    assert len(made) == len(set(made)) > 5
    assert [tag for tag in made if not re.fullmatch(r"[\w.+*/:@-]{1,128}", tag, re.ASCII)] == []


def test_a_router_outside_of_the_prefix_is_on_the_link_by_all_that_a_guest_is_told(world: World) -> None:
    networks.add(world.cloud, "192.0.2.0/29")
    routes = [{"destination": "10.0.0.0/8", "nexthop": "192.0.2.5"}]
    change_subnet(world, 4, gateway="198.51.100.1", routes=routes)
    made = world.create_one()

    with world.cloud.sessions.read() as db:
        told = guest_network.config(ports.places(db, [made])[made])
    assert told is not None
    (interface,) = told["ethernets"].values()
    assert interface["routes"] == [
        {"to": "10.0.0.0/8", "via": "192.0.2.5"},
        {"to": "0.0.0.0/0", "via": "198.51.100.1", "on-link": True},
    ]
    read = bindings.decode(json.dumps(kvm_network.binding(describe(environ(world, made)))).encode())
    lease = Lease.of(read, b"")
    assert lease is not None
    classless = bytes.fromhex("20c6336401 00000000 080a c0000205 00c6336401")
    assert lease.options[121] == classless


def test_the_create_carries_the_tags(world: World) -> None:
    networks.add(world.cloud, "192.0.2.0/29")
    instance_id = world.create_one("Web 1")
    world.submit()

    (sent,) = world.rapi.created
    assert sent.tags[0] == "syros:host:web-1"
    facts, firewall = ([tag for tag in sent.tags[1:] if (":fw:" in tag) is way] for way in (False, True))
    assert facts == list(tags(world, instance_id)[1:])
    assert firewall[0].endswith(":fw:0:on")


@pytest.mark.parametrize(
    ("hostname", "told"),
    [(f"{'a' * 63}.{'b' * 53}", f"{'a' * 63}.{'b' * 53}"), (f"{'a' * 63}.{'b' * 52}-c", f"{'a' * 63}.{'b' * 52}")],
)
def test_a_host_name_that_is_too_long_for_a_tag_is_cut_to_one(world: World, hostname: str, told: str) -> None:
    networks.add(world.cloud, "192.0.2.0/29")
    instance_id = world.create_one()
    with world.cloud.sessions.read() as db:
        (first, *_) = nic_tags.of(ports.places(db, [instance_id])[instance_id], hostname=hostname, firewalls={})
    assert first == f"syros:host:{told}"
    assert len(first) <= 128


def test_an_instance_without_a_port_has_no_tags(world: World) -> None:
    assert tags(world, world.create_one()) == ()


@pytest.mark.parametrize(
    "change", [{"INTERFACE": "tap0; reboot"}, {"INTERFACE": ""}, {"MAC": "02:00:00:00:00"}, {"MAC": "x"}]
)
def test_an_environment_that_describes_no_nic_is_refused(change: dict[str, str]) -> None:
    given = {"INSTANCE": "syros-1", "INTERFACE": "tap0", "MAC": "02:00:00:00:00:01", **change}
    with pytest.raises(Refused, match="no NIC"):
        describe(given)


def test_a_nic_without_tags_may_use_the_address_that_ganeti_knows(world: World) -> None:
    given = {"INSTANCE": "syros-1", "INTERFACE": "tap0", "MAC": "02:00:00:00:00:01", "IP": "192.0.2.7"}
    nic = describe(given)
    assert kvm_network.binding(nic) is None
    assert "ip saddr != { 192.0.2.7 } drop" in kvm_network.rules(nic)


@pytest.mark.parametrize(
    ("tap", "instance", "ours"),
    [("tap0", "syros-1", True), ("tap0", "mail.example", False), ("gnt.com.0", "syros-1", False)],
)
def test_other_instances_of_the_cluster_are_left_alone(tap: str, instance: str, ours: bool) -> None:
    assert kvm_network.is_ours({"INTERFACE": tap, "INSTANCE": instance}, kvm_network.Node()) is ours


def ways(world: World, instance_id: str) -> list[str]:
    """The gateways that an instance's guest is told."""
    return [tag.rpartition(":gw4:")[2] for tag in tags(world, instance_id) if ":gw4:" in tag]


@pytest.fixture
def three(world: World) -> dict[str, str]:
    """Three networks with a gateway each, by name; two are external."""
    return {
        name: networks.add(world.cloud, f"10.0.{number}.0/24", name=name, external=name != "inside")
        for number, name in enumerate(("inside", "outside", "beyond"))
    }


@pytest.mark.parametrize(
    ("order", "gateway"),
    [
        (["inside"], "10.0.0.1"),
        (["inside", "outside"], "10.0.1.1"),
        (["outside", "inside"], "10.0.1.1"),
        (["inside", "beyond", "outside"], "10.0.2.1"),
    ],
)
def test_the_way_out_is_by_the_first_external_network_or_else_by_the_first(
    world: World, three: dict[str, str], order: list[str], gateway: str
) -> None:
    made = in_networks(world, [three[name] for name in order])
    assert ways(world, made) == [gateway]
    with world.cloud.sessions.read() as db:
        told = guest_network.config(ports.places(db, [made])[made])
    assert told is not None
    routes = [route for each in told["ethernets"].values() for route in each.get("routes", ())]
    assert routes == [{"to": "0.0.0.0/0", "via": gateway}]


@pytest.mark.parametrize(
    ("order", "told"), [(["inside", "outside"], True), (["outside", "beyond"], True), (["outside", "inside"], False)]
)
def test_an_external_interface_that_comes_later_is_told_its_gateway_too(
    world: World, three: dict[str, str], order: list[str], told: bool
) -> None:
    made = in_networks(world, [three[name] for name in order])
    with world.cloud.sessions.read() as db:
        places = ports.places(db, [made])[made]
    places[-1].port.later = True
    found = nic_tags.of_one(places, places[-1].port.id, hostname="web", firewalls={})
    assert any(":gw4:" in tag for tag in found) is told


def test_a_network_whose_gateway_the_guest_is_not_told_is_no_way_out(world: World, three: dict[str, str]) -> None:
    with world.cloud.sessions.begin() as db:
        for row in db.query(Subnet).filter_by(network_id=three["outside"]):
            row.dhcp = False
    assert ways(world, in_networks(world, [three["outside"], three["inside"]])) == ["10.0.0.1"]


def in_networks(world: World, wanted: list[str]) -> str:
    interfaces = Interfaces(automatic=False, wanted=tuple(Interface(network_id=each) for each in wanted))
    spec = CreateSpec(name="web", flavor_id=world.flavor.id, image_id=world.image.id, interfaces=interfaces)
    return instances.create(world.cloud, world.fresh(), spec)[0].id


def test_the_node_is_told_the_mac_prefix_of_a_network_that_is_known_by_it(world: World) -> None:
    segments.add_prefixes(world.cloud, "br-prv", ["aa:00:01"])
    spec = NetworkSpec(name="back", kind=Kind.MAC_FILTERED, shared=True)
    (view,) = cloud_networks.create(world.cloud, networks.operator(), [spec])
    networks.add_subnet(world.cloud, view.network.id, "10.0.0.0/24")

    given = environ(world, world.create_one())

    nic = describe(given)
    assert nic.first("macs") == "aa:00:01"
    assert nic.mac.startswith("aa:00:01:")


@pytest.mark.parametrize("prefix", ["aa:00", "aa:00:01:02", "aa:00:01; flush ruleset"])
def test_a_mac_prefix_that_is_none_makes_no_rules(prefix: str) -> None:
    with pytest.raises(Refused, match="macs"):
        mac_filter.text("tap0", prefix)
