"""What a guest is told of its interfaces: cloud-init's network configuration, version 2, on its disk; OpenStack's
network_data.json by the metadata service. Both say the same.

Everything is fixed: a guest needs no DHCP server to come up with the addresses that the API shows.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any  # JSON

from cloud import next_hops, ways_out
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
        routes = _routes(place.subnet, leads_out=(place.port.id, place.subnet.id) in ways)
        port.setdefault("routes", []).extend(_on_link(route, place.subnet) for route in routes)
        if place.subnet.nameservers:
            named = port.setdefault("nameservers", {"addresses": []})
            named["addresses"] += place.subnet.nameservers
    return {"version": 2, "ethernets": ethernets} if ethernets else None


def data(places: Sequence[Place]) -> dict[str, Any]:
    """Give the same as OpenStack's network_data.json (Nova's doc/api_schemas/network_data.json)."""
    links: dict[str, dict[str, Any]] = {}
    networks: list[dict[str, Any]] = []
    services: dict[str, dict[str, str]] = {}
    ways = ways_out.of(place for place in places if _is_fixed(place))
    for place in places:
        link = f"port{place.port.number}"
        links[link] = {
            "id": link,
            "type": "phy",
            "ethernet_mac_address": place.port.mac,
            "mtu": place.network.mtu,
            "vif_id": place.port.id,
        }
        if place.address is None or place.subnet is None:
            continue
        network = {"id": f"network{len(networks)}", "link": link, "network_id": place.network.id}
        if place.subnet.ipv6_mode is Ipv6Mode.SLAAC:
            networks.append({**network, "type": "ipv6_slaac"})
            continue
        leads_out = (place.port.id, place.subnet.id) in ways
        named = [{"type": "dns", "address": address} for address in place.subnet.nameservers]
        services |= {each["address"]: each for each in named}
        networks.append(
            {
                **network,
                "type": f"ipv{place.subnet.version}",
                "ip_address": place.address.ip,
                "netmask": str(ipaddress.ip_network(place.subnet.cidr).netmask),
                "routes": [_masked(route) for route in _routes(place.subnet, leads_out=leads_out)],
                "services": named,
            }
        )
    return {"links": list(links.values()), "networks": networks, "services": list(services.values())}


def _masked(route: dict[str, str]) -> dict[str, str]:
    to = ipaddress.ip_network(route["to"])
    return {"network": str(to.network_address), "netmask": str(to.netmask), "gateway": route["via"]}


def _on_link(route: dict[str, str], subnet: Subnet) -> dict[str, Any]:
    """Say of a router outside of the guest's prefix that it is on its link; network_data.json has no word for it."""
    outside = next_hops.is_outside(ipaddress.ip_address(route["via"]), ipaddress.ip_network(subnet.cidr))
    return {**route, "on-link": True} if outside else {**route}


def _interface(place: Place) -> dict[str, Any]:
    return {"match": {"macaddress": place.port.mac}, "mtu": place.network.mtu}


def _is_fixed(place: Place) -> bool:
    return place.subnet is not None and place.subnet.ipv6_mode is not Ipv6Mode.SLAAC


def _routes(subnet: Subnet, *, leads_out: bool) -> list[dict[str, str]]:
    found = [{"to": route["destination"], "via": route["nexthop"]} for route in subnet.routes]
    if subnet.gateway is not None and leads_out:
        found.append({"to": _DEFAULT[subnet.version], "via": subnet.gateway})
    return found
