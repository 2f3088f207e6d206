"""Ports: made by their owners, or with a server, whose interfaces they are.

Lock order: what an instance needs, quota usage, security groups, then subnets by id, then ports by id; what a port
carries is held with it.
Who had which address is recorded wherever a port gets or loses addresses, or an instance.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.orm import Session

from cloud import departures, firewall_due, fixed_ips, networks, policy, port_security, quotas, security_groups
from cloud.addresses import Ip
from cloud.context import Caller, Cloud
from cloud.fixed_ips import FixedIp
from cloud.policy import Operation
from cloud.port_security import AllowedPair
from common import names
from common.errors import Conflict, Invalid, NotFound
from db import address_history, ports
from db import networks as network_rows
from db import security_groups as group_rows
from db.instances import Instance
from db.networks import Kind, Network, Subnet
from db.ports import Address, Filter, Port, Shown
from db.quotas import Resource
from db.security_groups import SecurityGroup
from db.sorting import Order

_MAC_TRIES = 20


@dataclass(frozen=True)
class PortSpec:
    """A new port. Without fixed addresses it gets one of each IP version that its network has.

    Without groups it is in the project's default one. Without a word it is firewalled if its network's ports are.
    """

    network_id: str
    name: str = ""
    description: str = ""
    mac: str | None = None
    enabled: bool = True
    fixed_ips: tuple[FixedIp, ...] | None = None
    #: ids of security groups
    groups: tuple[str, ...] | None = None
    firewalled: bool | None = None
    pairs: tuple[AllowedPair, ...] = ()


@dataclass(frozen=True)
class PortChange:
    """What an update changes; None leaves a thing as it is."""

    name: str | None = None
    description: str | None = None
    enabled: bool | None = None
    #: ids of security groups
    groups: tuple[str, ...] | None = None
    firewalled: bool | None = None
    #: all that it is to have from now on
    fixed_ips: tuple[FixedIp, ...] | None = None
    #: all that it may send from besides, from now on
    pairs: tuple[AllowedPair, ...] | None = None


@dataclass(frozen=True)
class PortView:
    """A port with its addresses, and the ids of its security groups."""

    port: Port
    addresses: Sequence[Address]
    groups: Sequence[str] = ()


@dataclass(frozen=True)
class Interface:
    """An interface that a new server is to have: a network to make a port in, or a port that is there."""

    network_id: str | None = None
    port_id: str | None = None
    ip: Ip | None = None
    #: the port is the one that carries a floating IP
    floating: bool = False
    #: the network, where it was chosen and found to be usable in this transaction
    network: Network | None = None


@dataclass(frozen=True)
class Interfaces:
    """What a create says of networks."""

    #: the caller leaves the choice to us
    automatic: bool = True
    wanted: tuple[Interface, ...] = field(default=())


def create(cloud: Cloud, caller: Caller, specs: Sequence[PortSpec]) -> Sequence[PortView]:
    """Make ports, all or none; raises NotFound, Invalid, QuotaExceeded, Conflict (also when no address is left)."""
    policy.require(caller, Operation.PORT_WRITE)
    with cloud.sessions.begin() as db:
        amounts = {Resource.PORTS: len(specs)}
        quotas.reserve(db, cloud.settings, project_id=caller.project_id, amounts=amounts)
        found = {spec.network_id: networks.usable(db, caller, spec.network_id) for spec in specs}
        groups = [_groups(db, cloud, caller, spec, found[spec.network_id]) for spec in specs]
        subnets = network_rows.lock_subnets(db, list(found))
        for network_id in sorted({spec.network_id for spec in specs if spec.pairs}):
            port_security.touch(db, network_id, None, groups=(), now=cloud.clock())
        made = [
            _create(db, cloud, caller, spec, network=found[spec.network_id], subnets=subnets, groups=its)
            for spec, its in zip(specs, groups, strict=True)
        ]
        address_history.begin(db, [view.port.id for view in made], cloud.clock())
        return made


def get(cloud: Cloud, caller: Caller, port_id: str) -> PortView:
    """Give a port that the caller may see; raises NotFound."""
    policy.require(caller, Operation.PORT_READ)
    with cloud.sessions.read() as db:
        return view(db, visible(ports.get(db, port_id), caller, port_id))


def page(
    cloud: Cloud, caller: Caller, wanted: Filter, *, limit: int, marker: str | None = None, orders: Sequence[Order] = ()
) -> Sequence[PortView]:
    """List ports that the caller may see; raises Invalid for a marker that is none of them. Three statements."""
    policy.require(caller, Operation.PORT_READ)
    if not policy.allows(caller.roles, Operation.PORT_READ_ALL):
        wanted = replace(wanted, project_id=caller.project_id)
    with cloud.sessions.read() as db:
        after = None
        if marker is not None:
            try:
                after = visible(ports.get(db, marker), caller, marker)
            except NotFound as err:
                raise Invalid(f"marker: {err}") from err
        found = ports.page(db, wanted, limit=limit, orders=orders, after=after)
        return views(db, found)


def update(cloud: Cloud, caller: Caller, port_id: str, change: PortChange) -> PortView:
    """Change what is said of a port, what it lets through, and the addresses of one that no server has.

    Raises NotFound, Invalid, Forbidden or Conflict.
    """
    policy.require(caller, Operation.PORT_WRITE)
    with cloud.sessions.begin() as db:
        known = visible(ports.get(db, port_id), caller, port_id)
        groups = None
        if change.groups is not None:
            groups = security_groups.chosen(db, cloud, known.project_id, change.groups)
        subnets = network_rows.lock_subnets(db, [known.network_id]) if change.fixed_ips is not None else ()
        now = cloud.clock()
        if change.pairs is not None:
            port_security.touch(db, known.network_id, port_id, groups=groups or (), now=now)
        elif groups is not None or change.firewalled is not None:
            coming = [group.id for group in groups or ()]
            firewall_due.touch_members(db, [port_id], group_ids=coming, now=now)
        port = visible(ports.lock(db, port_id), caller, port_id)
        for key in ("name", "description", "enabled"):
            value = getattr(change, key)
            if value is not None:
                setattr(port, key, value)
        port.updated_at = now
        if change.fixed_ips is not None:
            _readdress(db, port, subnets, change.fixed_ips, now=now)
        port_security.change(db, caller, port, change.firewalled, groups, now)
        if change.pairs is not None:
            port_security.allow(db, caller, port, change.pairs, now)
        found = view(db, port)
    cloud.wake()
    return found


def delete(cloud: Cloud, caller: Caller, port_id: str) -> None:
    """Delete a port that no server has; raises NotFound or Conflict."""
    policy.require(caller, Operation.PORT_WRITE)
    with cloud.sessions.begin() as db:
        known = visible(ports.get(db, port_id), caller, port_id)
        check_carries_none(known)
        quotas.count_down(db, project_id=known.project_id, resource=Resource.PORTS)
        subnets = _by_id(network_rows.lock_subnets(db, [known.network_id]))
        port = visible(ports.lock(db, port_id), caller, port_id)
        if port.instance_id is not None:
            raise Conflict(f"port {port_id} is an interface of server {port.instance_id}")
        check_carries_none(port)
        departures.remove(db, port, subnets, cloud.clock())


def check_carries_none(port: Port) -> None:
    """Raise Conflict for a port that carries a floating IP, with which it comes and goes."""
    if port.floating:
        raise Conflict(f"port {port.id} carries a floating IP, and goes with it: delete that")


def view(db: Session, port: Port) -> PortView:
    """Give a port with what belongs to it; two statements."""
    return views(db, [port])[0]


def views(db: Session, found: Sequence[Port]) -> list[PortView]:
    """Give ports with what belongs to them; two statements."""
    port_ids = [port.id for port in found]
    having, groups = ports.addresses_of(db, port_ids), group_rows.groups_of(db, port_ids)
    return [PortView(port, having.get(port.id, ()), groups.get(port.id, ())) for port in found]


def visible(port: Port | None, caller: Caller, port_id: str) -> Port:
    """Give the port back if the caller may know of it; raises NotFound."""
    if port is None or not (
        port.project_id == caller.project_id or policy.allows(caller.roles, Operation.PORT_READ_ALL)
    ):
        raise NotFound(f"there is no port {port_id}")
    return port


def shown(cloud: Cloud, instance_ids: Sequence[str]) -> Mapping[str, Sequence[Shown]]:
    """Tell the addresses of instances that the caller was found to see; one statement."""
    if not instance_ids:
        return {}
    with cloud.sessions.read() as db:
        return ports.shown(db, instance_ids)


def plan(db: Session, caller: Caller, asked: Interfaces) -> tuple[Interface, ...]:
    """Decide which interfaces a new server gets; raises Invalid, or Conflict where the choice is not clear."""
    if not asked.automatic:
        return asked.wanted
    candidates = network_rows.usable(db, caller.project_id)
    if not candidates:
        return ()
    if len(candidates) > 1 and not candidates[0].is_default:
        raise Conflict("networks: there are several, and none is the default; name those that the server is to be in")
    return (Interface(network_id=candidates[0].id, network=candidates[0]),)


def attach(
    db: Session,
    cloud: Cloud,
    caller: Caller,
    *,
    instance: Instance,
    interfaces: Sequence[Interface],
    groups: Sequence[SecurityGroup],
    first: int = 0,
    later: bool = False,
    announced: bool = False,
    groups_named: bool = False,
) -> list[Port]:
    """Give an instance ports, in order; raises Invalid or Conflict. Holds the networks' subnets.

    Ports that are made here are in the groups, and have been counted. `first` is the number of the first: those that
    the instance has already come before it; `later` says that it was there before them. `announced` says that this
    transaction has made some like these already. Groups that were `groups_named` are not for ports without a firewall.
    """
    known = {each.port_id: _free_port(db, caller, each) for each in interfaces if each.port_id is not None}
    if len(known) < sum(each.port_id is not None for each in interfaces):
        raise Invalid("networks: one port is named twice")
    found: dict[str, Network] = {}
    for each in interfaces:
        if each.network_id is not None and each.network_id not in found:
            found[each.network_id] = each.network or _network(db, caller, each.network_id)
    subnets = network_rows.lock_subnets(db, list(found))
    group_ids = [group.id for group in groups]
    if not announced:
        coming = group_ids if found else []
        firewall_due.touch_members(db, sorted(filter(None, known)), group_ids=coming, now=cloud.clock())
    made, new = [], []
    for number, each in enumerate(interfaces, start=first):
        if each.port_id is not None:
            port = _take(db, caller, each.port_id)
            port.instance_id, port.number, port.updated_at = instance.id, number, cloud.clock()
            port.later = later
            port.firewall_due_at = port.told_due_at = None
        else:
            network = found[each.network_id or ""]
            port = make(db, cloud, network, project_id=instance.project_id, instance=instance, number=number)
            port.later = later
            fixed = (FixedIp(ip=each.ip),) if each.ip is not None else None
            fixed_ips.assign(db, port, [subnet for subnet in subnets if subnet.network_id == network.id], fixed)
            _check_routed(db, network, port)
            if port.firewalled:
                new.append(port.id)
            elif groups_named and groups:
                raise Invalid(f"security_groups: network {network.id} has ports without port_security_enabled")
        made.append(port)
    group_rows.join(db, new, group_ids)
    now = cloud.clock()
    address_history.end(db, [port_id for port_id in known if port_id is not None], now)
    address_history.begin(db, [port.id for port in made], now)
    return made


def make(
    db: Session,
    cloud: Cloud,
    network: Network,
    *,
    project_id: str,
    mac: str | None = None,
    name: str = "",
    instance: Instance | None = None,
    number: int = 0,
) -> Port:
    """Insert a port, without addresses, for an instance if one is given; raises Invalid or Conflict for the MAC."""
    now = cloud.clock()
    port = Port(
        id=names.new_id(),
        name=name,
        network_id=network.id,
        project_id=project_id,
        mac=_mac(db, cloud, network, mac),
        instance_id=instance.id if instance is not None else None,
        number=number,
        owned=instance is not None,
        firewalled=network.firewalled,
        allowed_pairs=[],
        created_at=now,
        updated_at=now,
    )
    db.add(port)
    db.flush()
    return port


def _create(
    db: Session,
    cloud: Cloud,
    caller: Caller,
    spec: PortSpec,
    *,
    network: Network,
    subnets: Sequence[Subnet],
    groups: Sequence[SecurityGroup],
) -> PortView:
    if spec.firewalled is not None and spec.firewalled is not network.firewalled:
        port_security.may_decide(caller, network)
    port = make(db, cloud, network, project_id=caller.project_id, mac=spec.mac, name=spec.name)
    port.description, port.enabled = spec.description, spec.enabled
    port.firewalled = _is_firewalled(spec, network)
    port_security.allow(db, caller, port, spec.pairs, cloud.clock())
    own = [subnet for subnet in subnets if subnet.network_id == network.id]
    addresses = fixed_ips.assign(db, port, own, spec.fixed_ips)
    _check_routed(db, network, port)
    group_rows.join(db, [port.id], [group.id for group in groups])
    return PortView(port, addresses, sorted(group.id for group in groups))


def _readdress(db: Session, port: Port, subnets: Sequence[Subnet], wanted: Sequence[FixedIp], *, now: datetime) -> None:
    """Give a held port these addresses of its network's held subnets; those of them that it has it keeps."""
    if port.instance_id is not None:
        raise Conflict(f"fixed_ips: port {port.id} is an interface of server {port.instance_id}, which keeps them")
    check_carries_none(port)
    fixed_ips.replace(db, port, subnets, wanted)
    network = network_rows.get(db, port.network_id)
    if network is not None:
        _check_routed(db, network, port)
    address_history.end(db, [port.id], now)
    address_history.begin(db, [port.id], now)


def _groups(db: Session, cloud: Cloud, caller: Caller, spec: PortSpec, network: Network) -> Sequence[SecurityGroup]:
    if _is_firewalled(spec, network):
        return security_groups.chosen(db, cloud, caller.project_id, spec.groups)
    if spec.groups:
        raise Invalid("security_groups: a port without port_security_enabled has none")
    return ()


def _is_firewalled(spec: PortSpec, network: Network) -> bool:
    return network.firewalled if spec.firewalled is None else spec.firewalled


def _check_routed(db: Session, network: Network, port: Port) -> None:
    # Ganeti refuses such a NIC
    if network.kind is Kind.ROUTED and not ports.addresses_of(db, [port.id]):
        raise Conflict(f"fixed_ips: network {network.id} is routed: a port of it has an address")


def _network(db: Session, caller: Caller, network_id: str) -> Network:
    try:
        return networks.usable(db, caller, network_id)
    except NotFound as err:
        raise Invalid(f"networks: {err}") from err


def _free_port(db: Session, caller: Caller, wanted: Interface) -> Port:
    port = ports.get(db, wanted.port_id or "")
    if port is None or port.project_id != caller.project_id:
        raise Invalid(f"networks: there is no port {wanted.port_id}")
    if port.floating and not wanted.floating:
        raise Conflict(f"networks: port {port.id} carries a floating IP: associate that with a port of the server")
    return port


def _take(db: Session, caller: Caller, port_id: str) -> Port:
    port = ports.lock(db, port_id)
    if port is None or port.project_id != caller.project_id:
        raise Invalid(f"networks: there is no port {port_id}")
    if port.instance_id is not None:
        raise Conflict(f"networks: port {port_id} is an interface of a server already")
    return port


def _mac(db: Session, cloud: Cloud, network: Network, wanted: str | None) -> str:
    prefix = network.mac_prefix or cloud.settings.mac_prefix
    if wanted is not None:
        if network.mac_prefix is not None and not wanted.startswith(f"{network.mac_prefix}:"):
            raise Invalid(f"mac_address: {wanted} does not begin with {network.mac_prefix}, as all of its network's do")
        if ports.has_mac(db, wanted):
            raise Conflict(f"mac_address: {wanted} is in use")
        return wanted
    for _ in range(_MAC_TRIES):
        made = prefix + "".join(f":{octet:02x}" for octet in secrets.token_bytes(6 - len(prefix.split(":"))))
        if not ports.has_mac(db, made):
            return made
    raise Conflict(f"no free MAC address was found below {prefix}")


def _by_id(subnets: Sequence[Subnet]) -> Mapping[str, Subnet]:
    return {subnet.id: subnet for subnet in subnets}
