"""What nodes are to know of an instance's ports, as Ganeti's tags: its network script is told these and little more.

A tag is `syros:host:<name>`, or `syros:<NIC's name>:<key>:<value>`. Ganeti allows 128 characters, letters, digits and
`.+*/:@-_` (ganeti.objects.TaggableObject); the longest value here is an IPv4 route of 34.
`ganeti_hooks/kvm_network.py` reads them; both are described in docs/dhcp.md.
"""

from __future__ import annotations

import ipaddress
import urllib.parse
from collections.abc import Collection, Iterator, Mapping, Sequence

from cloud import firewall_tags, nics, ways_out
from cloud.ways_out import Way
from db.networks import Ipv6Mode, Subnet
from db.ports import Place

_PREFIX = "syros"
_MTU = 1500
#: what is left of a tag
_LONGEST_HOST = 117
#: of the 8192 octets that Ganeti reads (ganeti.http.server), less the path
_LONGEST_CALL = 7000


def of(
    places: Sequence[Place], *, hostname: str, firewalls: Mapping[str, Sequence[str]], later: str | None = None
) -> tuple[str, ...]:
    """Give the tags of an instance with these ports, one of which may come later; none for one that has no port.

    `firewalls` are values of `fw`, by port: see cloud.firewall_tags.
    """
    if not places:
        return ()
    # of a subnet that is silent the guest is told no gateway, so another's is its way out
    ways = ways_out.of([place for place in places if place.subnet is not None and place.subnet.dhcp], later=later)
    found = [f"{_PREFIX}:host:{hostname[:_LONGEST_HOST].rstrip('-.')}"]
    for place in places:
        name = nics.name_of(place.port.id)
        found += [f"{_PREFIX}:{name}:{key}:{value}" for key, value in _facts(place, ways)]
        found += [tag(place.port.id, firewall_tags.KEY, value) for value in firewalls.get(place.port.id, ())]
    return tuple(dict.fromkeys(found))


def tag(port_id: str, key: str, value: str) -> str:
    """Give a tag of a port."""
    return f"{prefix(port_id)}{key}:{value}"


def portions(tags: Sequence[str]) -> list[list[str]]:
    """Split tags into what one call of RAPI takes, which has them all in its first line."""
    found: list[list[str]] = []
    room = 0
    for each in tags:
        length = len(urllib.parse.quote_plus(each)) + len("&tag=")
        if length > room:
            found.append([])
            room = _LONGEST_CALL
        found[-1].append(each)
        room -= length
    return found


def prefix(port_id: str) -> str:
    """Give what the tags of a port begin with."""
    return f"{_PREFIX}:{nics.name_of(port_id)}:"


def of_one(
    places: Sequence[Place], port_id: str, *, hostname: str, firewalls: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Give the tags that an instance with these ports has because of one of them."""
    only = all(place.port.id == port_id for place in places)
    whole = of(places, hostname=hostname, firewalls=firewalls, later=port_id)
    return tuple(each for each in whole if only or each.startswith(prefix(port_id)))


def _facts(place: Place, ways: Collection[Way]) -> Iterator[tuple[str, str]]:
    if place.network.mtu != _MTU:
        yield "mtu", str(place.network.mtu)
    if place.network.mac_prefix is not None:
        yield "macs", place.network.mac_prefix
    if place.address is None or place.subnet is None:
        return
    subnet = place.subnet
    version = subnet.version
    yield f"ip{version}", f"{place.address.ip}/{ipaddress.ip_network(subnet.cidr).prefixlen}"
    if version == 6:
        yield "mode6", subnet.ipv6_mode or Ipv6Mode.STATEFUL
    if not subnet.dhcp:
        yield f"silent{version}", "yes"
        return
    yield from _told(subnet, version, leads_out=(place.port.id, subnet.id) in ways)


def _told(subnet: Subnet, version: int, *, leads_out: bool) -> Iterator[tuple[str, str]]:
    if subnet.gateway is not None and leads_out:
        yield f"gw{version}", subnet.gateway
    for server in subnet.nameservers:
        # an IPv4 subnet may name IPv6 servers: each is told by the protocol that can
        yield f"dns{ipaddress.ip_address(server).version}", server
    if version == 4:
        for route in subnet.routes:
            yield "route4", f"{route['destination']}@{route['nexthop']}"
