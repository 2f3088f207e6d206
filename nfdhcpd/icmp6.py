"""Neighbour discovery messages: bytes in, values out, and back (RFC 4861, RFC 8106)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from nfdhcpd import frames
from nfdhcpd.frames import Malformed, Packet

ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT, NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT = 133, 134, 135, 136

#: what neighbours alone can send, since routers count it down
_HOPS = 255
_OPTION_SOURCE, _OPTION_TARGET, _OPTION_PREFIX, _OPTION_MTU, _OPTION_RDNSS, _OPTION_DNSSL = 1, 2, 3, 5, 25, 31
_MANAGED, _OTHER = 0x80, 0x40
_ON_LINK, _AUTONOMOUS = 0x80, 0x40
_FROM_ROUTER, _SOLICITED, _OVERRIDE = 0x80, 0x40, 0x20

_ADVERTISED = struct.Struct("!BBHBBHII")
_PREFIX = struct.Struct("!BBBBIII16s")
_LIFETIME = struct.Struct("!BBHI")
_SOLICITED_NODE = bytes.fromhex("ff0200000000000000000001ff")


@dataclass(frozen=True, slots=True)
class Solicitation:
    """A solicitation of routers, or, if it has a target, of a neighbour; `mac` is the sender's by its own word."""

    source: bytes
    target: bytes | None
    mac: bytes | None


@dataclass(frozen=True, slots=True)
class Prefix:
    """A prefix as it is advertised; lifetimes in seconds."""

    network: bytes
    length: int
    on_link: bool
    autonomous: bool
    valid: int
    preferred: int


@dataclass(frozen=True, slots=True)
class Advertisement:
    """A router's advertisement; lifetimes in seconds, addresses packed."""

    managed: bool
    other: bool
    lifetime: int
    mac: bytes | None
    mtu: int
    prefix: Prefix
    nameservers: tuple[bytes, ...]
    domains: tuple[str, ...]
    dns_lifetime: int


def parse(packet: Packet) -> Solicitation:
    """Read a solicitation, with the checks of RFC 4861 sections 6.1.1 and 7.1.1. Raises Malformed."""
    data = packet.payload
    if packet.protocol != frames.ICMPV6 or len(data) < 8:
        raise Malformed("no icmp6")
    if packet.hops != _HOPS:
        raise Malformed("icmp6 hops")
    if data[1]:
        raise Malformed("icmp6 code")
    if frames.transport_checksum(packet, data):
        raise Malformed("icmp6 checksum")
    if data[0] == ROUTER_SOLICITATION:
        return _solicitation(packet, None, data[8:])
    if data[0] != NEIGHBOUR_SOLICITATION:
        raise Malformed("icmp6 type")
    target = data[8:24]
    if len(target) != 16 or target[0] == 0xFF:
        raise Malformed("icmp6 target")
    if packet.source == frames.UNSPECIFIED_IPV6 and not packet.destination.startswith(_SOLICITED_NODE):
        raise Malformed("icmp6 destination")
    return _solicitation(packet, target, data[24:])


def router_advertisement(source: bytes, destination: bytes, told: Advertisement) -> bytes:
    """Make the packet of an advertisement (RFC 4861 section 4.2)."""
    flags = (_MANAGED if told.managed else 0) | (_OTHER if told.other else 0)
    parts = [_ADVERTISED.pack(ROUTER_ADVERTISEMENT, 0, 0, 64, flags, told.lifetime, 0, 0)]
    if told.mac is not None:
        parts.append(bytes((_OPTION_SOURCE, 1)) + told.mac)
    parts.append(_LIFETIME.pack(_OPTION_MTU, 1, 0, told.mtu))
    prefix = told.prefix
    flags = (_ON_LINK if prefix.on_link else 0) | (_AUTONOMOUS if prefix.autonomous else 0)
    parts.append(
        _PREFIX.pack(_OPTION_PREFIX, 4, prefix.length, flags, prefix.valid, prefix.preferred, 0, prefix.network)
    )
    if told.nameservers:
        size = 1 + 2 * len(told.nameservers)
        parts.append(_LIFETIME.pack(_OPTION_RDNSS, size, 0, told.dns_lifetime) + b"".join(told.nameservers))
    names = dns_names(told.domains)
    if names:
        names += bytes(-len(names) % 8)
        parts.append(_LIFETIME.pack(_OPTION_DNSSL, 1 + len(names) // 8, 0, told.dns_lifetime) + names)
    return _packet(source, destination, b"".join(parts))


def neighbour_advertisement(target: bytes, destination: bytes, mac: bytes, *, solicited: bool) -> bytes:
    """Make the packet that says which MAC a router's address has (RFC 4861 section 4.4)."""
    flags = _FROM_ROUTER | _OVERRIDE | (_SOLICITED if solicited else 0)
    body = bytes((NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0)) + target + bytes((_OPTION_TARGET, 1)) + mac
    return _packet(target, destination, body)


def dns_names(names: Iterable[str]) -> bytes:
    """Encode names as RFC 1035 section 3.1 has it."""
    encoded = b""
    for name in names:
        for label in name.rstrip(".").split("."):
            encoded += bytes((len(label),)) + label.encode("ascii")
        encoded += b"\0"
    return encoded


def _packet(source: bytes, destination: bytes, body: bytes) -> bytes:
    found = frames.transport_checksum(Packet(source, destination, frames.ICMPV6, _HOPS, b""), body)
    body = body[:2] + found.to_bytes(2, "big") + body[4:]
    return frames.ipv6(source, destination, frames.ICMPV6, body, hops=_HOPS)


def _solicitation(packet: Packet, target: bytes | None, options: bytes) -> Solicitation:
    mac = None
    at, end = 0, len(options)
    while at < end:
        size = options[at + 1] * 8 if at + 1 < end else 0
        if size == 0 or at + size > end:
            raise Malformed("icmp6 option")
        if options[at] == _OPTION_SOURCE and size == 8:
            mac = options[at + 2 : at + 8]
        at += size
    if packet.source == frames.UNSPECIFIED_IPV6 and mac is not None:
        raise Malformed("icmp6 source")
    return Solicitation(packet.source, target, mac)
