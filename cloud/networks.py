"""Networks, as their owners and the operator keep them.

What an operator makes is what they say it is on the nodes. What a project makes for itself gets a segment of those that
the operator has set aside: a bridge of its own, or a MAC prefix of its own on a bridge of many. Neither has a way to
any other network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from cloud import link_names, policy, quotas
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common import names
from common.errors import Conflict, Invalid, NotFound
from db import networks, ports, segments, told_due
from db.networks import POOLED, Filter, Kind, Network, Subnet
from db.quotas import Resource
from db.sorting import Order

MTU = 1500


@dataclass(frozen=True)
class NetworkSpec:
    """A new network; what it is on the nodes is the operator's to say, and without a word, a segment."""

    name: str
    description: str = ""
    shared: bool = False
    external: bool = False
    is_default: bool = False
    enabled: bool = True
    #: None: flat with a link, and otherwise what `[cloud] tenant_network_kind` says
    kind: Kind | None = None
    #: the bridge of a flat one, or the routing table of a routed one
    link: str | None = None
    mtu: int = MTU
    #: its new ports are, unless it is said otherwise of one
    firewalled: bool = True


@dataclass(frozen=True)
class NetworkChange:
    """What an update changes; None leaves a thing as it is."""

    name: str | None = None
    description: str | None = None
    shared: bool | None = None
    external: bool | None = None
    is_default: bool | None = None
    enabled: bool | None = None
    mtu: int | None = None
    #: of ports that are made from now on
    firewalled: bool | None = None


@dataclass(frozen=True)
class NetworkView:
    """A network with its subnets."""

    network: Network
    subnets: Sequence[Subnet]


def create(cloud: Cloud, caller: Caller, specs: Sequence[NetworkSpec]) -> Sequence[NetworkView]:
    """Make networks, all or none; raises Invalid, Forbidden, QuotaExceeded, or Conflict when no segment is left."""
    policy.require(caller, Operation.NETWORK_WRITE)
    for spec in specs:
        if spec.shared or spec.external or spec.is_default or spec.link is not None or spec.kind is not None:
            policy.require(caller, Operation.NETWORK_WRITE_ALL)
        if spec.kind is not None and (spec.kind in POOLED) is not (spec.link is None):
            says = "it is chosen from the pool" if spec.kind in POOLED else "missing; it names the link on the nodes"
            raise Invalid(f"provider:physical_network: {says}, where provider:network_type is {spec.kind}")
        if spec.link is not None:
            link_names.check(spec.link, "provider:physical_network", kind=spec.kind or Kind.FLAT)
    with cloud.sessions.begin() as db:
        _count(db, cloud, caller, len(specs))
        return [NetworkView(_insert(db, cloud, caller, spec), ()) for spec in specs]


def get(cloud: Cloud, caller: Caller, network_id: str) -> NetworkView:
    """Give a network that the caller may see; raises NotFound."""
    policy.require(caller, Operation.NETWORK_READ)
    with cloud.sessions.read() as db:
        network = visible(networks.get(db, network_id), caller, network_id)
        return NetworkView(network, networks.subnets_of(db, [network.id]).get(network.id, ()))


def page(
    cloud: Cloud, caller: Caller, wanted: Filter, *, limit: int, marker: str | None = None, orders: Sequence[Order] = ()
) -> Sequence[NetworkView]:
    """List networks that the caller may see, after the one with the id `marker`; raises Invalid if there is none."""
    policy.require(caller, Operation.NETWORK_READ)
    if not policy.allows(caller.roles, Operation.NETWORK_READ_ALL):
        wanted = replace(wanted, project_id=caller.project_id)
    with cloud.sessions.read() as db:
        after = None
        if marker is not None:
            after = networks.get(db, marker)
            if after is None or not _sees(caller, after):
                raise Invalid(f"marker: there is no network {marker}")
        found = networks.page(db, wanted, limit=limit, orders=orders, after=after)
        subnets: Mapping[str, Sequence[Subnet]] = networks.subnets_of(db, [network.id for network in found])
        return [NetworkView(network, subnets.get(network.id, ())) for network in found]


def update(cloud: Cloud, caller: Caller, network_id: str, change: NetworkChange) -> NetworkView:
    """Change what can be changed under the servers that are in it; raises NotFound or Forbidden.

    Another MTU, or way out, reaches the nodes in the background, and guests when they ask next.
    """
    policy.require(caller, Operation.NETWORK_WRITE)
    if change.shared is not None or change.external is not None or change.is_default is not None:
        policy.require(caller, Operation.NETWORK_WRITE_ALL)
    with cloud.sessions.begin() as db:
        network = writable(networks.lock(db, network_id), caller, network_id)
        before = _told(network)
        for key, value in vars(change).items():
            if value is not None:
                setattr(network, key, value)
        network.updated_at = now = cloud.clock()
        if _told(network) != before:
            db.flush()
            told_due.mark_network(db, network_id, now)
        view = NetworkView(network, networks.subnets_of(db, [network_id]).get(network_id, ()))
    cloud.wake()
    return view


def delete(cloud: Cloud, caller: Caller, network_id: str) -> None:
    """Delete a network with its subnets; raises NotFound, Forbidden, or Conflict while it has ports."""
    policy.require(caller, Operation.NETWORK_WRITE)
    with cloud.sessions.begin() as db:
        known = writable(networks.get(db, network_id), caller, network_id)
        if known.project_id is not None:
            quotas.count_down(db, project_id=known.project_id, resource=Resource.NETWORKS)
        network = writable(networks.lock(db, network_id), caller, network_id)
        subnets = networks.lock_subnets(db, [network_id])
        if ports.any_in(db, network_id):
            raise Conflict(f"network {network_id} has ports; delete these, or their servers, first")
        for subnet in subnets:
            db.delete(subnet)
        segments.give_back(db, network_id, now=cloud.clock())
        db.flush()
        db.delete(network)


def visible(network: Network | None, caller: Caller, network_id: str) -> Network:
    """Give the network back if the caller may know of it; raises NotFound."""
    if network is None or not _sees(caller, network):
        raise NotFound(f"there is no network {network_id}")
    return network


def writable(network: Network | None, caller: Caller, network_id: str) -> Network:
    """Give the network back if the caller may change it; raises NotFound, or Forbidden for another's that is shared."""
    found = visible(network, caller, network_id)
    if found.project_id is None or found.project_id != caller.project_id:
        policy.require(caller, Operation.NETWORK_WRITE_ALL)
    return found


def usable(db: Session, caller: Caller, network_id: str) -> Network:
    """Give a network that the caller may have ports in; raises NotFound or Conflict."""
    network = visible(networks.get(db, network_id), caller, network_id)
    if not network.enabled:
        raise Conflict(f"network {network_id} is down")
    return network


def _told(network: Network) -> tuple[object, ...]:
    """Give what decides about that which guests are told."""
    return network.mtu, network.external


def _count(db: Session, cloud: Cloud, caller: Caller, number: int) -> None:
    if not caller.project_id:
        return
    if policy.allows(caller.roles, Operation.NETWORK_WRITE_ALL):
        quotas.count_up(db, project_id=caller.project_id, resource=Resource.NETWORKS, amount=number)
    else:
        amounts = {Resource.NETWORKS: number}
        quotas.reserve(db, cloud.settings, project_id=caller.project_id, amounts=amounts)


def _insert(db: Session, cloud: Cloud, caller: Caller, spec: NetworkSpec) -> Network:
    now = cloud.clock()
    kind = spec.kind or (Kind.FLAT if spec.link is not None else Kind(cloud.settings.tenant_network_kind))
    segment = segments.take(db, kind) if kind in POOLED else None
    if kind in POOLED and segment is None:
        raise Conflict(f"no {kind} network is left of the pool: the operator has to add segments")
    if kind is Kind.FLAT and segments.taken_names(db, [spec.link or ""]):
        raise Conflict(f"provider:physical_network: {spec.link} is of the pool, for networks that get theirs there")
    network = Network(
        id=names.new_id(),
        name=spec.name,
        description=spec.description,
        project_id=caller.project_id or None,
        shared=spec.shared,
        external=spec.external,
        is_default=spec.is_default,
        enabled=spec.enabled,
        kind=kind,
        link=segment.link if segment is not None else spec.link,
        mac_prefix=segment.mac_prefix if segment is not None else None,
        mtu=spec.mtu,
        firewalled=spec.firewalled,
        created_at=now,
        updated_at=now,
    )
    db.add(network)
    db.flush()
    if segment is not None:
        segment.network_id = network.id
        db.flush()
    return network


def _sees(caller: Caller, network: Network) -> bool:
    return (
        network.shared
        or network.project_id == caller.project_id
        or policy.allows(caller.roles, Operation.NETWORK_READ_ALL)
    )
