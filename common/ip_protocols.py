"""IP protocols by the names that rules are written with (IANA's numbers, OpenStack's words)."""

from __future__ import annotations

NUMBERS = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "icmp": 1,
    "icmpv6": 58,
    "igmp": 2,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": 132,
    "tcp": 6,
    "udp": 17,
    "udplite": 136,
    "vrrp": 112,
}
#: whose packets have ports
WITH_PORTS = ("tcp", "udp", "udplite", "sctp", "dccp")
#: whose packets have a type and a code, by IP version
ICMP = {4: "icmp", 6: "ipv6-icmp"}
#: that mean something in IPv6 alone
OF_IPV6 = ("icmpv6", "ipv6-encap", "ipv6-frag", "ipv6-icmp", "ipv6-nonxt", "ipv6-opts", "ipv6-route")

_WORDS = {NUMBERS[word]: word for word in (*WITH_PORTS, *ICMP.values())}


def canonical(protocol: str) -> str:
    """Give a protocol as nodes are told it: by its name if it has ports or types, and by its number otherwise."""
    number = int(protocol) if protocol.isdecimal() else NUMBERS[protocol]
    return _WORDS.get(number, str(number))
