"""Bodies that make or change a network, a subnet or a port: JSON in, what cloud/ takes out."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import TypeVar

from apiserver.validation import Body
from cloud import addresses, security_groups
from cloud.addresses import Cidr, Ip
from cloud.fixed_ips import FixedIp
from cloud.floating_ips import FloatingChange, FloatingSpec, Target
from cloud.networks import NetworkChange, NetworkSpec
from cloud.port_security import AllowedPair
from cloud.ports import PortChange, PortSpec
from cloud.subnets import Pool, Route, SubnetChange, SubnetSpec
from common.errors import Invalid
from db.networks import Ipv6Mode, Kind

T = TypeVar("T")

#: things that one POST makes
_MOST_AT_ONCE = 50
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_NETWORK = (
    "name",
    "description",
    "admin_state_up",
    "shared",
    "router:external",
    "is_default",
    "mtu",
    "port_security_enabled",
)
_MTU = (1280, 9216)
#: members of a network that clients send and that have to say nothing, with what they may say
_NETWORK_NEUTRAL: dict[str, tuple[object, ...]] = {
    "availability_zone_hints": ([], ["nova"], None),
    "dns_domain": ("", None),
    "vlan_transparent": (False, None),
    "qos_policy_id": (None,),
    "provider:segmentation_id": (None,),
}
_SUBNET_NEUTRAL: dict[str, tuple[object, ...]] = {
    "service_types": ([], None),
    "dns_publish_fixed_ip": (False, None),
    "segment_id": (None,),
    "subnetpool_id": (None,),
    "use_default_subnetpool": (False, None),
    "prefixlen": (None,),
    "router:external": (False, None),
}
_SECURITY = ("security_groups", "port_security_enabled", "allowed_address_pairs")
_PORT_NEUTRAL: dict[str, tuple[object, ...]] = {
    "extra_dhcp_opts": ([], None),
    "binding:vnic_type": ("normal", None),
    "binding:profile": ({}, None),
    "binding:host_id": ("", None),
    "dns_name": ("", None),
    "dns_domain": ("", None),
    "qos_policy_id": (None,),
    "device_id": ("", None),
    "device_owner": ("", None),
    "device_profile": (None,),
    "numa_affinity_policy": (None,),
    "propagate_uplink_status": (None,),
    "data_plane_status": (None,),
    "hints": ({}, None),
}


_FLOATING_NEUTRAL: dict[str, tuple[object, ...]] = {
    "router_id": (None,),
    "qos_policy_id": (None,),
    "dns_name": ("", None),
    "dns_domain": ("", None),
}


def several(body: Body, one: str, many: str, read: Callable[[Body], T]) -> tuple[list[T], bool]:
    """Read what a POST makes: one thing, or a list of them by another name; tell which. Raises Invalid."""
    if body.has(many):
        body.only(many)
        found = [read(each) for each in body.nested_list(many, most=_MOST_AT_ONCE)]
        if not found:
            raise Invalid(f"{many}: it is empty")
        return found, True
    return [read(body.nested(one))], False


def network(given: Body) -> NetworkSpec:
    """Read a new network; raises Invalid."""
    given.only(
        *_NETWORK,
        "project_id",
        "tenant_id",
        "provider:network_type",
        "provider:physical_network",
        *_NETWORK_NEUTRAL,
    )
    _refuse(given, _NETWORK_NEUTRAL)
    kind = given.maybe_text("provider:network_type")
    if kind is not None and kind not in list(Kind):
        raise Invalid(f"provider:network_type: one of {', '.join(Kind)} is expected")
    return NetworkSpec(
        name=given.maybe_text("name") or "",
        description=given.maybe_text("description") or "",
        shared=given.boolean("shared", default=False),
        external=given.boolean("router:external", default=False),
        is_default=given.boolean("is_default", default=False),
        enabled=given.boolean("admin_state_up", default=True),
        kind=Kind(kind) if kind is not None else None,
        link=given.maybe_text("provider:physical_network"),
        mtu=given.maybe_integer("mtu", least=_MTU[0], most=_MTU[1]) or NetworkSpec.mtu,
        firewalled=given.boolean("port_security_enabled", default=True),
    )


def network_change(body: Body) -> NetworkChange:
    """Read a change of a network; raises Invalid."""
    given = body.nested("network")
    given.only(*_NETWORK, *_NETWORK_NEUTRAL)
    _refuse(given, _NETWORK_NEUTRAL)
    return NetworkChange(
        name=given.maybe_text("name"),
        description=given.maybe_text("description"),
        shared=_maybe_flag(given, "shared"),
        external=_maybe_flag(given, "router:external"),
        is_default=_maybe_flag(given, "is_default"),
        enabled=_maybe_flag(given, "admin_state_up"),
        mtu=given.maybe_integer("mtu", least=_MTU[0], most=_MTU[1]),
        firewalled=_maybe_flag(given, "port_security_enabled"),
    )


def subnet(given: Body) -> SubnetSpec:
    """Read a new subnet; raises Invalid."""
    given.only(
        "network_id",
        "name",
        "description",
        "cidr",
        "ip_version",
        "gateway_ip",
        "enable_dhcp",
        "ipv6_address_mode",
        "ipv6_ra_mode",
        "allocation_pools",
        "dns_nameservers",
        "host_routes",
        "project_id",
        "tenant_id",
        *_SUBNET_NEUTRAL,
    )
    _refuse(given, _SUBNET_NEUTRAL)
    prefix = _cidr(given.text("cidr", longest=64), "subnet.cidr")
    if given.integer("ip_version", least=4, most=6) != prefix.version:
        raise Invalid(f"subnet.ip_version: {prefix} is of another version")
    return SubnetSpec(
        network_id=given.text("network_id", longest=36, shortest=1),
        cidr=prefix,
        name=given.maybe_text("name") or "",
        description=given.maybe_text("description") or "",
        gateway=_maybe_ip(given, "gateway_ip"),
        # null says that there is none
        first_is_gateway="gateway_ip" not in given.keys(),  # noqa: SIM118  # a body is no dict
        dhcp=given.boolean("enable_dhcp", default=True),
        ipv6_mode=_ipv6_mode(given),
        nameservers=_ips(given, "dns_nameservers"),
        routes=_routes(given),
        pools=_pools(given) if given.has("allocation_pools") else None,
    )


def subnet_change(body: Body) -> SubnetChange:
    """Read a change of a subnet; raises Invalid."""
    given = body.nested("subnet")
    given.only(
        "name",
        "description",
        "enable_dhcp",
        "dns_nameservers",
        "host_routes",
        "gateway_ip",
        "allocation_pools",
        *_SUBNET_NEUTRAL,
    )
    _refuse(given, _SUBNET_NEUTRAL)
    return SubnetChange(
        name=given.maybe_text("name"),
        description=given.maybe_text("description"),
        dhcp=_maybe_flag(given, "enable_dhcp"),
        nameservers=_ips(given, "dns_nameservers") if given.has("dns_nameservers") else None,
        routes=_routes(given) if given.has("host_routes") else None,
        # null says that there is none from now on
        changes_gateway="gateway_ip" in given.keys(),  # noqa: SIM118  # a body is no dict
        gateway=_maybe_ip(given, "gateway_ip"),
        pools=_pools(given) if given.has("allocation_pools") else None,
    )


def port(given: Body) -> PortSpec:
    """Read a new port; raises Invalid."""
    given.only(
        "network_id",
        "name",
        "description",
        "mac_address",
        "admin_state_up",
        "fixed_ips",
        "project_id",
        "tenant_id",
        *_SECURITY,
        *_PORT_NEUTRAL,
    )
    _refuse(given, _PORT_NEUTRAL)
    return PortSpec(
        network_id=given.text("network_id", longest=36, shortest=1),
        name=given.maybe_text("name") or "",
        description=given.maybe_text("description") or "",
        mac=_maybe_mac(given, "port.mac_address"),
        enabled=given.boolean("admin_state_up", default=True),
        fixed_ips=_fixed_ips(given) if given.has("fixed_ips") else None,
        groups=_groups(given),
        firewalled=_maybe_flag(given, "port_security_enabled"),
        pairs=_pairs(given) or (),
    )


def port_change(body: Body) -> PortChange:
    """Read a change of a port; raises Invalid."""
    given = body.nested("port")
    given.only("name", "description", "admin_state_up", "fixed_ips", *_SECURITY, *_PORT_NEUTRAL)
    _refuse(given, _PORT_NEUTRAL)
    return PortChange(
        name=given.maybe_text("name"),
        description=given.maybe_text("description"),
        enabled=_maybe_flag(given, "admin_state_up"),
        groups=_groups(given),
        firewalled=_maybe_flag(given, "port_security_enabled"),
        fixed_ips=_fixed_ips(given) if given.has("fixed_ips") else None,
        pairs=_pairs(given),
    )


def floating_ip(body: Body) -> FloatingSpec:
    """Read a new floating IP; raises Invalid."""
    given = body.nested("floatingip")
    given.only(
        "floating_network_id",
        "subnet_id",
        "floating_ip_address",
        "port_id",
        "fixed_ip_address",
        "description",
        "project_id",
        "tenant_id",
        *_FLOATING_NEUTRAL,
    )
    _refuse(given, _FLOATING_NEUTRAL)
    return FloatingSpec(
        network_id=given.text("floating_network_id", longest=36, shortest=1),
        subnet_id=given.maybe_text("subnet_id", longest=36, shortest=1),
        ip=_maybe_ip(given, "floating_ip_address"),
        target=_target(given),
        description=given.maybe_text("description") or "",
    )


def floating_ip_change(body: Body) -> FloatingChange:
    """Read a change of a floating IP, where a port that is null says that it is to have none; raises Invalid."""
    given = body.nested("floatingip")
    given.only("port_id", "fixed_ip_address", "description", *_FLOATING_NEUTRAL)
    _refuse(given, _FLOATING_NEUTRAL)
    return FloatingChange(
        description=given.maybe_text("description"),
        associates="port_id" in given.keys(),  # noqa: SIM118  # a body is no dict
        target=_target(given),
    )


def _target(given: Body) -> Target | None:
    port_id, ip = given.maybe_text("port_id", longest=36, shortest=1), _maybe_ip(given, "fixed_ip_address")
    if port_id is not None:
        return Target(port_id, ip)
    if ip is not None:
        raise Invalid("floatingip.fixed_ip_address: it takes the port_id that has it")
    return None


def _maybe_mac(given: Body, name: str) -> str | None:
    mac = given.maybe_text("mac_address", longest=17)
    if mac is None:
        return None
    if not _MAC.fullmatch(mac.lower()) or int(mac[:2], 16) & 1:
        raise Invalid(f"{name}: six pairs of hex digits with colons are expected, of a single interface")
    return mac.lower()


def _pairs(given: Body) -> tuple[AllowedPair, ...] | None:
    """Read what a port may send from besides its own; None where nothing is said, and null is nothing."""
    if "allowed_address_pairs" not in given.keys():  # noqa: SIM118  # a body is no dict
        return None
    if not given.has("allowed_address_pairs"):
        return ()
    found = []
    for each in given.nested_list("allowed_address_pairs"):
        each.only("ip_address", "mac_address")
        network = addresses.read_remote(each.text("ip_address", longest=64), "allowed_address_pairs.ip_address").network
        found.append(AllowedPair(network, _maybe_mac(each, "allowed_address_pairs.mac_address")))
    return tuple(found)


def _groups(given: Body) -> tuple[str, ...] | None:
    if not given.has("security_groups"):
        return None
    return tuple(given.texts("security_groups", longest=36, most=security_groups.MOST_OF_A_PORT))


def _refuse(given: Body, neutral: dict[str, tuple[object, ...]]) -> None:
    for key, values in neutral.items():
        if given.has(key) and given.raw(key) not in values:
            raise Invalid(f"{key}: it is not served; leave it out")


def _maybe_flag(given: Body, key: str) -> bool | None:
    return given.boolean(key) if given.has(key) else None


def _ipv6_mode(given: Body) -> Ipv6Mode | None:
    address = given.maybe_text("ipv6_address_mode", longest=32)
    advertised = given.maybe_text("ipv6_ra_mode", longest=32)
    word = address or advertised
    if address and advertised and address != advertised:
        raise Invalid("subnet.ipv6_ra_mode: it has to be what ipv6_address_mode is")
    if word is None:
        return None
    if word not in list(Ipv6Mode):
        raise Invalid(f"subnet.ipv6_address_mode: {', '.join(Ipv6Mode)} is expected")
    return Ipv6Mode(word)


def _fixed_ips(given: Body) -> tuple[FixedIp, ...]:
    found = []
    for each in given.nested_list("fixed_ips"):
        each.only("subnet_id", "ip_address")
        fixed = FixedIp(each.maybe_text("subnet_id", longest=36, shortest=1), _maybe_ip(each, "ip_address"))
        if fixed == FixedIp():
            raise Invalid("port.fixed_ips: each names a subnet_id, an ip_address, or both")
        found.append(fixed)
    return tuple(found)


def _pools(given: Body) -> tuple[Pool, ...]:
    return tuple(
        Pool(_ip(each.text("start", longest=64), "start"), _ip(each.text("end", longest=64), "end"))
        for each in given.nested_list("allocation_pools")
    )


def _routes(given: Body) -> tuple[Route, ...]:
    if not given.has("host_routes"):
        return ()
    return tuple(
        Route(
            _cidr(each.text("destination", longest=64), "host_routes.destination"),
            _ip(each.text("nexthop", longest=64), "host_routes.nexthop"),
        )
        for each in given.nested_list("host_routes")
    )


def _ips(given: Body, key: str) -> tuple[Ip, ...]:
    return tuple(_ip(text, key) for text in given.texts(key, longest=64)) if given.has(key) else ()


def _maybe_ip(given: Body, key: str) -> Ip | None:
    return _ip(given.text(key, longest=64), key) if given.has(key) else None


def _ip(text: str, key: str) -> Ip:
    try:
        found = ipaddress.ip_address(text)
    except ValueError as err:
        raise Invalid(f"{key}: {text!r} is no address") from err
    if "%" in text:
        raise Invalid(f"{key}: {text!r} has a zone, which means nothing here")
    return found


def _cidr(text: str, key: str) -> Cidr:
    try:
        return ipaddress.ip_network(text)
    except ValueError as err:
        raise Invalid(f"{key}: {text!r} is no prefix such as 192.0.2.0/24, without bits beyond its length") from err
