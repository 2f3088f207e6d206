"""Networks to test in."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from cloud import networks, subnets
from cloud.context import Caller, Cloud
from cloud.networks import NetworkSpec
from cloud.subnets import Pool, SubnetSpec
from common import names
from db.networks import Ipv6Mode, Subnet
from db.users import Role


def operator() -> Caller:
    """Who may make networks: one whose networks are no project's."""
    return Caller(
        user_id="",
        user_name="operator",
        project_id="",
        project_name="",
        roles=(Role.ADMIN,),
        request_id=names.new_request_id(),
    )


def add(
    cloud: Cloud,
    *cidrs: str,
    name: str = "public",
    shared: bool = True,
    external: bool = False,
    is_default: bool = False,
    link: str = "br0",
) -> str:
    """Make a network with these subnets; IPv6 ones are for guests that make their own addresses."""
    spec = NetworkSpec(name=name, shared=shared, external=external, is_default=is_default, link=link)
    (network,) = (view.network for view in networks.create(cloud, operator(), [spec]))
    for cidr in cidrs:
        add_subnet(cloud, network.id, cidr)
    return network.id


def add_subnet(cloud: Cloud, network_id: str, cidr: str, *, pools: Sequence[tuple[str, str]] | None = None) -> Subnet:
    """Give a network a subnet, all of it for guests or these pools alone."""
    prefix = ipaddress.ip_network(cidr)
    ranges = None
    if pools is not None:
        ranges = tuple(Pool(ipaddress.ip_address(start), ipaddress.ip_address(end)) for start, end in pools)
    slaac = Ipv6Mode.SLAAC if prefix.version == 6 else None
    spec = SubnetSpec(network_id=network_id, cidr=prefix, pools=ranges, ipv6_mode=slaac, gateway=None)
    (made,) = subnets.create(cloud, operator(), [spec])
    return made
