"""In whose names a guest may send, as nftables' rules of its tap's chain: what is another's is dropped.

Those are its MAC with its addresses, and what its port has been allowed besides: prefixes, from its own MAC or others.
What only a router or a DHCP server says is nobody's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ganeti_hooks.nic import Nic, Prefix

#: fe80::/10, as the first ten bits of an address
_LINK_LOCAL = 0x3FA
_LINK_LOCAL_PREFIX = ipaddress.IPv6Network("fe80::/10")
_UNSPECIFIED = ipaddress.IPv4Network("0.0.0.0/32")


@dataclass(frozen=True)
class Source:
    """What may be sent from, with one MAC."""

    ipv4: tuple[ipaddress.IPv4Network, ...]
    ipv6: tuple[ipaddress.IPv6Network, ...]


def sources(nic: Nic) -> Mapping[str, Source]:
    """Give what a guest may send from, by MAC, its own first. Raises Refused."""
    four = {nic.mac: [ipaddress.IPv4Network(each) for each in nic.addresses(4)]}
    six = {nic.mac: [ipaddress.IPv6Network(each) for each in nic.addresses(6)]}
    for mac, prefix in nic.pairs():
        if isinstance(prefix, ipaddress.IPv4Network):
            four.setdefault(mac, []).append(prefix)
        else:
            six.setdefault(mac, []).append(prefix)
    return {
        mac: Source(
            # of what overlaps nft makes no set
            tuple(ipaddress.collapse_addresses(four.get(mac, ()))),
            tuple(ipaddress.collapse_addresses(six.get(mac, ()))),
        )
        for mac in dict.fromkeys([*four, *six])
    }


def some(values: Iterable[object]) -> str:
    """Write values as nft compares with them: one, or a set; of a prefix of one address, that."""
    texts = [str(value).removesuffix("/32").removesuffix("/128") for value in values]
    return f"{{ {', '.join(texts)} }}"


def ipv4(found: Mapping[str, Source]) -> list[str]:
    """Give the rules for IPv4."""
    return [
        "udp sport 67 drop",
        # who has no address yet asks for one (RFC 2131, 4.1)
        "meta protocol ip ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept",
        *(f"{which}meta protocol ip{_but('ip saddr', source.ipv4)} drop" for which, source in _each(found, 4)),
    ]


def ipv6(found: Mapping[str, Source]) -> list[str]:
    """Give the rules for IPv6."""
    # what a node says of itself before it has an address (RFC 4862, 5.4; RFC 3810, 5.2.13)
    unspecified = "{ nd-neighbor-solicit, nd-router-solicit, mld2-listener-report }"
    advert = "icmpv6 type nd-neighbor-advert"
    return [
        "udp sport 547 drop",
        "icmpv6 type { nd-router-advert, nd-redirect } drop",
        f"meta protocol ip6 ip6 saddr :: icmpv6 type {unspecified} accept",
        *(
            f"{which}meta protocol ip6{_but('ip6 saddr', (_LINK_LOCAL_PREFIX, *source.ipv6))} drop"
            for which, source in _each(found, 6)
        ),
        *(f"{advert}{_target(prefix)} accept" for source in found.values() for prefix in source.ipv6),
        f"{advert} @th,64,10 != {_LINK_LOCAL} drop",
    ]


def arp(found: Mapping[str, Source]) -> list[str]:
    """Give the rules for ARP."""
    # 0.0.0.0 asks whether an address is free (RFC 5227, 2.1.1)
    return [
        f"arp saddr ether != {some(found)} drop",
        *(
            f"{which}arp saddr ip != {some((_UNSPECIFIED, *source.ipv4))} drop"
            for which, source in _each(found, 4, "arp saddr ether ")
        ),
    ]


def _each(found: Mapping[str, Source], version: int, key: str = "ether saddr ") -> Iterator[tuple[str, Source]]:
    """Give each MAC's, with what tells it from others; one that may send from everywhere is asked nothing."""
    for mac, source in found.items():
        if not _any(source.ipv4 if version == 4 else source.ipv6):
            yield (f"{key}{mac} " if len(found) > 1 else ""), source


def _any(prefixes: Iterable[Prefix]) -> bool:
    return any(not prefix.prefixlen for prefix in prefixes)


def _but(what: str, prefixes: Sequence[Prefix]) -> str:
    """Match what is sent from elsewhere; everything, where there is nothing to be sent from."""
    return f" {what} != {some(prefixes)}" if prefixes else ""


def _target(prefix: ipaddress.IPv6Network) -> str:
    """Match the target of an advertisement, which begins eight octets into ICMPv6 (RFC 4861, 4.4)."""
    length = prefix.prefixlen
    if not length:
        return ""
    bits = int(prefix.network_address) >> (128 - length)
    return f" @th,64,{length} 0x{bits:0{(length + 3) // 4}x}"
