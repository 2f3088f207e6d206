"""Ports in Ganeti's words: an instance's NICs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from db.ports import Place
from rapi.specs import NicSpec

_NAME = re.compile(r"port-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


def name_of(port_id: str) -> str:
    """Give the name of a port's NIC, by which it is found again among an instance's; it must not look like a UUID."""
    return f"port-{port_id}"


def port_of(name: str | None) -> str | None:
    """Give the id of the port whose NIC a name is; None if it is no port's."""
    found = _NAME.fullmatch(name or "")
    return found[1] if found is not None else None


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
