"""Ports in Ganeti's words: an instance's NICs."""

from __future__ import annotations

from collections.abc import Sequence

from db.ports import Place
from rapi.specs import NicSpec


def name_of(port_id: str) -> str:
    """Give the name of a port's NIC, by which it is found again among an instance's; it must not look like a UUID."""
    return f"port-{port_id}"


def of(places: Sequence[Place]) -> tuple[NicSpec, ...]:
    """Give the NICs of an instance's ports. Ganeti knows one address of each: the first, an IPv4 one if any."""
    found: dict[str, NicSpec] = {}
    for place in places:
        nic = NicSpec(
            ip=place.address.ip if place.address is not None else None,
            mac=place.port.mac,
            name=name_of(place.port.id),
            mode=place.network.mode,
            link=place.network.link,
        )
        found.setdefault(place.port.id, nic)
    return tuple(found.values())
