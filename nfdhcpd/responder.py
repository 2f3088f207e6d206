"""From a queued packet to what becomes of it: one function per queue, bytes in and bytes out."""

from __future__ import annotations

from enum import StrEnum

from nfdhcpd import dhcp4, dhcp4_answers, dhcp6, dhcp6_answers, frames, icmp6, icmp6_answers
from nfdhcpd.frames import Malformed, Packet
from nfdhcpd.nics import Nic
from nfdhcpd.outcomes import Outcome, Silence


class Wanted(StrEnum):
    """What a queue brings."""

    DHCP4 = "dhcp4"
    RS = "rs"
    NS = "ns"
    DHCP6 = "dhcp6"


def respond(wanted: Wanted, nic: Nic, source: bytes, data: bytes, *, ra_seconds: float) -> Outcome:
    """Decide on a packet that came in by the NIC's tap, from an Ethernet address. Raises Malformed."""
    if source != nic.mac:
        return Silence("foreign source")
    packet = frames.parse_ip(data)
    if wanted is Wanted.DHCP4:
        return _dhcp4(nic, packet)
    if len(packet.source) != 16:
        raise Malformed("ip version")
    if packet.source[0] == 0xFF:
        raise Malformed("multicast source")
    if wanted is Wanted.DHCP6:
        return _dhcp6(nic, packet)
    solicitation = icmp6.parse(packet)
    if wanted is Wanted.RS:
        return icmp6_answers.solicited(nic, solicitation, ra_seconds=ra_seconds)
    return icmp6_answers.neighbour(nic, solicitation)


def _dhcp4(nic: Nic, packet: Packet) -> Outcome:
    if len(packet.source) != 4:
        raise Malformed("ip version")
    datagram = frames.parse_udp(packet)
    if datagram.destination_port != dhcp4.SERVER_PORT:
        return Silence("other port")
    return dhcp4_answers.answer(nic, dhcp4.parse(datagram.payload))


def _dhcp6(nic: Nic, packet: Packet) -> Outcome:
    datagram = frames.parse_udp(packet)
    if datagram.destination_port != dhcp6.SERVER_PORT:
        return Silence("other port")
    return dhcp6_answers.answer(nic, packet, dhcp6.parse(datagram.payload))
