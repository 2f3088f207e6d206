"""What is made ready of a binding and its tap."""

import ipaddress

import pytest

from common.bindings import Mode
from nfdhcpd.nics import Router
from tests.unit.nfdhcpd import guests

ULA = ipaddress.IPv6Address("2001:db8::1")
LINK_LOCAL = ipaddress.IPv6Address("fe80::abcd").packed


def test_addresses_are_packed() -> None:
    nic = guests.nic()
    assert nic.mac == guests.MAC
    assert nic.lease is not None
    assert (nic.lease.address, nic.lease.server_id) == (guests.ADDRESS.packed, guests.GATEWAY.packed)


def test_a_nic_without_ipv4_has_no_lease_and_one_without_ipv6_no_router() -> None:
    assert guests.nic(ipv4=None).lease is None
    assert guests.nic(ipv6=None).router is None


def test_its_link_local_address_is_the_interface_s_own_or_made_of_the_mac() -> None:
    assert guests.nic(addresses=(ULA.packed, LINK_LOCAL)).server_link_local == LINK_LOCAL
    assert guests.nic(addresses=(ULA.packed,)).server_link_local == guests.NODE_LINK_LOCAL


def test_the_server_s_name_is_the_guest_s_alone_and_always_the_same() -> None:
    first, again = guests.nic(), guests.nic(addresses=(LINK_LOCAL,), interface="tap9")
    other = guests.nic(mac="02:53:79:00:00:02")
    assert first.duid == again.duid != other.duid
    assert (first.duid[:2], len(first.duid)) == (b"\x00\x04", 18)


@pytest.mark.parametrize(
    ("gateway", "addresses", "router"),
    [
        # none: nobody forwards
        (None, (), Router(guests.NODE_LINK_LOCAL, None, forwards=False)),
        # elsewhere, known by its link-local address: it is named, and tells its MAC itself
        ("fe80::1", (), Router(ipaddress.IPv6Address("fe80::1").packed, None, forwards=True)),
        # elsewhere, known by a global one: only it can say where it is
        ("2001:db8::1", (), Router(guests.NODE_LINK_LOCAL, None, forwards=False)),
        # this node
        ("2001:db8::1", (ULA.packed,), Router(guests.NODE_LINK_LOCAL, guests.NODE_MAC, forwards=True)),
    ],
)
def test_a_gateway_is_advertised_by_where_it_is(
    gateway: str | None, addresses: tuple[bytes, ...], router: Router
) -> None:
    nic = guests.nic(v6={"gateway": gateway and ipaddress.IPv6Address(gateway)}, addresses=addresses)
    assert nic.router == router
    assert nic.neighbours == frozenset()


def test_of_a_routed_nic_the_node_is_the_gateway_and_answers_for_it() -> None:
    nic = guests.nic(mode=Mode.ROUTED, v6={"gateway": ULA})
    assert nic.router == Router(guests.NODE_LINK_LOCAL, guests.NODE_MAC, forwards=True)
    assert nic.neighbours == {ULA.packed, guests.NODE_LINK_LOCAL}
