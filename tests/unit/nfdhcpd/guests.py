"""NICs to answer, what real clients sent, and how a client reads an answer."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common.bindings import Binding, Ipv4, Ipv6, Ipv6Mode, Mode, Route
from nfdhcpd import dhcp6, frames, nics, responder
from nfdhcpd.nics import Nic, Surroundings
from nfdhcpd.outcomes import Answer, Outcome
from nfdhcpd.responder import Wanted

DATA = Path(__file__).parents[2] / "data" / "nfdhcpd"

MAC = bytes.fromhex("025379000001")
NODE_MAC = bytes.fromhex("020000000001")
NODE_LINK_LOCAL = ipaddress.IPv6Address("fe80::ff:fe00:1").packed
SERVER = ipaddress.IPv4Address("169.254.169.254").packed
ADDRESS = ipaddress.IPv4Address("192.0.2.10")
GATEWAY = ipaddress.IPv4Address("192.0.2.1")
ADDRESS6 = ipaddress.IPv6Address("2001:db8::10")
RA_SECONDS = 600.0

BINDING = Binding(
    interface="tap1",
    instance="syros-1",
    mac="02:53:79:00:00:01",
    link="br0",
    hostname="web1",
    domain="example.org",
    mtu=1450,
    lease=3600,
    ipv4=Ipv4(
        address=ADDRESS,
        subnet=ipaddress.IPv4Network("192.0.2.0/24"),
        gateway=GATEWAY,
        nameservers=(ipaddress.IPv4Address("192.0.2.53"), ipaddress.IPv4Address("192.0.2.54")),
        ntp_servers=(ipaddress.IPv4Address("192.0.2.123"),),
    ),
    ipv6=Ipv6(
        subnet=ipaddress.IPv6Network("2001:db8::/64"),
        mode=Ipv6Mode.STATEFUL,
        address=ADDRESS6,
        gateway=ipaddress.IPv6Address("fe80::1"),
        nameservers=(ipaddress.IPv6Address("2001:db8::53"),),
        ntp_servers=(ipaddress.IPv6Address("2001:db8::123"),),
    ),
)
ROUTE = Route(ipaddress.IPv4Network("198.51.100.0/25"), ipaddress.IPv4Address("192.0.2.2"))


def nic(
    *, v4: Any = None, v6: Any = None, addresses: tuple[bytes, ...] = (), metadata: bool = False, **changes: Any
) -> Nic:
    """A NIC of BINDING, with changes to it and (`v4`, `v6`) to its parts; None for a part takes nothing away."""
    binding = replace(BINDING, **changes)
    if binding.ipv4 and v4:
        binding = replace(binding, ipv4=replace(binding.ipv4, **v4))
    if binding.ipv6 and v6:
        binding = replace(binding, ipv6=replace(binding.ipv6, **v6))
    return nics.ready(binding, Surroundings(7, NODE_MAC, addresses), server_id=SERVER, metadata=metadata)


def routed(**changes: Any) -> Nic:
    """A NIC of a routed network, whose gateway is the node."""
    return nic(mode=Mode.ROUTED, **changes)


def recorded(client: str) -> dict[str, bytes]:
    """What a client sent, each packet by its queue and kind."""
    lines = (DATA / f"{client}.hex").read_text().splitlines()
    pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {kind: bytes.fromhex(data) for kind, _, data in pairs}


def ask(to: Nic, wanted: Wanted, packet: bytes, *, source: bytes = MAC) -> Outcome:
    """Give a packet to the responder, as the queue would."""
    return responder.respond(wanted, to, source, packet, ra_seconds=RA_SECONDS)


def answered(outcome: Outcome) -> Frame:
    """Read an answer. Fails if there is none."""
    assert isinstance(outcome, Answer), outcome
    data = outcome.frame
    assert data[6:12] == NODE_MAC
    packet = frames.parse_ip(data[14:])
    assert int.from_bytes(data[12:14], "big") == {4: 0x0800, 16: 0x86DD}[len(packet.source)]
    return Frame(outcome.kind, data[:6], packet)


@dataclass(frozen=True)
class Frame:
    """An answer, taken apart as far as IP."""

    kind: str
    destination_mac: bytes
    packet: frames.Packet

    @property
    def destination(self) -> str:
        return str(ipaddress.ip_address(self.packet.destination))

    @property
    def source(self) -> str:
        return str(ipaddress.ip_address(self.packet.source))

    def lease(self) -> Lease4:
        """Read it as DHCPv4."""
        datagram = frames.parse_udp(self.packet)
        assert (datagram.source_port, datagram.destination_port) == (67, 68)
        return Lease4.of(datagram.payload)

    def lease6(self) -> Lease6:
        """Read it as DHCPv6."""
        datagram = frames.parse_udp(self.packet)
        assert (datagram.source_port, datagram.destination_port) == (547, 546)
        data = datagram.payload
        return Lease6(dhcp6.Kind(data[0]), data[1:4], options6(data[4:]))


@dataclass(frozen=True)
class Lease4:
    """A DHCPv4 answer; `codes` are the options in their order."""

    xid: int
    flags: int
    yours: str
    client: str
    hardware: bytes
    codes: list[int]
    options: dict[int, bytes]
    length: int

    @classmethod
    def of(cls, data: bytes) -> Lease4:
        op, htype, hlen, _hops, xid, _secs, flags, ciaddr, yiaddr, _si, _gi, chaddr = struct.unpack_from(
            "!BBBBIHH4s4s4s4s16s", data
        )
        assert (op, htype, hlen) == (2, 1, 6)
        assert data[236:240] == b"\x63\x82\x53\x63"
        codes: list[int] = []
        options: dict[int, bytes] = {}
        at = 240
        while data[at] != 255:
            code, length = data[at], data[at + 1]
            if code not in options:
                codes.append(code)
            options[code] = options.get(code, b"") + data[at + 2 : at + 2 + length]
            at += 2 + length
        assert not any(data[at + 1 :])
        yours, client = str(ipaddress.IPv4Address(yiaddr)), str(ipaddress.IPv4Address(ciaddr))
        return cls(xid, flags, yours, client, chaddr[:6], codes, options, len(data))

    def addresses(self, code: int) -> list[str]:
        value = self.options[code]
        return [str(ipaddress.IPv4Address(value[at : at + 4])) for at in range(0, len(value), 4)]

    def routes(self, code: int = 121) -> list[tuple[str, str]]:
        value, found = self.options[code], []
        while value:
            size = (value[0] + 7) // 8
            network = ipaddress.IPv4Network((value[1 : 1 + size].ljust(4, b"\0"), value[0]))
            found.append((str(network), str(ipaddress.IPv4Address(value[1 + size : 5 + size]))))
            value = value[5 + size :]
        return found


@dataclass(frozen=True)
class Lease6:
    """A DHCPv6 answer."""

    kind: dhcp6.Kind
    transaction: bytes
    options: dict[int, list[bytes]]

    def addresses(self) -> list[tuple[str, int, int]]:
        """Each address of the first association, with its lifetimes."""
        inner = options6(self.options[3][0][12:])
        unpacked = [struct.unpack("!16sII", value) for value in inner.get(5, [])]
        return [(str(ipaddress.IPv6Address(address)), preferred, valid) for address, preferred, valid in unpacked]

    def status(self, *, association: int | None = None, option: int = 3) -> int:
        """The status, of the message or of an association; 0 if there is none."""
        start = 4 if option == 4 else 12
        options = self.options if association is None else options6(self.options[option][association][start:])
        values = options.get(13)
        return int.from_bytes(values[0][:2], "big") if values else 0


def options6(data: bytes) -> dict[int, list[bytes]]:
    """Read options of DHCPv6."""
    found: dict[int, list[bytes]] = {}
    while data:
        code, length = struct.unpack_from("!HH", data)
        assert len(data) >= 4 + length
        found.setdefault(code, []).append(data[4 : 4 + length])
        data = data[4 + length :]
    return found


def discover(
    kind: int = 1,
    options: bytes = b"",
    *,
    client: str = "0.0.0.0",
    relay: str = "0.0.0.0",
    flags: int = 0,
    hardware: bytes = MAC,
    file: bytes = b"",
    server_name: bytes = b"",
) -> bytes:
    """A DHCPv4 message of a client, in its IP packet."""
    address = ipaddress.IPv4Address
    message = struct.pack(
        "!BBBBIHH4s4s4s4s16s64s128s",
        1, 1, 6, 0, 0x12345678, 3, flags, address(client).packed, bytes(4), bytes(4), address(relay).packed, hardware,
        server_name, file,
    )  # fmt: skip
    payload = message + b"\x63\x82\x53\x63" + bytes((53, 1, kind)) + options + b"\xff"
    return frames.ipv4_udp(address(client).packed, frames.BROADCAST_IPV4, payload, source_port=68, destination_port=67)


def option(code: int, value: bytes | str) -> bytes:
    """An option of DHCPv4; a text is an address."""
    packed = ipaddress.IPv4Address(value).packed if isinstance(value, str) else value
    return bytes((code, len(packed))) + packed


def solicit(
    kind: int, *options: bytes, source: str = "fe80::5379:1", destination: str = "ff02::1:2", client_id: bool = True
) -> bytes:
    """A DHCPv6 message of a client, in its IP packet."""
    head = dhcp6.option(1, b"\0\3\0\1" + MAC) if client_id else b""
    payload = bytes((kind,)) + b"abc" + head + b"".join(options)
    address = ipaddress.IPv6Address
    return frames.ipv6_udp(
        address(source).packed, address(destination).packed, payload, source_port=546, destination_port=547
    )


def association(*addresses: str, code: int = 3, number: bytes = b"iaid") -> bytes:
    """An identity association that names addresses."""
    content = b"".join(dhcp6.address(ipaddress.IPv6Address(each).packed, preferred=0, valid=0) for each in addresses)
    return dhcp6.option(code, number + (b"" if code == 4 else bytes(8)) + content)


def icmp6(kind: int, body: bytes, *, source: str, destination: str, hops: int = 255, code: int = 0) -> bytes:
    """An ICMPv6 message in its IP packet, with a right checksum."""
    source_packed, packed = ipaddress.IPv6Address(source).packed, ipaddress.IPv6Address(destination).packed
    data = bytes((kind, code, 0, 0)) + body
    found = frames.transport_checksum(frames.Packet(source_packed, packed, 58, hops, b""), data)
    data = data[:2] + found.to_bytes(2, "big") + data[4:]
    return frames.ipv6(source_packed, packed, 58, data, hops=hops)
