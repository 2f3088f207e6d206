"""Ethernet, IPv4, IPv6 and UDP, as far as DHCP and neighbour discovery need them: bytes in, values out, and back.

Addresses are packed bytes: 4 of IPv4, 16 of IPv6, 6 of Ethernet.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_IPV6 = 0x86DD
UDP = 17
ICMPV6 = 58

BROADCAST_MAC = b"\xff" * 6
UNSPECIFIED_IPV4 = bytes(4)
BROADCAST_IPV4 = b"\xff" * 4
UNSPECIFIED_IPV6 = bytes(16)
ALL_NODES = bytes.fromhex("ff020000000000000000000000000001")

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_UDP = struct.Struct("!HHHH")
_MOST_EXTENSIONS = 8
#: hop-by-hop, routing and destination options: those that may precede what is looked for (RFC 8200 section 4)
_EXTENSIONS = frozenset((0, 43, 60))
_FRAGMENTED = 0x3FFF


class Malformed(Exception):
    """The bytes are not what they should be; the text is a short constant, fit for a counter's label."""


@dataclass(frozen=True, slots=True)
class Packet:
    """An IP packet's addresses and payload; `hops` is the hop limit or the time to live."""

    source: bytes
    destination: bytes
    protocol: int
    hops: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Datagram:
    """What UDP carries."""

    source_port: int
    destination_port: int
    payload: bytes


def parse_ip(data: bytes) -> Packet:
    """Read an IP packet of either version. Raises Malformed."""
    if not data:
        raise Malformed("empty")
    version = data[0] >> 4
    if version == 4:
        return _parse_ipv4(data)
    if version == 6:
        return _parse_ipv6(data)
    raise Malformed("ip version")


def parse_udp(packet: Packet) -> Datagram:
    """Read what an IP packet carries as UDP (RFC 768), checksum and all. Raises Malformed."""
    data = packet.payload
    if packet.protocol != UDP or len(data) < 8:
        raise Malformed("no udp")
    source, destination, length, checksum = _UDP.unpack_from(data)
    if not 8 <= length <= len(data):
        raise Malformed("udp length")
    data = data[:length]
    # IPv4 may leave it out, IPv6 may not (RFC 8200 section 8.1)
    if (checksum or len(packet.source) == 16) and transport_checksum(packet, data):
        raise Malformed("udp checksum")
    return Datagram(source, destination, data[8:])


def transport_checksum(packet: Packet, data: bytes) -> int:
    """Give the checksum of a packet's payload under its pseudo-header: zero, if the payload has a right one inside."""
    return checksum(
        packet.source + packet.destination + len(data).to_bytes(4, "big") + packet.protocol.to_bytes(4, "big") + data
    )


def checksum(data: bytes) -> int:
    """Give the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    # a number of base 2**16 is, modulo 2**16 - 1, the sum of its digits
    total = int.from_bytes(data, "big")
    folded = total % 0xFFFF
    return 0xFFFF - (folded or (0xFFFF if total else 0))


def ethernet(destination: bytes, source: bytes, ethertype: int, payload: bytes) -> bytes:
    """Make a frame."""
    return destination + source + ethertype.to_bytes(2, "big") + payload


def ipv4_udp(
    source: bytes, destination: bytes, payload: bytes, *, source_port: int, destination_port: int, hops: int = 64
) -> bytes:
    """Make an IPv4 packet with a UDP datagram."""
    length = 8 + len(payload)
    packet = Packet(source, destination, UDP, hops, b"")
    datagram = _udp(packet, payload, source_port, destination_port, length)
    header = _IPV4.pack(0x45, 0x10, 20 + length, 0, 0, hops, UDP, 0, source, destination)
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + datagram


def ipv6_udp(source: bytes, destination: bytes, payload: bytes, *, source_port: int, destination_port: int) -> bytes:
    """Make an IPv6 packet with a UDP datagram."""
    length = 8 + len(payload)
    packet = Packet(source, destination, UDP, 64, b"")
    return ipv6(source, destination, UDP, _udp(packet, payload, source_port, destination_port, length), hops=64)


def ipv6(source: bytes, destination: bytes, protocol: int, payload: bytes, *, hops: int) -> bytes:
    """Make an IPv6 packet."""
    return _IPV6.pack(6 << 28, len(payload), protocol, hops, source, destination) + payload


def multicast_mac(address: bytes) -> bytes:
    """Give the Ethernet address of an IPv6 multicast address (RFC 2464 section 7)."""
    return b"\x33\x33" + address[12:]


def _udp(packet: Packet, payload: bytes, source_port: int, destination_port: int, length: int) -> bytes:
    ports = source_port.to_bytes(2, "big") + destination_port.to_bytes(2, "big") + length.to_bytes(2, "big")
    found = transport_checksum(packet, ports + b"\0\0" + payload)
    # zero would say that there is none
    return ports + (found or 0xFFFF).to_bytes(2, "big") + payload


def _parse_ipv4(data: bytes) -> Packet:
    if len(data) < 20:
        raise Malformed("ipv4 length")
    start, _tos, length, _id, fragment, hops, protocol, _sum, source, destination = _IPV4.unpack_from(data)
    header = (start & 15) * 4
    if not 20 <= header <= length <= len(data):
        raise Malformed("ipv4 length")
    if checksum(data[:header]):
        raise Malformed("ipv4 checksum")
    if fragment & _FRAGMENTED:
        raise Malformed("fragment")
    return Packet(source, destination, protocol, hops, data[header:length])


def _parse_ipv6(data: bytes) -> Packet:
    if len(data) < 40:
        raise Malformed("ipv6 length")
    _flow, length, protocol, hops, source, destination = _IPV6.unpack_from(data)
    if length > len(data) - 40:
        raise Malformed("ipv6 length")
    end = 40 + length
    start = 40
    for _ in range(_MOST_EXTENSIONS):
        if protocol not in _EXTENSIONS:
            break
        if start + 8 > end:
            raise Malformed("ipv6 extension")
        protocol, size = data[start], 8 + data[start + 1] * 8
        start += size
        if start > end:
            raise Malformed("ipv6 extension")
    return Packet(source, destination, protocol, hops, data[start:end])
