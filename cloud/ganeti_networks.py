"""Networks in Ganeti's words: what its object of one is to be, whether there can be one, and the steps to it.

Nothing here calls Ganeti, or looks into the database.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any  # a network is the JSON document that RAPI gives

from common import names
from db.networks import Network, Subnet

#: Ganeti keeps two characters for each address in a file that it rewrites, and sends around, with each change of
#: anything: 8 kB for a /20. It takes a /16, which is 131 kB.
LARGEST = 20
#: Ganeti's own limit (ganeti.network.IPV4_NETWORK_MIN_SIZE)
SMALLEST = 30
#: what all of ours are tagged with
TAG = "syros"

Shown = Mapping[str, Any]


@dataclass(frozen=True)
class Wanted:
    """A network as Ganeti is to have it."""

    name: str
    subnet: str
    gateway: str | None
    network6: str | None
    gateway6: str | None
    mac_prefix: str | None
    mode: str
    link: str
    tags: tuple[str, ...]


class Do(StrEnum):
    """What a job of Ganeti's does to a network."""

    ADD = "add"
    MODIFY = "modify"
    TAG = "tag"
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    REMOVE = "remove"


@dataclass(frozen=True)
class Step:
    """One job to submit."""

    do: Do
    group: str = ""
    #: as OP_NETWORK_SET_PARAMS has them
    changes: Mapping[str, str] | None = None
    tags: tuple[str, ...] = ()
    #: it is to begin when the step before it has worked
    follows: bool = False


def unfit(subnets: Sequence[Subnet]) -> str | None:
    """Say why Ganeti can have no object of a network with these subnets; None if it can."""
    ipv4 = [subnet for subnet in subnets if subnet.version == 4]
    if len(ipv4) != 1:
        return f"it has {len(ipv4)} IPv4 subnets, and Ganeti's networks have one"
    length = ipaddress.ip_network(ipv4[0].cidr).prefixlen
    if not LARGEST <= length <= SMALLEST:
        return f"its IPv4 subnet is {ipv4[0].cidr}, and objects are made of /{LARGEST} to /{SMALLEST}"
    if len(subnets) > 2:
        return f"it has {len(subnets) - 1} IPv6 subnets, and Ganeti's networks have one at most"
    return None


def subnet_of(subnets: Sequence[Subnet]) -> str:
    """Give the IPv4 subnet of a network that an object can be made of."""
    return next(subnet.cidr for subnet in subnets if subnet.version == 4)


def wanted(prefix: str, network: Network, subnets: Sequence[Subnet], *, subnet: str) -> Wanted:
    """Give what the object is to be that was made with an IPv4 `subnet`, whatever has become of the network's."""
    own = next((each for each in subnets if each.cidr == subnet), None)
    ipv6 = [each for each in subnets if each.version == 6]
    other = ipv6[0] if len(ipv6) == 1 else None
    return Wanted(
        name=names.network_name(prefix, network.id),
        subnet=subnet,
        gateway=_within(own),
        network6=other.cidr if other is not None else None,
        gateway6=_within(other),
        mac_prefix=network.mac_prefix,
        mode=network.mode.value,
        link=network.link,
        tags=(TAG, network.kind.value, *([f"project:{network.project_id}"] if network.project_id else [])),
    )


def steps_to(what: Wanted, shown: Shown | None, groups: Sequence[str]) -> list[Step]:
    """Give the jobs after which Ganeti's network is as wanted, and connected with these groups; none if it is."""
    if shown is None:
        return [Step(Do.ADD), *(Step(Do.CONNECT, group, follows=True) for group in groups)]
    found = []
    # RAPI takes no "none" here
    changes = {key: value for key, value in differences(what, shown).items() if value is not None}
    if changes:
        found.append(Step(Do.MODIFY, changes=changes))
    missing = missing_tags(what, shown)
    if missing:
        found.append(Step(Do.TAG, tags=missing))
    links = connections(shown)
    for group in groups:
        if group not in links:
            found.append(Step(Do.CONNECT, group))
        elif links[group] != (what.mode, what.link):
            found += [Step(Do.DISCONNECT, group), Step(Do.CONNECT, group, follows=True)]
    return found


def steps_away(shown: Shown | None) -> list[Step]:
    """Give the next jobs towards a network's being gone; none if it is."""
    if shown is None:
        return []
    return [Step(Do.DISCONNECT, group) for group in connections(shown)] or [Step(Do.REMOVE)]


def differences(what: Wanted, shown: Shown) -> dict[str, str | None]:
    """Give those of a network's own parameters, by Ganeti's names, that are not as wanted, with what they should be."""
    own = {key: getattr(what, key) for key in ("gateway", "network6", "gateway6", "mac_prefix")}
    return {key: value for key, value in own.items() if value != (shown.get(key) or None)}


def missing_tags(what: Wanted, shown: Shown) -> tuple[str, ...]:
    there = shown.get("tags") or ()
    return tuple(tag for tag in what.tags if tag not in there)


def connections(shown: Shown) -> dict[str, tuple[str, str]]:
    """Give the mode and link of each node group that a network is connected with."""
    return {str(row[0]): (str(row[1]), str(row[2])) for row in shown.get("group_list") or ()}


def users(shown: Shown) -> list[str]:
    """Name the instances that have NICs in a network."""
    return [str(name) for name in shown.get("inst_list") or ()]


def _within(subnet: Subnet | None) -> str | None:
    """Give a subnet's gateway, if it is of the subnet: Ganeti takes no other."""
    if subnet is None or subnet.gateway is None:
        return None
    inside = ipaddress.ip_address(subnet.gateway) in ipaddress.ip_network(subnet.cidr)
    return subnet.gateway if inside else None
