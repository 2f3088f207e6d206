"""Ports in Ganeti's words: an instance's NICs."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from db.ports import Place
from rapi.specs import NicSpec

_NAME = re.compile(r"port-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


@dataclass(frozen=True)
class Named:
    """A network that Ganeti has an object of, with that object's IPv4 subnet."""

    name: str
    subnet: str


def name_of(port_id: str) -> str:
    """Give the name of a port's NIC, by which it is found again among an instance's; it must not look like a UUID."""
    return f"port-{port_id}"


def port_of(name: str | None) -> str | None:
    """Give the id of the port whose NIC a name is; None if it is no port's."""
    found = _NAME.fullmatch(name or "")
    return found[1] if found is not None else None


def of(places: Sequence[Place], named: Mapping[str, Named] | None = None) -> tuple[NicSpec, ...]:
    """Give the NICs of an instance's ports. Ganeti knows one address of each: the first, an IPv4 one if any.

    In a network that is `named`, by id, it is the first of the object's subnet: Ganeti takes no other there.
    """
    found: dict[str, NicSpec] = {}
    for place in places:
        network = (named or {}).get(place.network.id)
        ip = place.address.ip if place.address is not None else None
        if network is not None and (ip is None or not _is_in(ip, network.subnet)):
            ip = None
        before = found.get(place.port.id)
        if before is not None and (network is None or before.ip is not None or ip is None):
            continue
        found[place.port.id] = NicSpec(
            network=network.name if network is not None else None,
            ip=ip,
            mac=place.port.mac,
            name=name_of(place.port.id),
            mode=place.network.mode,
            link=place.network.link,
        )
    return tuple(found.values())


def _is_in(ip: str, subnet: str) -> bool:
    return ipaddress.ip_address(ip) in ipaddress.ip_network(subnet)
