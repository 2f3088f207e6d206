"""Subnets: the addresses that a network's guests may have."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from cloud import addresses, networks, next_hops, policy
from cloud.addresses import Cidr, Ip
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common import names
from common.errors import Conflict, Invalid, NotFound
from db import free_ranges, ports, told_due
from db import networks as rows
from db.networks import Ipv6Mode, Kind, Subnet, SubnetFilter
from db.sorting import Order

MOST_NAMESERVERS = 5
MOST_ROUTES = 20
_SLAAC_PREFIX = 64
#: pools of more than this could not be told apart from a mistake
_MOST_POOLS = 50


@dataclass(frozen=True)
class Pool:
    """A range of addresses, both ends in it."""

    start: Ip
    end: Ip


@dataclass(frozen=True)
class Route:
    """A route that guests are told."""

    destination: Cidr
    nexthop: Ip


@dataclass(frozen=True)
class SubnetSpec:
    """A new subnet."""

    network_id: str
    cidr: Cidr
    name: str = ""
    description: str = ""
    #: None: none; with `first_is_gateway`, the prefix's first address
    gateway: Ip | None = None
    first_is_gateway: bool = True
    dhcp: bool = True
    ipv6_mode: Ipv6Mode | None = None
    nameservers: tuple[Ip, ...] = ()
    routes: tuple[Route, ...] = ()
    #: None: every address that a guest may have
    pools: tuple[Pool, ...] | None = None


@dataclass(frozen=True)
class SubnetChange:
    """What an update changes; None leaves a thing as it is."""

    name: str | None = None
    description: str | None = None
    dhcp: bool | None = None
    nameservers: tuple[Ip, ...] | None = None
    routes: tuple[Route, ...] | None = None
    #: `gateway` is the one from now on, or None for none; else that stays as it is
    changes_gateway: bool = False
    gateway: Ip | None = None
    #: all that addresses are to be chosen from when none is named; who has an address keeps it
    pools: tuple[Pool, ...] | None = None


def create(cloud: Cloud, caller: Caller, specs: Sequence[SubnetSpec]) -> Sequence[Subnet]:
    """Make subnets in networks, all or none; raises NotFound, Forbidden, or Invalid (also for one that overlaps)."""
    policy.require(caller, Operation.NETWORK_WRITE)
    with cloud.sessions.begin() as db:
        held = {network_id: rows.lock(db, network_id) for network_id in sorted({spec.network_id for spec in specs})}
        return [
            _insert(db, networks.writable(held[spec.network_id], caller, spec.network_id), spec, now=cloud.clock())
            for spec in specs
        ]


def get(cloud: Cloud, caller: Caller, subnet_id: str) -> Subnet:
    """Give a subnet of a network that the caller may see; raises NotFound."""
    policy.require(caller, Operation.NETWORK_READ)
    with cloud.sessions.read() as db:
        subnet = rows.subnet(db, subnet_id)
        network = rows.get(db, subnet.network_id) if subnet is not None else None
        return _visible(subnet, network, caller, subnet_id)


def page(
    cloud: Cloud,
    caller: Caller,
    wanted: SubnetFilter,
    *,
    limit: int,
    marker: str | None = None,
    orders: Sequence[Order] = (),
) -> Sequence[Subnet]:
    """List subnets of networks that the caller may see; raises Invalid for a marker that is none of them."""
    policy.require(caller, Operation.NETWORK_READ)
    if not policy.allows(caller.roles, Operation.NETWORK_READ_ALL):
        wanted = replace(wanted, project_id=caller.project_id)
    with cloud.sessions.read() as db:
        after = None
        if marker is not None:
            after = rows.subnet(db, marker)
            network = rows.get(db, after.network_id) if after is not None else None
            try:
                _visible(after, network, caller, marker)
            except NotFound as err:
                raise Invalid(f"marker: {err}") from err
        return rows.subnet_page(db, wanted, limit=limit, orders=orders, after=after)


def update(cloud: Cloud, caller: Caller, subnet_id: str, change: SubnetChange) -> Subnet:
    """Change what guests are told; raises NotFound, Forbidden, Invalid, or Conflict for the gateway.

    It reaches the nodes of servers that are there in the background, and their guests when they ask next. However many
    these are, the change is a fixed number of statements.
    """
    policy.require(caller, Operation.NETWORK_WRITE)
    with cloud.sessions.begin() as db:
        subnet = rows.lock_subnet(db, subnet_id)
        network = rows.get(db, subnet.network_id) if subnet is not None else None
        subnet = _visible(subnet, network, caller, subnet_id)
        network = networks.writable(network, caller, subnet.network_id)
        before = _told(subnet)
        for key in ("name", "description", "dhcp"):
            value = getattr(change, key)
            if value is not None:
                setattr(subnet, key, value)
        if change.nameservers is not None:
            _check_nameservers(change.nameservers)
            subnet.nameservers = [str(ip) for ip in change.nameservers]
        if change.routes is not None:
            gateway = change.gateway if change.changes_gateway else _gateway_of(subnet)
            _check_routes(change.routes, addresses.cidr(subnet), gateway)
            subnet.routes = [_route(route) for route in change.routes]
        if change.pools is not None:
            _change_pools(db, subnet, change)
        if change.changes_gateway:
            _check_new_gateway(db, subnet, change.gateway, kind=network.kind)
            subnet.gateway = str(change.gateway) if change.gateway is not None else None
        subnet.updated_at = now = cloud.clock()
        if _told(subnet) != before:
            db.flush()
            told_due.mark_subnet(db, subnet_id, now)
    cloud.wake()
    return subnet


def delete(cloud: Cloud, caller: Caller, subnet_id: str) -> None:
    """Delete a subnet; raises NotFound, Forbidden, or Conflict while somebody has an address of it."""
    policy.require(caller, Operation.NETWORK_WRITE)
    with cloud.sessions.begin() as db:
        subnet = rows.lock_subnet(db, subnet_id)
        network = rows.get(db, subnet.network_id) if subnet is not None else None
        subnet = _visible(subnet, network, caller, subnet_id)
        networks.writable(network, caller, subnet.network_id)
        if ports.any_address_in(db, subnet_id):
            raise Conflict(f"subnet {subnet_id} has addresses in use; delete their ports, or servers, first")
        db.delete(subnet)


def _insert(db: Session, network: rows.Network, spec: SubnetSpec, *, now: datetime) -> Subnet:
    gateway = _gateway(spec)
    pools = _pools(spec.cidr, spec.pools, gateway)
    _check(spec, gateway, kind=network.kind)
    for other in rows.subnets_of(db, [network.id]).get(network.id, ()):
        if ipaddress.ip_network(other.cidr).overlaps(spec.cidr):
            raise Invalid(f"cidr: {spec.cidr} overlaps with another subnet: {other.id} has {other.cidr}")
    subnet = Subnet(
        id=names.new_id(),
        network_id=network.id,
        name=spec.name,
        description=spec.description,
        project_id=network.project_id,
        cidr=str(spec.cidr),
        version=spec.cidr.version,
        gateway=str(gateway) if gateway is not None else None,
        dhcp=spec.dhcp,
        ipv6_mode=spec.ipv6_mode,
        nameservers=[str(ip) for ip in spec.nameservers],
        routes=[_route(route) for route in spec.routes],
        pools=_written(spec.cidr, pools),
        created_at=now,
        updated_at=now,
    )
    db.add(subnet)
    db.flush()
    if spec.ipv6_mode is not Ipv6Mode.SLAAC:
        free_ranges.fill(db, subnet.id, pools)
    return subnet


def _visible(subnet: Subnet | None, network: rows.Network | None, caller: Caller, subnet_id: str) -> Subnet:
    try:
        networks.visible(network, caller, subnet_id)
    except NotFound as err:
        raise NotFound(f"there is no subnet {subnet_id}") from err
    if subnet is None:
        raise NotFound(f"there is no subnet {subnet_id}")
    return subnet


def _told(subnet: Subnet) -> tuple[object, ...]:
    """Give what guests are told of a subnet."""
    return subnet.dhcp, subnet.gateway, list(subnet.nameservers), list(subnet.routes)


def _change_pools(db: Session, subnet: Subnet, change: SubnetChange) -> None:
    """Have a held subnet's addresses chosen from other pools, and who has one keep it; raises Invalid or Conflict."""
    prefix = addresses.cidr(subnet)
    gateway = change.gateway if change.changes_gateway else _gateway_of(subnet)
    pools = _pools(prefix, change.pools, gateway)
    subnet.pools = _written(prefix, pools)
    if subnet.ipv6_mode is not Ipv6Mode.SLAAC:
        free_ranges.empty(db, subnet.id)
        free_ranges.fill(db, subnet.id, free_ranges.without(pools, ports.numbers_in(db, subnet.id)))


def _written(prefix: Cidr, pools: Sequence[tuple[int, int]]) -> list[dict[str, str]]:
    return [{"start": str(_ip(prefix, low)), "end": str(_ip(prefix, high))} for low, high in pools]


def _check_new_gateway(db: Session, subnet: Subnet, gateway: Ip | None, *, kind: Kind) -> None:
    """Raise Invalid or Conflict for a gateway that a held subnet can't have."""
    if gateway is None or str(gateway) == subnet.gateway:
        return
    next_hops.check_gateway(gateway, addresses.cidr(subnet), kind=kind)
    if addresses.in_pools(subnet, int(gateway)):
        raise Conflict(f"gateway_ip: {gateway} is in the subnet's allocation pools, to be a guest's")
    if ports.has_address(db, subnet.id, int(gateway)):
        raise Conflict(f"gateway_ip: {gateway} is a port's")


def _gateway_of(subnet: Subnet) -> Ip | None:
    return ipaddress.ip_address(subnet.gateway) if subnet.gateway is not None else None


def _gateway(spec: SubnetSpec) -> Ip | None:
    if spec.gateway is not None or not spec.first_is_gateway:
        return spec.gateway
    pool = addresses.whole_pool(spec.cidr, None)
    return _ip(spec.cidr, pool[0][0]) if spec.cidr.num_addresses > 1 else None


def _pools(prefix: Cidr, wanted: Sequence[Pool] | None, gateway: Ip | None) -> list[tuple[int, int]]:
    if wanted is None:
        return addresses.whole_pool(prefix, gateway)
    if len(wanted) > _MOST_POOLS:
        raise Invalid(f"allocation_pools: {_MOST_POOLS} at most")
    usable = addresses.whole_pool(prefix, None)[0]
    found: list[tuple[int, int]] = []
    for pool in sorted(wanted, key=lambda pool: int(pool.start)):
        low, high = int(pool.start), int(pool.end)
        if pool.start not in prefix or pool.end not in prefix or not usable[0] <= low <= high <= usable[1]:
            raise Invalid(f"allocation_pools: {pool.start} to {pool.end} is no range of {prefix}")
        if gateway is not None and low <= int(gateway) <= high:
            raise Conflict(f"allocation_pools: {pool.start} to {pool.end} has the gateway {gateway} in it")
        if found and low <= found[-1][1]:
            raise Conflict("allocation_pools: they overlap")
        if found and low == found[-1][1] + 1:
            found[-1] = (found[-1][0], high)  # free ranges do not touch
        else:
            found.append((low, high))
    return found


def _check(spec: SubnetSpec, gateway: Ip | None, *, kind: Kind) -> None:
    if spec.ipv6_mode is not None and spec.cidr.version != 6:
        raise Invalid("ipv6_address_mode: the subnet is IPv4's")
    if spec.ipv6_mode is Ipv6Mode.SLAAC and spec.cidr.prefixlen != _SLAAC_PREFIX:
        raise Invalid(f"cidr: guests make addresses of a /{_SLAAC_PREFIX} alone")
    if gateway is not None:
        next_hops.check_gateway(gateway, spec.cidr, kind=kind)
    _check_nameservers(spec.nameservers)
    _check_routes(spec.routes, spec.cidr, gateway)


def _check_nameservers(nameservers: Sequence[Ip]) -> None:
    if len(nameservers) > MOST_NAMESERVERS:
        raise Invalid(f"dns_nameservers: {MOST_NAMESERVERS} at most")


def _check_routes(routes: Sequence[Route], prefix: Cidr, gateway: Ip | None) -> None:
    if len(routes) > MOST_ROUTES:
        raise Invalid(f"host_routes: {MOST_ROUTES} at most")
    for route in routes:
        if route.destination.version != prefix.version or route.nexthop.version != prefix.version:
            raise Invalid(f"host_routes: {route.destination} via {route.nexthop} is not of the subnet's IP version")
        next_hops.check_route(route.nexthop, prefix, gateway=gateway)


def _route(route: Route) -> dict[str, str]:
    return {"destination": str(route.destination), "nexthop": str(route.nexthop)}


def _ip(prefix: Cidr, number: int) -> Ip:
    return ipaddress.IPv4Address(number) if prefix.version == 4 else ipaddress.IPv6Address(number)
