"""What a router says to one NIC: advertisements, asked or not, and who has the gateway's address."""

from __future__ import annotations

from common.bindings import Ipv6, Ipv6Mode, Mode
from nfdhcpd import frames, icmp6
from nfdhcpd.icmp6 import Advertisement, Prefix, Solicitation
from nfdhcpd.nics import Nic, Router
from nfdhcpd.outcomes import Answer, Outcome, Silence

#: RFC 4861 section 6.2.1: AdvValidLifetime and AdvPreferredLifetime
_VALID, _PREFERRED = 2_592_000, 604_800
#: RFC 4862: interface identifiers are 64 bits long
_SLAAC_PREFIX = 64
_LONGEST_LIFETIME = 9000


def solicited(nic: Nic, solicitation: Solicitation, *, ra_seconds: float) -> Outcome:
    """Answer a router solicitation.

    At once, and as often as one comes: the delays of RFC 4861 section 6.2.6 spread what many routers say to many
    hosts, and on a tap there are one and one.
    """
    if nic.binding.ipv6 is None or nic.router is None:
        return Silence("no ipv6")
    if solicitation.target is not None:
        return Silence("other message")
    to_all = solicitation.source == frames.UNSPECIFIED_IPV6
    return _advertised(
        nic, nic.binding.ipv6, nic.router, frames.ALL_NODES if to_all else solicitation.source, ra_seconds=ra_seconds
    )


def unsolicited(nic: Nic, *, ra_seconds: float) -> Answer | None:
    """Give the advertisement that is sent unasked; None for a NIC without IPv6."""
    if nic.binding.ipv6 is None or nic.router is None:
        return None
    return _advertised(nic, nic.binding.ipv6, nic.router, frames.ALL_NODES, ra_seconds=ra_seconds)


def neighbour(nic: Nic, solicitation: Solicitation) -> Outcome:
    """Answer a neighbour solicitation for the gateway, where that is this node."""
    if solicitation.target is None:
        return Silence("other message")
    if solicitation.target not in nic.neighbours:
        return Silence("other neighbour")
    # who looks whether the address is free has none to be answered at (RFC 4861 section 7.2.4)
    probing = solicitation.source == frames.UNSPECIFIED_IPV6
    destination = frames.ALL_NODES if probing else solicitation.source
    packet = icmp6.neighbour_advertisement(
        solicitation.target, destination, nic.surroundings.mac, solicited=not probing
    )
    return Answer("na", _framed(nic, destination, packet))


def _advertised(nic: Nic, ipv6: Ipv6, router: Router, destination: bytes, *, ra_seconds: float) -> Answer:
    lifetime = min(int(ra_seconds * 3), _LONGEST_LIFETIME)
    autonomous = ipv6.mode is not Ipv6Mode.STATEFUL and ipv6.subnet.prefixlen == _SLAAC_PREFIX
    told = Advertisement(
        managed=ipv6.mode is Ipv6Mode.STATEFUL,
        other=ipv6.mode is Ipv6Mode.STATELESS,
        lifetime=lifetime if router.forwards else 0,
        mac=router.mac,
        mtu=nic.binding.mtu,
        prefix=Prefix(
            ipv6.subnet.network_address.packed,
            ipv6.subnet.prefixlen,
            # neighbours of a routed NIC are reached over the gateway
            on_link=nic.binding.mode is Mode.BRIDGED,
            autonomous=autonomous,
            valid=_VALID,
            preferred=_PREFERRED,
        ),
        nameservers=tuple(address.packed for address in ipv6.nameservers),
        domains=(nic.binding.domain,) if nic.binding.domain else (),
        dns_lifetime=lifetime,
    )
    return Answer("ra", _framed(nic, destination, icmp6.router_advertisement(router.address, destination, told)))


def _framed(nic: Nic, destination: bytes, packet: bytes) -> bytes:
    mac = frames.multicast_mac(destination) if destination[0] == 0xFF else nic.mac
    return frames.ethernet(mac, nic.surroundings.mac, frames.ETHERTYPE_IPV6, packet)
