"""Which gateways, and next hops of routes, a subnet may have: those that a guest in it can be told of, and reach.

Neutron refuses the network's own addresses alone (neutron.ipam.utils.check_gateway_invalid_in_subnet), since routers
outside of the prefix are common: a routed /32, or one router for many prefixes on a link. Here, too, they may be where
nfdhcpd can serve them: see docs/networks.md.
"""

from __future__ import annotations

import ipaddress

from cloud.addresses import Cidr, Ip
from common.errors import Invalid
from db.networks import Kind

#: RFC 3442: the router of a destination that is on the link
_ON_LINK = ipaddress.IPv4Address(0)
#: prefixes of so many addresses have neither a network's nor a broadcast address (RFC 3021)
_POINT_TO_POINT = 2


def check_gateway(gateway: Ip, prefix: Cidr, *, kind: Kind) -> None:
    """Raise Invalid for what no guest of a subnet could have as its gateway, in a network of this kind."""
    _check(gateway, prefix, "gateway_ip")
    if prefix.version == 6 and kind is not Kind.ROUTED and not _told_by_advertisements(gateway, prefix):
        raise Invalid(
            f"gateway_ip: {gateway} is not in {prefix}: a guest knows an IPv6 router outside of its prefix by the "
            "router's link-local address, such as fe80::1"
        )


def check_route(nexthop: Ip, prefix: Cidr, *, gateway: Ip | None) -> None:
    """Raise Invalid for what no guest of a subnet with this gateway could have as the next hop of a route."""
    if nexthop == _ON_LINK:
        return
    _check(nexthop, prefix, "host_routes")
    if prefix.version == 6 and nexthop != gateway and not _told_by_advertisements(nexthop, prefix):
        raise Invalid(
            f"host_routes: the next hop {nexthop} is neither in {prefix}, nor link-local, nor the subnet's gateway"
        )


def is_outside(hop: Ip, prefix: Cidr) -> bool:
    """Tell whether a guest has to be told that an address is on its link: its prefix does not say so."""
    return hop not in prefix and not (hop.version == 6 and hop.is_link_local) and hop != _ON_LINK


def _told_by_advertisements(router: Ip, prefix: Cidr) -> bool:
    return router in prefix or router.is_link_local


def _check(hop: Ip, prefix: Cidr, field: str) -> None:
    if hop.version != prefix.version:
        raise Invalid(f"{field}: {hop} is not of the subnet's IP version")
    if isinstance(hop, ipaddress.IPv6Address) and hop.scope_id is not None:
        raise Invalid(f"{field}: {hop} has a zone, which means nothing here")
    if hop.is_unspecified or hop.is_loopback or hop.is_multicast:
        raise Invalid(f"{field}: {hop} is no router's address")
    if hop.version == 4 and hop.is_reserved and hop not in prefix:
        raise Invalid(f"{field}: {hop} is of 240.0.0.0/4, which is nobody's")
    ends = (prefix.network_address, prefix.broadcast_address)
    if prefix.version == 4 and prefix.num_addresses > _POINT_TO_POINT and hop in ends:
        raise Invalid(f"{field}: {hop} stands for all of {prefix}, and is nobody's")
