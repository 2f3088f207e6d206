"""Rules of security groups: what is taken, what is refused, and which ports hear of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import partial

import pytest

from cloud import creations, interfaces, ports, security_group_rules, security_groups
from cloud.ports import Interface, Interfaces, PortChange, PortSpec
from cloud.security_group_rules import RuleSpec
from common.errors import Conflict, Forbidden, Invalid, NotFound
from db import ports as port_rows
from db import security_groups as group_rows
from db.ports import Port
from db.security_groups import Allowed, Direction, RuleFilter
from db.users import Role
from tests.support import clouds, networks
from tests.support import security_groups as groups
from tests.support.clouds import World

IN, OUT = Direction.INGRESS, Direction.EGRESS


def checked(**given: object) -> RuleSpec:
    remote = given.pop("remote", None)
    cidr = ipaddress.ip_interface(str(remote)) if remote is not None else None
    spec = RuleSpec(group_id="g", direction=IN, remote_cidr=cidr, **given)  # type: ignore[arg-type]
    return security_group_rules.checked(spec)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"protocol": "TCP", "port_min": 1, "port_max": 65535}, "tcp"),
        ({"protocol": "6", "port_min": 22, "port_max": 22}, "6"),
        ({"protocol": "017"}, "17"),
        ({"protocol": "any"}, None),
        ({"protocol": "255"}, "255"),
        ({"protocol": "icmp", "port_min": 8}, "icmp"),
        ({"protocol": "1", "port_min": 0, "port_max": 255}, "1"),
        ({"protocol": "icmp", "version": 6, "port_min": 128, "port_max": 0}, "ipv6-icmp"),
        ({"protocol": "icmpv6", "version": 6}, "ipv6-icmp"),
        ({"protocol": "58", "version": 6, "port_min": 1}, "58"),
        ({"protocol": "sctp", "port_min": 5, "port_max": 6, "remote": "192.0.2.0/24"}, "sctp"),
        ({"protocol": "vrrp"}, "vrrp"),
    ],
)
def test_a_protocol_is_kept_as_it_was_written(given: dict[str, object], kept: str | None) -> None:
    assert checked(**given).protocol == kept


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"protocol": "tcpp"}, "protocol"),
        ({"protocol": "256"}, "protocol"),
        ({"protocol": "-1"}, "protocol"),
        ({"protocol": "²"}, "protocol"),
        ({"protocol": "icmpv6"}, "protocol"),
        ({"protocol": "ipv6-route"}, "protocol"),
        ({"port_min": 1, "port_max": 2}, "protocol"),
        ({"protocol": "gre", "port_min": 1, "port_max": 2}, "protocol"),
        ({"protocol": "tcp", "port_min": 2, "port_max": 1}, "port_range_min"),
        ({"protocol": "tcp", "port_min": 0, "port_max": 1}, "port_range_min"),
        ({"protocol": "udp", "port_min": 1, "port_max": 65536}, "port_range_max"),
        ({"protocol": "tcp", "port_min": 1}, "port_range_min"),
        ({"protocol": "tcp", "port_max": 1}, "port_range_min"),
        ({"protocol": "icmp", "port_max": 0}, "port_range_min"),
        ({"protocol": "icmp", "port_min": 256}, "port_range_min"),
        ({"protocol": "icmp", "port_min": 8, "port_max": 256}, "port_range_max"),
        ({"remote": "192.0.2.0/24", "version": 6}, "remote_ip_prefix"),
        ({"remote": "2001:db8::/32"}, "remote_ip_prefix"),
        ({"remote": "192.0.2.0/24", "remote_group_id": "g"}, "remote_ip_prefix"),
    ],
)
def test_what_can_not_be_meant_is_refused_by_its_name(given: dict[str, object], names: str) -> None:
    with pytest.raises(Invalid, match=f"^{names}"):
        checked(**given)


def test_a_rule_that_is_there_already_is_refused_in_other_words_too(world: World) -> None:
    group = groups.add(world)
    groups.allow(world, group)

    with pytest.raises(Conflict, match="already"):
        groups.allow(world, group, protocol="6")
    assert groups.allow(world, group, remote="192.0.2.0/24")
    with pytest.raises(Conflict, match="already"):
        groups.allow(world, group, remote="192.0.2.7/24")
    assert groups.allow(world, group, direction=OUT)
    spec = RuleSpec(group_id=group.id, direction=IN)
    with pytest.raises(Conflict, match="already"):
        security_group_rules.create(world.cloud, world.fresh(), [spec, spec])
    assert len(security_groups.get(world.cloud, world.fresh(), group.id).rules) == 5


def test_the_remote_group_is_one_of_the_same_project(world: World) -> None:
    group, stranger = groups.add(world), world.stranger_caller()
    theirs = groups.add(world, caller=stranger)

    with pytest.raises(NotFound):
        groups.allow(world, group, remote_group_id=theirs.id)
    with pytest.raises(NotFound):
        groups.allow(world, group, remote_group_id="nothing")
    with pytest.raises(Invalid, match="remote_group_id"):
        groups.allow(world, group, remote_group_id=security_groups.FIREWALL_ENABLED)
    with pytest.raises(NotFound):
        groups.allow(world, theirs)
    with pytest.raises(Forbidden):
        ready_made = security_groups.get(world.cloud, world.fresh(), security_groups.FIREWALL_ENABLED).group
        groups.allow(world, ready_made)


def test_a_rule_is_removed_by_who_may_see_it_and_no_ready_made_one_is(world: World) -> None:
    group = groups.add(world)
    rule = groups.allow(world, group)
    with pytest.raises(NotFound):
        security_group_rules.delete(world.cloud, world.stranger_caller(), rule.id)
    with pytest.raises(Forbidden):
        security_group_rules.delete(world.cloud, world.fresh(roles=(Role.READER,)), rule.id)

    security_group_rules.delete(world.cloud, world.fresh(), rule.id)

    with pytest.raises(NotFound):
        security_group_rules.get(world.cloud, world.fresh(), rule.id)
    with pytest.raises(NotFound):
        security_group_rules.delete(world.cloud, world.fresh(), rule.id)
    ready = security_groups.get(world.cloud, world.fresh(), security_groups.FIREWALL_ENABLED).rules[0]
    with pytest.raises(Forbidden):
        security_group_rules.delete(world.cloud, world.fresh(roles=(Role.ADMIN,)), ready.id)


def test_rules_are_found_by_what_they_say(world: World) -> None:
    group = groups.add(world)
    web = groups.allow(world, group)
    ssh = groups.allow(world, group, port_min=22, port_max=22, remote="192.0.2.0/24")

    def found(**wanted: object) -> list[str]:
        wanted_rules = RuleFilter(group_ids=[group.id], **wanted)  # type: ignore[arg-type]
        rules = security_group_rules.page(world.cloud, world.fresh(), wanted_rules, limit=100)
        return [rule.id for rule in rules]

    assert found(directions=["ingress"]) == [web.id, ssh.id]
    assert found(port_min=22) == found(remote_cidrs=["192.0.2.0/24"]) == [ssh.id]
    assert found(directions=["sideways"]) == found(protocols=["udp"]) == []
    assert len(found(versions=[6])) == 1
    with pytest.raises(Invalid, match="marker"):
        security_group_rules.page(world.cloud, world.fresh(), RuleFilter(), limit=1, marker="x")


# what ports let through, and which of them hear of changes


def create(world: World, *wanted: str, count: int = 1) -> list[Port]:
    """Create servers whose ports are in these groups; give their ports."""
    spec = creations.CreateSpec(
        name="web",
        flavor_id=world.flavor.id,
        image_id=world.image.id,
        min_count=count,
        max_count=count,
        security_groups=wanted or None,
    )
    made = creations.create(world.cloud, world.fresh(), spec)
    with world.cloud.sessions.read() as db:
        return [port for row in made for port in port_rows.of_instance(db, row.id)]


def ip(world: World, port: Port, version: int = 4) -> str:
    addresses = ports.get(world.cloud, world.fresh(), port.id).addresses
    return next(each.ip for each in addresses if ipaddress.ip_address(each.ip).version == version)


def due(world: World) -> set[str]:
    """Give the ports that have been touched, and forget that they were."""
    found = set()
    with world.cloud.sessions.begin() as db:
        for port in port_rows.page(db, port_rows.Filter(), limit=100):
            if port.firewall_due_at is not None:
                found.add(port.id)
            port.firewall_due_at = None
    return found


@pytest.fixture
def network(world: World) -> str:
    return networks.add(world.cloud, "10.0.0.0/24", "2001:db8::/64")


def test_a_server_is_in_the_default_group_which_lets_in_its_members(world: World, network: str) -> None:
    sixes = sorted(ipaddress.ip_network(ip(world, port, 6)) for port in create(world, count=2))
    one = create(world, "firewall-enabled")[0]
    ports.update(world.cloud, world.fresh(), one.id, PortChange(groups=(groups.default(world).id,)))
    sixes = sorted([*sixes, ipaddress.ip_network(ip(world, one, 6))])

    assert groups.allowed(world, one.id) == [
        Allowed(OUT, 4, None, None, None, None),
        Allowed(OUT, 6, None, None, None, None),
        Allowed(IN, 4, None, None, None, ("10.0.0.2/31", "10.0.0.4/32")),
        Allowed(IN, 6, None, None, None, tuple(map(str, sixes))),
    ]
    assert network


def test_rules_of_several_groups_that_say_the_same_are_one(world: World, network: str) -> None:
    first, second = groups.add(world, "first"), groups.add(world, "second")
    groups.allow(world, first, remote="192.0.2.77/25")
    groups.allow(world, second, remote="192.0.2.128/25", protocol="6")
    groups.allow(world, second, protocol="icmp", port_min=8, port_max=None, remote="0.0.0.0/0")
    groups.allow(world, second, protocol="gre", port_min=None, port_max=None, version=6)
    groups.allow(world, first, protocol="udp", remote_group_id=first.id)
    groups.allow(world, first, protocol="udp", remote_group_id=groups.default(world).id, version=6)
    (port,) = create(world, "first", second.id)

    assert [each for each in groups.allowed(world, port.id) or () if each.direction is IN] == [
        Allowed(IN, 4, "icmp", 8, None, None),
        Allowed(IN, 4, "tcp", 80, 80, ("192.0.2.0/24",)),
        Allowed(IN, 4, "udp", 80, 80, (f"{ip(world, port)}/32",)),
        Allowed(IN, 6, "47", None, None, None),
    ]
    assert network


def test_a_port_in_no_group_lets_nothing_through_and_one_that_is_not_firewalled_is_left_out(world: World) -> None:
    network = networks.add(world.cloud, "10.0.0.0/24")
    admin = world.fresh(roles=(Role.ADMIN,))
    specs = [PortSpec(network_id=network, groups=()), PortSpec(network_id=network, firewalled=False)]
    closed, opened = (view.port.id for view in ports.create(world.cloud, admin, specs))

    assert groups.allowed(world, closed) == []
    assert groups.allowed(world, opened) is None


def test_the_number_of_statements_does_not_depend_on_the_number_of_ports(world: World, network: str) -> None:
    made = create(world, count=5)
    counts = []
    for several in (made[:1], made):
        with world.cloud.sessions.read() as db:
            wanted = [port.id for port in several]
            counts.append(len(clouds.count_statements(world.cloud.sessions, partial(group_rows.rules_of, db, wanted))))
    assert counts == [4, 4]
    assert network


def test_a_changed_rule_touches_the_ports_of_its_group_and_of_those_that_name_it(world: World, network: str) -> None:
    web, db, other = (groups.add(world, name) for name in ("web", "db", "other"))
    groups.allow(world, db, remote_group_id=web.id)
    (of_web,), (of_db,), (of_other,) = (create(world, group.id) for group in (web, db, other))
    ports.create(world.cloud, world.fresh(), [PortSpec(network_id=network, groups=(web.id,))])
    due(world)

    rule = groups.allow(world, web)
    assert due(world) == {of_web.id, of_db.id}
    security_group_rules.delete(world.cloud, world.fresh(), rule.id)
    assert due(world) == {of_web.id, of_db.id}
    groups.allow(world, db)
    assert due(world) == {of_db.id}
    groups.allow(world, other)
    assert due(world) == {of_other.id}


def test_members_that_come_and_go_touch_the_ports_that_name_their_group(world: World, network: str) -> None:
    web, db = groups.add(world, "web"), groups.add(world, "db")
    groups.allow(world, db, remote_group_id=web.id)
    (of_db,) = create(world, db.id)
    (of_web,) = create(world, web.id)
    assert due(world) == {of_db.id}

    world.delete(of_web.instance_id or "")
    assert due(world) == {of_db.id}

    (kept,) = ports.create(world.cloud, world.fresh(), [PortSpec(network_id=network, groups=(web.id,))])
    assert due(world) == set()
    spec = creations.CreateSpec(
        name="web",
        flavor_id=world.flavor.id,
        image_id=world.image.id,
        interfaces=Interfaces(automatic=False, wanted=(Interface(port_id=kept.port.id),)),
    )
    (instance,) = creations.create(world.cloud, world.fresh(), spec)
    assert due(world) == {of_db.id}
    world.delete(instance.id)
    assert due(world) == {of_db.id}
    assert ports.get(world.cloud, world.fresh(), kept.port.id).groups == [web.id]


@pytest.mark.parametrize(
    "change",
    [
        lambda world, port, web: ports.update(world.cloud, world.fresh(), port.id, PortChange(groups=(web.id,))),
        lambda world, port, web: interfaces.change_group(
            world.cloud, world.fresh(), port.instance_id, "web", joins=True
        ),
    ],
    ids=["by the port", "by the server"],
)
def test_a_port_that_joins_a_group_is_touched_with_those_that_name_it(
    world: World, network: str, change: Callable[[World, Port, object], object]
) -> None:
    web, db = groups.add(world, "web"), groups.add(world, "db")
    groups.allow(world, db, remote_group_id=web.id)
    (of_db,) = create(world, db.id)
    (port,) = create(world, "firewall-enabled")
    due(world)

    change(world, port, web)

    assert due(world) == {port.id, of_db.id}
    assert web.id in ports.get(world.cloud, world.fresh(), port.id).groups
    interfaces.change_group(world.cloud, world.fresh(), port.instance_id or "", web.id, joins=False)
    assert due(world) == {port.id, of_db.id}
    assert web.id not in ports.get(world.cloud, world.fresh(), port.id).groups
    with pytest.raises(Invalid, match="not in"):
        interfaces.change_group(world.cloud, world.fresh(), port.instance_id or "", web.id, joins=False)
    assert network


def test_a_port_is_in_so_many_groups_at_most(world: World, network: str) -> None:
    world.set_quota(security_groups=-1, security_group_rules=-1)
    several = [groups.add(world, f"g{number}").id for number in range(security_groups.MOST_OF_A_PORT)]
    (port,) = create(world, *several)

    with pytest.raises(Invalid, match="at most"):
        interfaces.change_group(world.cloud, world.fresh(), port.instance_id or "", "default", joins=True)
    with pytest.raises(Invalid, match="at most"):
        change = PortChange(groups=(*several, groups.default(world).id))
        ports.update(world.cloud, world.fresh(), port.id, change)
    assert network


def test_a_changed_name_touches_nothing(world: World, network: str) -> None:
    (port,) = create(world)
    due(world)
    ports.update(world.cloud, world.fresh(), port.id, PortChange(name="new"))
    assert due(world) == set()
    assert network


def test_who_owns_the_network_says_whether_its_ports_are_firewalled(world: World, network: str) -> None:
    (port,) = create(world)
    due(world)
    admin = world.fresh(roles=(Role.ADMIN,))

    with pytest.raises(Forbidden):
        ports.update(world.cloud, world.fresh(), port.id, PortChange(firewalled=False, groups=()))
    with pytest.raises(Forbidden):
        ports.create(world.cloud, world.fresh(), [PortSpec(network_id=network, firewalled=False)])
    with pytest.raises(Conflict, match="security groups"):
        ports.update(world.cloud, admin, port.id, PortChange(firewalled=False))
    assert due(world) == set()

    opened = ports.update(world.cloud, admin, port.id, PortChange(firewalled=False, groups=()))
    assert (opened.port.firewalled, opened.groups) == (False, ())
    assert due(world) == {port.id}
    default = groups.default(world).id
    with pytest.raises(Invalid, match="security_groups"):
        ports.update(world.cloud, world.fresh(), port.id, PortChange(groups=(default,)))
    with pytest.raises(Invalid, match="security_groups"):
        ports.create(world.cloud, admin, [PortSpec(network_id=network, firewalled=False, groups=(default,))])
    with pytest.raises(Invalid, match="port_security_enabled"):
        interfaces.change_group(world.cloud, world.fresh(), port.instance_id or "", "default", joins=True)
    closed = ports.update(world.cloud, admin, port.id, PortChange(firewalled=True, groups=(default,)))
    assert closed.groups == [default]


def test_the_groups_of_a_create_are_found_by_name_or_id_and_have_to_be_there(world: World, network: str) -> None:
    groups.add(world, "twice")
    groups.add(world, "twice")
    own = groups.add(world, "firewall-enabled")

    (port,) = create(world, "firewall-enabled", "default")
    assert set(ports.get(world.cloud, world.fresh(), port.id).groups) == {own.id, groups.default(world).id}
    with pytest.raises(Invalid, match="no security group nothing"):
        create(world, "nothing")
    with pytest.raises(Conflict, match="twice"):
        create(world, "twice")
    with pytest.raises(NotFound):
        theirs = groups.add(world, caller=world.stranger_caller())
        ports.create(world.cloud, world.fresh(), [PortSpec(network_id=network, groups=(theirs.id,))])
