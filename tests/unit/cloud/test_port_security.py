"""Whether ports are firewalled as their networks have it, and addresses that they may send from besides their own."""

from __future__ import annotations

import ipaddress

import pytest

from cloud import creations, networks, port_security, ports, segments, told
from cloud.creations import CreateSpec
from cloud.networks import NetworkChange, NetworkSpec
from cloud.port_security import AllowedPair
from cloud.ports import PortChange, PortSpec, PortView
from common.errors import CloudError, Conflict, Forbidden, Invalid
from db.networks import Kind
from db.ports import Filter, Port
from tests.support import networks as made_networks
from tests.support import security_groups as groups
from tests.support.clouds import World


def pair(prefix: str, mac: str | None = None) -> AllowedPair:
    return AllowedPair(ipaddress.ip_network(prefix), mac)


@pytest.fixture
def own(world: World) -> str:
    """A network of the project's own."""
    segments.add(world.cloud, ["prv1"])
    return own_network(world, NetworkSpec("own"))


def own_network(world: World, spec: NetworkSpec) -> str:
    (view,) = networks.create(world.cloud, world.fresh(), [spec])
    made_networks.add_subnet(world.cloud, view.network.id, "10.0.0.0/24")
    return view.network.id


def create(world: World, network: str, **more: object) -> PortView:
    return ports.create(world.cloud, world.fresh(), [PortSpec(network, **more)])[0]  # type: ignore[arg-type]


def update(world: World, port: str, **changed: object) -> PortView:
    world.clock.tick()
    return ports.update(world.cloud, world.fresh(), port, PortChange(**changed))  # type: ignore[arg-type]


def server(world: World, group: str | None = None) -> Port:
    """The port of a server that runs in the default network; in a group, if one is named."""
    named = None if group is None else (group,)
    spec = CreateSpec(name="web", flavor_id=world.flavor.id, image_id=world.image.id, security_groups=named)
    made = creations.create(world.cloud, world.fresh(), spec)[0].id
    world.finish(made)
    return ports.page(world.cloud, world.fresh(), Filter(instance_ids=[made]), limit=2)[0].port


def test_new_ports_are_firewalled_as_their_network_has_it(world: World, own: str) -> None:
    before = create(world, own)
    networks.update(world.cloud, world.fresh(), own, NetworkChange(firewalled=False))
    after = create(world, own)
    assert (after.port.firewalled, list(after.groups)) == (False, [])
    of_server = server(world)
    assert not of_server.firewalled
    assert groups.allowed(world, of_server.id) is None
    assert ports.get(world.cloud, world.fresh(), before.port.id).port.firewalled

    said = create(world, own, firewalled=True)
    assert (said.port.firewalled, len(said.groups)) == (True, 1)
    with pytest.raises(Invalid, match="port_security_enabled"):
        create(world, own, groups=(groups.default(world).id,))
    with pytest.raises(Invalid, match="port_security_enabled"):
        server(world, "default")


def test_in_anothers_network_a_port_is_as_its_owner_has_it(world: World) -> None:
    shared = made_networks.add(world.cloud, "192.0.2.0/24")
    networks.update(world.cloud, made_networks.operator(), shared, NetworkChange(firewalled=False))
    assert not create(world, shared).port.firewalled
    with pytest.raises(Forbidden):
        create(world, shared, firewalled=True)
    with pytest.raises(Forbidden):
        networks.update(world.cloud, world.fresh(), shared, NetworkChange(firewalled=True))


def test_addresses_are_allowed_by_who_owns_the_network_and_told_to_the_node(world: World, own: str) -> None:
    port = server(world)
    mac = "00:00:5e:00:01:07"
    found = update(world, port.id, pairs=(pair("10.0.0.100/32"), pair("10.9.0.0/16", mac), pair("2001:db8::/64")))
    assert found.port.allowed_pairs == [
        {"ip": "10.0.0.100"},
        {"ip": "10.9.0.0/16", "mac": mac},
        {"ip": "2001:db8::/64"},
    ]
    assert told.plan(world.cloud) == 1
    (tags, *_) = (job.spec["tags"] for job in world.jobs(port.instance_id or "") if "tags" in job.spec)
    values = {tag.partition(":told:1:pair:")[2] for tag in tags if ":pair:" in tag}
    assert values == {"10.0.0.100", "00005e000107@10.9.0.0/16", "2001:db8::/64"}
    assert all(len(tag) <= 128 for tag in tags)
    assert update(world, port.id, name="other").port.allowed_pairs == found.port.allowed_pairs
    assert update(world, port.id, pairs=()).port.allowed_pairs == []
    assert create(world, own, pairs=(pair("10.0.0.100/32"),)).port.allowed_pairs == [{"ip": "10.0.0.100"}]


def test_the_longest_pair_is_no_longer_than_a_tag() -> None:
    from cloud import nic_tags  # noqa: PLC0415  # this test alone

    longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124"
    (_, value) = nic_tags.values([("pair", f"00005e000107@{longest}")], generation=10**9)
    assert len(nic_tags.prefix("0" * 36) + value) <= 128


def test_in_anothers_network_none_are_allowed(world: World) -> None:
    shared = made_networks.add(world.cloud, "192.0.2.0/24")
    with pytest.raises(Forbidden):
        create(world, shared, pairs=(pair("192.0.2.100/32"),))
    port = create(world, shared).port
    with pytest.raises(Forbidden):
        update(world, port.id, pairs=(pair("192.0.2.100/32"),))
    assert update(world, port.id, pairs=()).port.allowed_pairs == []


@pytest.mark.parametrize(
    ("pairs", "refusal"),
    [
        ([pair(f"10.0.0.{number}/32") for number in range(port_security.MOST_PAIRS + 1)], Invalid),
        ([pair("10.0.0.9/32")] * 2, Invalid),
        ([pair("224.0.0.0/8")], Invalid),
    ],
)
def test_what_cannot_be_allowed_is_refused(
    world: World, own: str, pairs: list[AllowedPair], refusal: type[CloudError]
) -> None:
    with pytest.raises(refusal, match="allowed_address_pairs"):
        create(world, own, pairs=tuple(pairs))


def test_networks_that_nodes_keep_apart_by_mac_or_route_allow_less(world: World) -> None:
    segments.add_prefixes(world.cloud, "br-prv", ["aa:00:01"])
    admin = made_networks.operator()
    kinds = [NetworkSpec("f", kind=Kind.MAC_FILTERED, shared=True), NetworkSpec("r", kind=Kind.ROUTED, link="main")]
    filtered, routed = (view.network.id for view in networks.create(world.cloud, admin, kinds))
    for network, prefix in ((filtered, "10.1.0.0/24"), (routed, "10.2.0.0/24")):
        made_networks.add_subnet(world.cloud, network, prefix)
    as_admin = world.fresh(roles=(*admin.roles,))
    cases = [(filtered, pair("10.1.0.9/32", "00:00:5e:00:01:07"), Invalid), (routed, pair("10.2.0.9/32"), Conflict)]
    for network, wanted, refusal in cases:
        with pytest.raises(refusal, match="allowed_address_pairs"):
            ports.create(world.cloud, as_admin, [PortSpec(network, pairs=(wanted,))])
    good = (pair("10.1.0.9/32", "aa:00:01:00:00:07"), pair("10.1.0.9/32"))
    ports.create(world.cloud, as_admin, [PortSpec(filtered, pairs=good)])


def test_a_remote_group_stands_for_what_its_ports_are_allowed_too(world: World) -> None:
    shared = made_networks.add(world.cloud, "192.0.2.0/24", is_default=True)
    group = groups.add(world, "web")
    groups.allow(world, group, remote_group_id=group.id)
    first, second = server(world, "web"), server(world, "web")
    admin = world.fresh(roles=(*made_networks.operator().roles,))
    allowed = (pair("198.51.100.0/24"), pair("2001:db8::/64"))
    ports.update(world.cloud, admin, first.id, PortChange(pairs=allowed))

    with world.cloud.sessions.read() as db:
        assert db.get_one(Port, second.id).firewall_due_at is not None
    remotes = {each.remotes for each in groups.allowed(world, second.id) or () if each.protocol == "tcp"}
    assert remotes == {("192.0.2.2/31", "198.51.100.0/24")}
    ports.update(world.cloud, admin, first.id, PortChange(pairs=(pair("0.0.0.0/0"),)))
    assert {each.remotes for each in groups.allowed(world, second.id) or () if each.protocol == "tcp"} == {None}
    assert shared


def test_a_whole_subnet_is_named_only_while_nobody_else_may_send_from_it(world: World, own: str) -> None:
    group = groups.add(world, "web")
    groups.allow(world, group, remote_group_id=group.id)
    first = server(world, "web")

    def remotes() -> list[object]:
        return [each.remotes for each in groups.allowed(world, first.id) or () if each.protocol == "tcp"]

    assert remotes() == [("10.0.0.0/24",)]
    with world.cloud.sessions.begin() as db:
        db.get_one(Port, first.id).firewall_due_at = None
    stranger = create(world, own, groups=(groups.default(world).id,), fixed_ips=(), pairs=(pair("10.0.0.200/32"),))
    with world.cloud.sessions.read() as db:
        assert db.get_one(Port, first.id).firewall_due_at is not None
    assert remotes() == [("10.0.0.2/32",)]
    update(world, stranger.port.id, pairs=())
    assert remotes() == [("10.0.0.0/24",)]
