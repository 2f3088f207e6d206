"""Router and neighbour advertisements: what a guest reads in them, and what is left unanswered."""

import ipaddress
import struct
from dataclasses import dataclass
from typing import Any

import pytest

from common.bindings import Ipv6Mode
from nfdhcpd import frames, icmp6_answers
from nfdhcpd.frames import Malformed
from nfdhcpd.nics import Nic
from nfdhcpd.outcomes import Silence
from nfdhcpd.responder import Wanted
from tests.unit.nfdhcpd import guests
from tests.unit.nfdhcpd.guests import MAC, NODE_LINK_LOCAL, NODE_MAC, answered, icmp6, nic, recorded, routed

SOURCE_MAC = b"\1\1" + MAC
ASK = icmp6(133, bytes(4) + SOURCE_MAC, source="fe80::5:1", destination="ff02::2")
GLOBAL_GATEWAY = ipaddress.IPv6Address("2001:db8::1")


@dataclass(frozen=True)
class Told:
    """A router advertisement."""

    lifetime: int
    managed: bool
    other: bool
    options: dict[int, bytes]

    @classmethod
    def of(cls, packet: frames.Packet) -> "Told":
        data = packet.payload
        assert (data[0], data[1], packet.hops) == (134, 0, 255)
        assert frames.transport_checksum(packet, data) == 0
        options: dict[int, bytes] = {}
        rest = data[16:]
        while rest:
            size = rest[1] * 8
            assert 0 < size <= len(rest)
            options[rest[0]] = rest[2:size]
            rest = rest[size:]
        (lifetime,) = struct.unpack_from("!H", data, 6)
        return cls(lifetime, bool(data[5] & 0x80), bool(data[5] & 0x40), options)

    @property
    def prefix(self) -> tuple[str, bool, bool]:
        """The prefix, and whether it is on the link and for addresses of the guest's own making."""
        value = self.options[3]
        network = ipaddress.IPv6Network((value[14:30], value[0]))
        return str(network), bool(value[1] & 0x80), bool(value[1] & 0x40)


def rs(packet: bytes, to: Nic | None = None) -> Any:
    return guests.ask(to or nic(), Wanted.RS, packet)


def ns(packet: bytes, to: Nic | None = None) -> Any:
    return guests.ask(to or routed(), Wanted.NS, packet)


def told(to: Nic) -> Told:
    return Told.of(answered(rs(ASK, to)).packet)


def test_a_real_kernel_is_answered_where_it_asks_from() -> None:
    packet = recorded("kernel")["rs solicitation"]
    frame = answered(rs(packet))
    assert (frame.kind, frame.source, frame.destination_mac) == ("ra", "fe80::1", MAC)
    assert frame.packet.destination == frames.parse_ip(packet).source


def test_who_has_no_address_yet_is_answered_at_all_nodes() -> None:
    frame = answered(rs(icmp6(133, bytes(4), source="::", destination="ff02::2")))
    assert (frame.destination, frame.destination_mac) == ("ff02::1", bytes.fromhex("333300000001"))


@pytest.mark.parametrize(
    ("mode", "managed", "other", "autonomous"),
    [
        (Ipv6Mode.SLAAC, False, False, True),
        (Ipv6Mode.STATELESS, False, True, True),
        (Ipv6Mode.STATEFUL, True, False, False),
    ],
)
def test_the_flags_say_where_addresses_come_from(mode: Ipv6Mode, managed: bool, other: bool, autonomous: bool) -> None:
    said = told(nic(v6={"mode": mode}))
    assert (said.managed, said.other) == (managed, other)
    assert said.prefix == ("2001:db8::/64", True, autonomous)


def test_the_mtu_and_the_name_servers_are_told() -> None:
    said = told(nic())
    assert said.options[5] == struct.pack("!HI", 0, 1450)
    assert said.options[25] == struct.pack("!HI", 0, 1800) + ipaddress.IPv6Address("2001:db8::53").packed
    assert said.options[31] == struct.pack("!HI", 0, 1800) + b"\7example\3org\0" + bytes(3)


def test_what_there_is_none_of_is_not_told() -> None:
    said = told(nic(domain="", v6={"nameservers": ()}))
    assert not {25, 31} & set(said.options)


def test_a_router_elsewhere_is_told_by_its_link_local_address() -> None:
    said = told(nic())
    assert said.lifetime == 1800
    # its MAC is for itself to tell
    assert 1 not in said.options


def test_a_router_elsewhere_that_is_known_by_a_global_address_tells_itself() -> None:
    assert told(nic(v6={"gateway": GLOBAL_GATEWAY})).lifetime == 0


def test_a_gateway_on_the_node_s_bridge_is_told_by_the_node_s_address() -> None:
    here = nic(v6={"gateway": GLOBAL_GATEWAY}, addresses=(GLOBAL_GATEWAY.packed, NODE_LINK_LOCAL))
    frame = answered(rs(ASK, here))
    said = Told.of(frame.packet)
    assert (said.lifetime, said.options[1], frame.packet.source) == (1800, NODE_MAC, NODE_LINK_LOCAL)


def test_a_routed_guest_is_told_that_the_node_is_its_router_and_nobody_its_neighbour() -> None:
    frame = answered(rs(ASK, routed(v6={"gateway": GLOBAL_GATEWAY, "mode": Ipv6Mode.SLAAC})))
    said = Told.of(frame.packet)
    assert (said.lifetime, said.options[1], frame.packet.source) == (1800, NODE_MAC, NODE_LINK_LOCAL)
    assert said.prefix == ("2001:db8::/64", False, True)


def test_without_a_gateway_there_is_no_router() -> None:
    assert told(nic(v6={"gateway": None})).lifetime == 0


def test_a_prefix_too_long_for_it_is_not_for_slaac() -> None:
    narrow = nic(v6={"subnet": ipaddress.IPv6Network("2001:db8::/80"), "mode": Ipv6Mode.SLAAC})
    assert told(narrow).prefix == ("2001:db8::/80", True, False)


def test_an_advertisement_unasked_goes_to_all_nodes() -> None:
    answer = icmp6_answers.unsolicited(nic(), ra_seconds=4)
    assert answer is not None
    frame = answered(answer)
    assert frame.destination == "ff02::1"
    assert Told.of(frame.packet).lifetime == 12


def test_without_ipv6_there_is_none() -> None:
    assert icmp6_answers.unsolicited(nic(ipv6=None), ra_seconds=4) is None
    assert rs(ASK, nic(ipv6=None)) == Silence("no ipv6")


# neighbours


def solicitation(target: str, *, source: str = "fe80::5:1", destination: str | None = None) -> bytes:
    packed = ipaddress.IPv6Address(target).packed
    to = destination or str(ipaddress.IPv6Address(bytes.fromhex("ff0200000000000000000001ff") + packed[13:]))
    body = bytes(4) + packed + (SOURCE_MAC if source != "::" else b"")
    return icmp6(135, body, source=source, destination=to)


@pytest.mark.parametrize("target", ["2001:db8::1", str(ipaddress.IPv6Address(NODE_LINK_LOCAL))])
def test_the_gateway_of_a_routed_guest_is_the_node(target: str) -> None:
    frame = answered(ns(solicitation(target), routed(v6={"gateway": GLOBAL_GATEWAY})))
    data = frame.packet.payload
    assert (frame.kind, frame.source, frame.destination, frame.packet.hops) == ("na", target, "fe80::5:1", 255)
    assert (data[0], data[4]) == (136, 0xE0)
    assert data[8:] == ipaddress.IPv6Address(target).packed + b"\2\1" + NODE_MAC
    assert frames.transport_checksum(frame.packet, data) == 0


def test_a_guest_that_wants_the_gateway_s_address_is_told_that_it_is_taken() -> None:
    frame = answered(ns(solicitation("fe80::1", source="::")))
    assert (frame.destination, frame.packet.payload[4]) == ("ff02::1", 0xA0)


@pytest.mark.parametrize("client", ["kernel", "dhclient6"])
def test_other_neighbours_are_not_the_node_s_to_answer_for(client: str) -> None:
    for kind, packet in recorded(client).items():
        if kind.startswith("ns"):
            expected = Silence("other neighbour")
            assert ns(packet, nic()) == expected
            if kind == "ns probe":
                assert ns(packet) == expected


def test_a_message_of_the_other_kind_is_not_answered() -> None:
    assert rs(solicitation("fe80::1")) == Silence("other message")
    assert ns(ASK) == Silence("other message")


@pytest.mark.parametrize(
    ("reason", "packet"),
    [
        ("icmp6 hops", icmp6(133, bytes(4), source="fe80::1", destination="ff02::2", hops=64)),
        ("icmp6 code", icmp6(133, bytes(4), source="fe80::1", destination="ff02::2", code=1)),
        ("icmp6 type", icmp6(136, bytes(20), source="fe80::1", destination="ff02::2")),
        ("icmp6 checksum", ASK[:-1] + b"\xaa"),
        ("icmp6 option", icmp6(133, bytes(4) + b"\1\0" + MAC, source="fe80::5:1", destination="ff02::2")),
        ("icmp6 option", icmp6(133, bytes(4) + b"\1\2" + MAC, source="fe80::5:1", destination="ff02::2")),
        ("icmp6 option", icmp6(133, bytes(4) + b"\1", source="fe80::5:1", destination="ff02::2")),
        ("icmp6 source", icmp6(133, bytes(4) + SOURCE_MAC, source="::", destination="ff02::2")),
        ("icmp6 target", icmp6(135, bytes(4) + b"\xff\2" + bytes(14), source="fe80::1", destination="ff02::1")),
        ("icmp6 target", icmp6(135, bytes(12), source="fe80::1", destination="ff02::1")),
        ("icmp6 destination", solicitation("fe80::1", source="::", destination="fe80::1")),
        ("no icmp6", icmp6(133, b"", source="fe80::1", destination="ff02::2")),
        ("multicast source", icmp6(133, bytes(4), source="ff02::1", destination="ff02::2")),
        ("ip version", guests.discover()),
    ],
)
def test_what_is_not_right_is_malformed(reason: str, packet: bytes) -> None:
    with pytest.raises(Malformed, match=reason):
        rs(packet)
