"""What a guest is told of its interfaces at its first boot: cloud-init's network configuration, version 2.

Everything is fixed: a guest needs no DHCP server to come up with the addresses that the API shows.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any  # JSON

from cloud import ways_out
from db.networks import Ipv6Mode, Subnet
from db.ports import Place

_DEFAULT = {4: "0.0.0.0/0", 6: "::/0"}


def config(places: Sequence[Place]) -> dict[str, Any] | None:
    """Give the configuration of an instance's interfaces; None if it has none, and the image decides."""
    ethernets: dict[str, dict[str, Any]] = {}
    ways = ways_out.of(place for place in places if _is_fixed(place))
    for place in places:
        port = ethernets.setdefault(f"port{place.port.number}", _interface(place))
        if place.address is None or place.subnet is None:
            continue
        if place.subnet.ipv6_mode is Ipv6Mode.SLAAC:
            port["accept-ra"] = True
            continue
        prefix = ipaddress.ip_network(place.subnet.cidr).prefixlen
        port.setdefault("addresses", []).append(f"{place.address.ip}/{prefix}")
        port.setdefault("routes", []).extend(_routes(place.subnet, leads_out=(place.port.id, place.subnet.id) in ways))
        if place.subnet.nameservers:
            named = port.setdefault("nameservers", {"addresses": []})
            named["addresses"] += place.subnet.nameservers
    return {"version": 2, "ethernets": ethernets} if ethernets else None


def _interface(place: Place) -> dict[str, Any]:
    return {"match": {"macaddress": place.port.mac}, "mtu": place.network.mtu}


def _is_fixed(place: Place) -> bool:
    return place.subnet is not None and place.subnet.ipv6_mode is not Ipv6Mode.SLAAC


def _routes(subnet: Subnet, *, leads_out: bool) -> list[dict[str, str]]:
    found = [{"to": route["destination"], "via": route["nexthop"]} for route in subnet.routes]
    if subnet.gateway is not None and leads_out:
        found.append({"to": _DEFAULT[subnet.version], "via": subnet.gateway})
    return found
