"""Which of an instance's interfaces lead out of its networks: those whose gateways the guest is told."""

from __future__ import annotations

from collections.abc import Iterable

from db.ports import Place

#: a port's id, and a subnet's
Way = tuple[str, str]


def of(places: Iterable[Place], *, later: str | None = None) -> frozenset[Way]:
    """Give the ways out of an instance with these places, in order: one for each IP version.

    It is that of the first interface in an external network, and of the first with a gateway where none is in one. A
    port that comes `later` than the others is a way out besides if its network is external: its guest has to answer by
    it who asked by it.
    """
    found: dict[int, Place] = {}
    besides: list[Place] = []
    for place in places:
        subnet = place.subnet
        if subnet is None or subnet.gateway is None:
            continue
        known = found.get(subnet.version)
        if known is None or (place.network.external and not known.network.external):
            found[subnet.version] = place
        if place.port.id == later and place.network.external:
            besides.append(place)
    return frozenset(
        (place.port.id, place.subnet.id) for place in (*found.values(), *besides) if place.subnet is not None
    )
