"""Ethernet, IP and UDP: what is made is read back, and what is not right is malformed."""

import struct

import pytest

from nfdhcpd import frames
from nfdhcpd.frames import Malformed
from tests.unit.nfdhcpd import guests

A, B = bytes.fromhex("c0000201"), bytes.fromhex("c000020a")
A6, B6 = bytes.fromhex("fe80") + bytes(13) + b"\1", bytes.fromhex("fe80") + bytes(13) + b"\2"
V4 = frames.ipv4_udp(A, B, b"hello", source_port=67, destination_port=68)
V6 = frames.ipv6_udp(A6, B6, b"hello", source_port=547, destination_port=546)


@pytest.mark.parametrize(("made", "source", "destination"), [(V4, A, B), (V6, A6, B6)])
def test_what_is_made_is_read_back(made: bytes, source: bytes, destination: bytes) -> None:
    packet = frames.parse_ip(made + b"padding of Ethernet")
    assert (packet.source, packet.destination, packet.hops) == (source, destination, 64)
    assert frames.parse_udp(packet).payload == b"hello"


def test_the_checksum_is_rfc_1071_s() -> None:
    # the example of its section 3
    assert frames.checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


def test_the_checksum_of_zeros_is_all_ones() -> None:
    assert frames.checksum(bytes(8)) == 0xFFFF


def test_real_packets_have_right_checksums() -> None:
    for client in ("udhcpc", "dhcpcd", "kernel"):
        for data in guests.recorded(client).values():
            packet = frames.parse_ip(data)
            assert frames.transport_checksum(packet, packet.payload) == 0


def test_udp_over_ipv4_may_be_without_checksum() -> None:
    packet = frames.parse_ip(V4[:26] + b"\0\0" + V4[28:])
    assert frames.parse_udp(packet).payload == b"hello"


def test_udp_over_ipv6_may_not() -> None:
    with pytest.raises(Malformed, match="udp checksum"):
        frames.parse_udp(frames.parse_ip(V6[:46] + b"\0\0" + V6[48:]))


def test_extension_headers_are_passed_over() -> None:
    hop_by_hop = bytes((17, 0, 1, 4, 0, 0, 0, 0))
    data = V6[:4] + (len(V6) - 40 + 8).to_bytes(2, "big") + b"\0" + V6[7:40] + hop_by_hop + V6[40:]
    assert frames.parse_udp(frames.parse_ip(data)).payload == b"hello"


def _bent(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("empty", b""),
        ("ip version", b"\x50" + bytes(40)),
        ("ipv4 length", V4[:19]),
        ("ipv4 length", V4[:-1]),
        ("ipv4 length", _bent(V4, 0, b"\x44")),
        ("ipv4 length", _bent(V4, 2, b"\0\x13")),
        ("ipv4 checksum", _bent(V4, 12, b"\1")),
        ("ipv6 length", V6[:39]),
        ("ipv6 length", V6[:-1]),
        ("ipv6 extension", V6[:4] + b"\0\x08\0" + V6[7:40] + b"\x11\1" + bytes(6)),
        ("ipv6 extension", V6[:4] + b"\0\4\0" + V6[7:44]),
    ],
)
def test_what_is_not_right_is_malformed(reason: str, data: bytes) -> None:
    with pytest.raises(Malformed, match=reason):
        frames.parse_udp(frames.parse_ip(data))


@pytest.mark.parametrize(
    ("reason", "at", "value"),
    [("udp length", 24, b"\0\7"), ("udp length", 24, b"\0\x63"), ("udp checksum", 28, b"J"), ("no udp", 9, b"\6")],
)
def test_a_bad_datagram_is_malformed(reason: str, at: int, value: bytes) -> None:
    data = _bent(_bent(V4, at, value), 10, b"\0\0")
    data = _bent(data, 10, frames.checksum(data[:20]).to_bytes(2, "big"))
    with pytest.raises(Malformed, match=reason):
        frames.parse_udp(frames.parse_ip(data))


def test_fragments_are_malformed() -> None:
    data = _bent(_bent(V4, 6, struct.pack("!H", 0x2000)), 10, b"\0\0")
    data = _bent(data, 10, frames.checksum(data[:20]).to_bytes(2, "big"))
    with pytest.raises(Malformed, match="fragment"):
        frames.parse_ip(data)
