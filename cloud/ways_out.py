"""Which of an instance's interfaces lead out of its networks: those whose gateways the guest is told."""

from __future__ import annotations

from collections.abc import Iterable

from db.ports import Place

#: a port's id, and a subnet's
Way = tuple[str, str]


def of(places: Iterable[Place]) -> frozenset[Way]:
    """Give the ways out of an instance that is told of these places at once, in order: one for each IP version.

    It is that of the first interface in an external network, and of the first with a gateway where none is in one.
    """
    found: dict[int, Place] = {}
    for place in places:
        subnet = place.subnet
        if subnet is None or subnet.gateway is None:
            continue
        known = found.get(subnet.version)
        if known is None or (place.network.external and not known.network.external):
            found[subnet.version] = place
    return frozenset((place.port.id, place.subnet.id) for place in found.values() if place.subnet is not None)


def as_they_came(places: Iterable[Place]) -> frozenset[Way]:
    """Give the ways out of an instance that got some of these places later than others, in order.

    What comes later leaves those that are there as they are. It is a way out itself if there was none, or besides if
    its network is external: its guest has to answer by it who asked by it.
    """
    together: list[Place] = []
    afterwards: list[Place] = []
    for place in places:
        (afterwards if place.port.later else together).append(place)
    found = set(of(together))
    having = {place.subnet.version for place in together if place.subnet and (place.port.id, place.subnet.id) in found}
    for place in afterwards:
        subnet = place.subnet
        if subnet is None or subnet.gateway is None or (subnet.version in having and not place.network.external):
            continue
        having.add(subnet.version)
        found.add((place.port.id, subnet.id))
    return frozenset(found)
