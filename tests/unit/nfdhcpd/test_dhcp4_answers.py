"""A DHCPv4 server of one NIC: every state of RFC 2131, and what each client asks for."""

import ipaddress
import struct
from typing import Any

import pytest

from nfdhcpd.frames import Malformed
from nfdhcpd.nics import Nic
from nfdhcpd.outcomes import Silence
from nfdhcpd.responder import Wanted
from tests.unit.nfdhcpd import guests
from tests.unit.nfdhcpd.guests import ADDRESS, MAC, ROUTE, answered, discover, nic, option, recorded, routed

BROADCAST = b"\xff" * 6
WINDOWS_ASKS = bytes.fromhex("01 03 06 0f 1f 21 2b 2c 2e 2f 77 79 f9 fc")


def dhcp(packet: bytes, to: Nic | None = None, **more: Any) -> Any:
    return guests.ask(to or nic(), Wanted.DHCP4, packet, **more)


def windows(kind: int, extra: bytes = b"", **fields: Any) -> bytes:
    """A message with the options of Windows' client, in its order."""
    return discover(
        kind,
        option(61, b"\1" + MAC) + extra + option(12, b"WIN-GUEST") + option(81, b"\0\0\0WIN-GUEST")
        + option(60, b"MSFT 5.0") + option(55, WINDOWS_ASKS),
        **fields,
    )  # fmt: skip


# what is answered


@pytest.mark.parametrize("client", ["udhcpc", "dhclient", "dhcpcd"])
def test_a_real_discover_is_offered_the_address(client: str) -> None:
    frame = answered(dhcp(recorded(client)["dhcp4 discover"]))
    told = frame.lease()
    assert (frame.kind, told.options[53], told.yours) == ("offer", b"\2", str(ADDRESS))
    assert frame.source == "192.0.2.1"
    assert told.addresses(54) == ["192.0.2.1"]
    assert told.hardware == MAC


@pytest.mark.parametrize("client", ["udhcpc", "dhclient", "dhcpcd"])
def test_a_real_request_is_acknowledged(client: str) -> None:
    frame = answered(dhcp(recorded(client)["dhcp4 request-named-chosen"]))
    told = frame.lease()
    assert (frame.kind, told.options[53], told.yours) == ("ack", b"\5", str(ADDRESS))
    assert [struct.unpack("!I", told.options[code])[0] for code in (51, 58, 59)] == [3600, 1800, 3150]


def test_a_real_renewal_is_acknowledged_to_the_address() -> None:
    frame = answered(dhcp(recorded("udhcpc")["dhcp4 request-bound"]))
    assert (frame.kind, frame.destination, frame.destination_mac) == ("ack", str(ADDRESS), MAC)
    assert frame.lease().client == str(ADDRESS)


def test_a_real_reboot_is_acknowledged() -> None:
    assert answered(dhcp(recorded("dhclient")["dhcp4 request-named"])).kind == "ack"


def test_an_offer_goes_to_the_address_and_the_mac() -> None:
    frame = answered(dhcp(discover()))
    assert (frame.destination, frame.destination_mac) == (str(ADDRESS), MAC)


def test_the_broadcast_flag_is_heeded() -> None:
    frame = answered(dhcp(discover(flags=0x8000)))
    assert (frame.destination, frame.destination_mac) == ("255.255.255.255", BROADCAST)
    assert frame.lease().flags == 0x8000


def test_rapid_commit_is_acknowledged_at_once() -> None:
    told = answered(dhcp(discover(1, option(80, b"")))).lease()
    assert (told.options[53], told.options[80]) == (b"\5", b"")


@pytest.mark.parametrize(
    "packet",
    [
        discover(3, option(54, "192.0.2.1") + option(50, "192.0.2.11")),
        discover(3, option(50, "192.0.2.11")),
        discover(3, option(50, "10.0.0.5")),
        discover(3, client="192.0.2.11"),
    ],
    ids=["selecting", "init-reboot", "init-reboot elsewhere", "renewing"],
)
def test_a_wrong_address_is_refused_to_all(packet: bytes) -> None:
    frame = answered(dhcp(packet))
    told = frame.lease()
    assert (frame.kind, told.options[53], told.yours, told.client) == ("nak", b"\6", "0.0.0.0", "0.0.0.0")
    assert (frame.destination, frame.destination_mac) == ("255.255.255.255", BROADCAST)
    assert not {1, 3, 51} & set(told.codes)


def test_a_rebinding_is_acknowledged() -> None:
    assert answered(dhcp(discover(3, client=str(ADDRESS)))).kind == "ack"


def test_inform_is_told_all_but_an_address() -> None:
    frame = answered(dhcp(discover(8, option(55, bytes((6, 15))), client="192.0.2.10")))
    told = frame.lease()
    assert (told.options[53], told.yours) == (b"\5", "0.0.0.0")
    assert not {51, 58, 59} & set(told.codes)
    assert told.addresses(6) == ["192.0.2.53", "192.0.2.54"]


def test_without_a_gateway_the_server_has_an_address_of_its_own() -> None:
    told = answered(dhcp(discover(), nic(v4={"gateway": None}))).lease()
    assert told.addresses(54) == ["169.254.169.254"]
    assert 3 not in told.codes


# what is told


def test_a_client_that_says_nothing_is_told_what_is_usual() -> None:
    told = answered(dhcp(discover())).lease()
    assert told.addresses(1) == ["255.255.255.0"]
    assert told.addresses(3) == ["192.0.2.1"]
    assert told.addresses(6) == ["192.0.2.53", "192.0.2.54"]
    assert told.options[15] == b"example.org"
    assert told.options[12] == b"web1"
    assert told.options[26] == struct.pack("!H", 1450)
    assert told.addresses(28) == ["192.0.2.255"]
    assert told.addresses(42) == ["192.0.2.123"]


def test_parameters_are_told_in_the_order_asked_and_once() -> None:
    told = answered(dhcp(discover(1, option(55, bytes((6, 3, 6, 1, 200)))))).lease()
    assert told.codes == [53, 54, 51, 58, 59, 1, 6, 3]


def test_the_client_id_is_echoed() -> None:
    # RFC 6842
    for packet in (discover(1, option(61, b"\xff1234")), discover(3, option(61, b"\xff1234") + option(50, "10.0.0.1"))):
        assert answered(dhcp(packet)).lease().options[61] == b"\xff1234"


def test_windows_is_leased_an_address() -> None:
    offered = answered(dhcp(windows(1, option(50, "169.254.7.7")))).lease()
    assert offered.yours == str(ADDRESS)
    frame = answered(dhcp(windows(3, option(50, str(ADDRESS)) + option(54, "192.0.2.1"))))
    assert frame.kind == "ack"
    assert frame.lease().codes == [53, 54, 61, 51, 58, 59, 1, 3, 6, 15]


def test_host_routes_bring_the_default_route_along() -> None:
    # RFC 3442: who reads the routes ignores the router
    told = answered(dhcp(windows(1), nic(v4={"routes": (ROUTE,)}))).lease()
    assert told.routes(121) == [("198.51.100.0/25", "192.0.2.2"), ("0.0.0.0/0", "192.0.2.1")]
    assert told.routes(249) == told.routes(121)
    assert told.addresses(1) == ["255.255.255.0"]


def test_a_default_route_of_the_network_s_own_is_not_doubled() -> None:
    own = guests.Route(ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv4Address("192.0.2.2"))
    told = answered(dhcp(windows(1), nic(v4={"routes": (own,)}))).lease()
    assert told.routes() == [("0.0.0.0/0", "192.0.2.2")]


def test_a_routed_guest_is_alone_on_its_link() -> None:
    told = answered(dhcp(windows(1), routed())).lease()
    assert told.addresses(1) == ["255.255.255.255"]
    assert told.routes() == [("192.0.2.1/32", "0.0.0.0"), ("0.0.0.0/0", "192.0.2.1")]
    assert 28 not in told.codes


def test_the_metadata_service_is_on_the_link_and_the_router_stays_known() -> None:
    told = answered(dhcp(windows(1), nic(metadata=True))).lease()
    assert told.routes(121) == [("169.254.169.254/32", "0.0.0.0"), ("0.0.0.0/0", "192.0.2.1")]
    assert told.routes(249) == told.routes(121)
    assert told.addresses(3) == ["192.0.2.1"]


def test_the_metadata_service_is_there_without_a_router_too() -> None:
    told = answered(dhcp(windows(1), nic(metadata=True, v4={"gateway": None}))).lease()
    assert told.routes(121) == [("169.254.169.254/32", "0.0.0.0")]


def test_a_node_without_the_metadata_service_tells_nobody_of_it() -> None:
    assert 121 not in answered(dhcp(windows(1), nic())).lease().codes
    routed_guest = answered(dhcp(windows(1), routed(metadata=True))).lease()
    assert "169.254.169.254/32" not in [destination for destination, _ in routed_guest.routes()]


def test_a_routed_guest_that_knows_no_routes_gets_the_subnet() -> None:
    told = answered(dhcp(discover(1, option(55, bytes((1, 3)))), routed())).lease()
    assert told.addresses(1) == ["255.255.255.0"]
    assert told.addresses(3) == ["192.0.2.1"]


def test_a_gateway_outside_of_the_subnet_is_on_the_link() -> None:
    alone = nic(v4={"subnet": ipaddress.IPv4Network("192.0.2.10/32")})
    told = answered(dhcp(discover(), alone)).lease()
    assert told.routes() == [("192.0.2.1/32", "0.0.0.0"), ("0.0.0.0/0", "192.0.2.1")]


# what is not answered


@pytest.mark.parametrize(
    ("reason", "packet"),
    [
        ("other server", discover(3, option(54, "192.0.2.66") + option(50, str(ADDRESS)))),
        ("foreign hardware address", discover(hardware=b"\2" * 6)),
        ("relayed", discover(relay="192.0.2.99")),
        ("decline", discover(4, option(50, str(ADDRESS)))),
        ("release", recorded("dhclient")["dhcp4 release-chosen-bound"]),
        ("offer", discover(2)),
        ("ack", discover(5)),
    ],
)
def test_silence(reason: str, packet: bytes) -> None:
    assert dhcp(packet) == Silence(reason)


def test_another_port_is_not_ours() -> None:
    packet = guests.frames.ipv4_udp(bytes(4), b"\xff" * 4, b"x" * 300, source_port=68, destination_port=69)
    assert dhcp(packet) == Silence("other port")


def test_a_frame_from_another_mac_is_not_answered() -> None:
    assert dhcp(discover(), source=b"\2" * 6) == Silence("foreign source")


def test_a_nic_without_ipv4_is_not_answered() -> None:
    assert dhcp(discover(), nic(ipv4=None)) == Silence("no ipv4")


@pytest.mark.parametrize(
    ("reason", "packet"),
    [
        ("dhcp4 request", discover(3)),
        ("dhcp4 inform", discover(8)),
        ("dhcp4 address", discover(3, option(54, b"\1"))),
        ("ip version", recorded("dhclient6")["dhcp6 solicit"]),
    ],
)
def test_what_can_not_be_meant_is_malformed(reason: str, packet: bytes) -> None:
    with pytest.raises(Malformed, match=reason):
        dhcp(packet)
