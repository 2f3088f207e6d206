"""Gateways and next hops: what guests can be told of and reach, and nothing else."""

import ipaddress

import pytest

from cloud import next_hops
from cloud.addresses import Cidr, Ip
from common.errors import Invalid
from db.networks import Kind

FOUR: Cidr = ipaddress.ip_network("192.0.2.0/24")
SIX: Cidr = ipaddress.ip_network("2001:db8:1::/64")
ONE: Cidr = ipaddress.ip_network("192.0.2.7/32")
TWO: Cidr = ipaddress.ip_network("192.0.2.6/31")
BRIDGED = (Kind.FLAT, Kind.BRIDGE, Kind.MAC_FILTERED)


def ip(text: str) -> Ip:
    return ipaddress.ip_address(text)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    ("prefix", "gateway"),
    [
        (FOUR, "192.0.2.1"),
        (FOUR, "192.0.2.254"),
        # of a routed prefix, or of many prefixes on one link
        (FOUR, "198.51.100.1"),
        (FOUR, "169.254.0.1"),
        (ONE, "198.51.100.1"),
        (TWO, "192.0.2.6"),
        (TWO, "192.0.2.7"),
        (SIX, "2001:db8:1::1"),
        # the routers' own anycast address, RFC 4291, 2.6.1
        (SIX, "2001:db8:1::"),
        (SIX, "fe80::1"),
    ],
)
def test_a_gateway_that_guests_can_be_told_of(prefix: Cidr, gateway: str, kind: Kind) -> None:
    next_hops.check_gateway(ip(gateway), prefix, kind=kind)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    ("prefix", "gateway"),
    [
        (FOUR, "192.0.2.0"),
        (FOUR, "192.0.2.255"),
        (FOUR, "0.0.0.0"),
        (FOUR, "127.0.0.1"),
        (FOUR, "224.0.0.1"),
        (FOUR, "255.255.255.255"),
        (FOUR, "2001:db8:1::1"),
        (SIX, "192.0.2.1"),
        (SIX, "::"),
        (SIX, "::1"),
        (SIX, "ff02::2"),
        (SIX, "fe80::1%eth0"),
    ],
)
def test_a_gateway_that_is_no_router(prefix: Cidr, gateway: str, kind: Kind) -> None:
    with pytest.raises(Invalid, match=r"^gateway_ip: "):
        next_hops.check_gateway(ip(gateway), prefix, kind=kind)


@pytest.mark.parametrize("kind", BRIDGED)
def test_an_ipv6_gateway_elsewhere_is_known_by_its_link_local_address(kind: Kind) -> None:
    with pytest.raises(Invalid, match="link-local"):
        next_hops.check_gateway(ip("2001:db8:2::1"), SIX, kind=kind)


def test_for_a_routed_guest_its_node_stands_in_for_a_gateway_elsewhere() -> None:
    next_hops.check_gateway(ip("2001:db8:2::1"), SIX, kind=Kind.ROUTED)


@pytest.mark.parametrize(
    ("prefix", "hop", "gateway"),
    [
        (FOUR, "192.0.2.9", None),
        (FOUR, "198.51.100.1", None),
        (FOUR, "0.0.0.0", None),
        (SIX, "2001:db8:1::9", None),
        (SIX, "fe80::9", None),
        (SIX, "2001:db8:2::1", "2001:db8:2::1"),
    ],
)
def test_a_next_hop_that_guests_can_be_told_of(prefix: Cidr, hop: str, gateway: str | None) -> None:
    next_hops.check_route(ip(hop), prefix, gateway=ip(gateway) if gateway else None)


@pytest.mark.parametrize(
    ("prefix", "hop"),
    [
        (FOUR, "192.0.2.255"),
        (FOUR, "192.0.2.0"),
        (FOUR, "224.0.0.9"),
        (SIX, "2001:db8:2::1"),
        (SIX, "ff02::1"),
        (SIX, "::"),
    ],
)
def test_a_next_hop_that_no_guest_could_reach(prefix: Cidr, hop: str) -> None:
    with pytest.raises(Invalid, match=r"^host_routes: "):
        next_hops.check_route(ip(hop), prefix, gateway=None)


@pytest.mark.parametrize(
    ("prefix", "hop", "outside"),
    [
        (FOUR, "192.0.2.1", False),
        (FOUR, "198.51.100.1", True),
        (FOUR, "0.0.0.0", False),
        (ONE, "192.0.2.1", True),
        (SIX, "fe80::1", False),
        (SIX, "2001:db8:1::1", False),
        (SIX, "2001:db8:2::1", True),
    ],
)
def test_what_a_prefix_does_not_say_to_be_on_the_link(prefix: Cidr, hop: str, outside: bool) -> None:
    assert next_hops.is_outside(ip(hop), prefix) is outside
