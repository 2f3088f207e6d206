"""What nodes are to know of an instance's ports, as Ganeti's tags: its network script is told these and little more.

A tag is `syros:host:<name>`, or `syros:<NIC's name>:<key>:<value>`. What has changed since the NIC came is told as a
whole, as values of the key `told`: `<generation>:<key>:<value>`, where the highest generation counts. Ganeti allows 128
characters, letters, digits and `.+*/:@-_` (ganeti.objects.TaggableObject); the longest value here is an IPv4
route of 34. `ganeti_hooks/nic.py` reads them; all is described in docs/networks.md.
"""

from __future__ import annotations

import hashlib
import ipaddress
import urllib.parse
from collections.abc import Collection, Iterator, Mapping, Sequence

from cloud import firewall_tags, nics, ways_out
from cloud.ways_out import Way
from db.networks import Ipv6Mode, Subnet
from db.ports import Place

#: a key of what a tag says of a NIC, and the value
Fact = tuple[str, str]

#: the key of what has changed since the NIC came
TOLD = "told"
_PREFIX = "syros"
_MTU = 1500
#: what is left of a tag
_LONGEST_HOST = 117
#: of the 8192 octets that Ganeti reads (ganeti.http.server), less the path
_LONGEST_CALL = 7000


def of(places: Sequence[Place], *, hostname: str, firewalls: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Give the tags of an instance with these ports; none for one that has no port.

    `firewalls` are values of `fw`, by port: see cloud.firewall_tags.
    """
    if not places:
        return ()
    found = [f"{_PREFIX}:host:{hostname[:_LONGEST_HOST].rstrip('-.')}"]
    generations = {place.port.id: place.port.told_generation for place in places}
    for port_id, own in facts(places).items():
        found += [prefix(port_id) + value for value in values(own, generation=generations[port_id])]
        found += [tag(port_id, firewall_tags.KEY, value) for value in firewalls.get(port_id, ())]
    return tuple(dict.fromkeys(found))


def facts(places: Sequence[Place]) -> Mapping[str, Sequence[Fact]]:
    """Give what nodes are to know of an instance's ports beside their firewalls, by port."""
    # of a subnet that is silent the guest is told no gateway, so another's is its way out
    ways = ways_out.as_they_came(place for place in places if place.subnet is not None and place.subnet.dhcp)
    found: dict[str, dict[Fact, None]] = {}
    for place in places:
        found.setdefault(place.port.id, {}).update(dict.fromkeys(_facts(place, ways)))
    return {port_id: tuple(own) for port_id, own in found.items()}


def values(facts: Sequence[Fact], *, generation: int) -> list[str]:
    """Give what the tags of a port say of it after their prefix: the first generation as it is, others as a whole."""
    plain = [f"{key}:{value}" for key, value in facts]
    if not generation:
        return plain
    return [f"{TOLD}:{generation}:{value}" for value in ("on", *plain)]


def digest(facts: Sequence[Fact]) -> str:
    """Give what is the same for the same facts, and for no others."""
    return hashlib.sha256("\n".join(values(facts, generation=0)).encode()).hexdigest()


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
    whole = of(places, hostname=hostname, firewalls=firewalls)
    return tuple(each for each in whole if only or each.startswith(prefix(port_id)))


def _facts(place: Place, ways: Collection[Way]) -> Iterator[Fact]:
    if place.network.mtu != _MTU:
        yield "mtu", str(place.network.mtu)
    if place.network.mac_prefix is not None:
        yield "macs", place.network.mac_prefix
    for pair in place.port.allowed_pairs:
        # a MAC without colons, or there would be no room for the longest prefix
        yield "pair", f"{pair['mac'].replace(':', '')}@{pair['ip']}" if "mac" in pair else pair["ip"]
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


def _told(subnet: Subnet, version: int, *, leads_out: bool) -> Iterator[Fact]:
    if subnet.gateway is not None and leads_out:
        yield f"gw{version}", subnet.gateway
    for server in subnet.nameservers:
        # an IPv4 subnet may name IPv6 servers: each is told by the protocol that can
        yield f"dns{ipaddress.ip_address(server).version}", server
    if version == 4:
        for route in subnet.routes:
            yield "route4", f"{route['destination']}@{route['nexthop']}"
