"""Ports: made by their owners, or with a server, whose interfaces they are.

Lock order: what an instance needs, then usages, then subnets by id, then ports; what a port carries is held with it.
Who had which address is recorded wherever a port gets or loses addresses, or an instance.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.orm import Session

from cloud import addresses, networks, policy, quotas
from cloud.addresses import Ip
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common import names
from common.errors import Conflict, Invalid, NotFound
from db import address_history, floating_ips, ports
from db import networks as network_rows
from db.instances import Instance
from db.networks import Network, Subnet
from db.ports import Address, Filter, Port, Shown
from db.quotas import Resource
from db.sorting import Order

#: addresses that a port may have
MOST_ADDRESSES = 10
_MAC_TRIES = 20


@dataclass(frozen=True)
class FixedIp:
    """An address that is asked for: any of a subnet, or this one of whichever subnet has it."""

    subnet_id: str | None = None
    ip: Ip | None = None


@dataclass(frozen=True)
class PortSpec:
    """A new port. Without fixed addresses it gets one of each IP version that its network has."""

    network_id: str
    name: str = ""
    description: str = ""
    mac: str | None = None
    enabled: bool = True
    fixed_ips: tuple[FixedIp, ...] | None = None


@dataclass(frozen=True)
class PortChange:
    """What an update changes; None leaves a thing as it is."""

    name: str | None = None
    description: str | None = None
    enabled: bool | None = None


@dataclass(frozen=True)
class PortView:
    """A port with its addresses."""

    port: Port
    addresses: Sequence[Address]


@dataclass(frozen=True)
class Interface:
    """An interface that a new server is to have: a network to make a port in, or a port that is there."""

    network_id: str | None = None
    port_id: str | None = None
    ip: Ip | None = None
    #: the port is the one that carries a floating IP
    floating: bool = False


@dataclass(frozen=True)
class Interfaces:
    """What a create says of networks."""

    #: the caller leaves the choice to us
    automatic: bool = True
    wanted: tuple[Interface, ...] = field(default=())


def create(cloud: Cloud, caller: Caller, specs: Sequence[PortSpec]) -> Sequence[PortView]:
    """Make ports, all or none; raises NotFound, Invalid, Conflict (also when no address is left)."""
    policy.require(caller, Operation.PORT_WRITE)
    with cloud.sessions.begin() as db:
        found = {spec.network_id: networks.usable(db, caller, spec.network_id) for spec in specs}
        subnets = network_rows.lock_subnets(db, list(found))
        made = [_create(db, cloud, caller, spec, network=found[spec.network_id], subnets=subnets) for spec in specs]
        address_history.begin(db, [view.port.id for view in made], cloud.clock())
        return made


def get(cloud: Cloud, caller: Caller, port_id: str) -> PortView:
    """Give a port that the caller may see; raises NotFound."""
    policy.require(caller, Operation.PORT_READ)
    with cloud.sessions.read() as db:
        port = visible(ports.get(db, port_id), caller, port_id)
        return PortView(port, ports.addresses_of(db, [port.id]).get(port.id, ()))


def page(
    cloud: Cloud, caller: Caller, wanted: Filter, *, limit: int, marker: str | None = None, orders: Sequence[Order] = ()
) -> Sequence[PortView]:
    """List ports that the caller may see; raises Invalid for a marker that is none of them. Two statements."""
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
        having = ports.addresses_of(db, [port.id for port in found])
        return [PortView(port, having.get(port.id, ())) for port in found]


def update(cloud: Cloud, caller: Caller, port_id: str, change: PortChange) -> PortView:
    """Change what is said of a port; raises NotFound."""
    policy.require(caller, Operation.PORT_WRITE)
    with cloud.sessions.begin() as db:
        port = visible(ports.lock(db, port_id), caller, port_id)
        for key, value in vars(change).items():
            if value is not None:
                setattr(port, key, value)
        port.updated_at = cloud.clock()
        return PortView(port, ports.addresses_of(db, [port.id]).get(port.id, ()))


def delete(cloud: Cloud, caller: Caller, port_id: str) -> None:
    """Delete a port that no server has; raises NotFound or Conflict."""
    policy.require(caller, Operation.PORT_WRITE)
    with cloud.sessions.begin() as db:
        known = visible(ports.get(db, port_id), caller, port_id)
        subnets = _by_id(network_rows.lock_subnets(db, [known.network_id]))
        port = visible(ports.lock(db, port_id), caller, port_id)
        if port.instance_id is not None:
            raise Conflict(f"port {port_id} is an interface of server {port.instance_id}")
        check_carries_none(port)
        remove(db, port, subnets, cloud.clock())


def check_carries_none(port: Port) -> None:
    """Raise Conflict for a port that carries a floating IP, with which it comes and goes."""
    if port.floating:
        raise Conflict(f"port {port.id} carries a floating IP, and goes with it: delete that")


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
    return (Interface(network_id=candidates[0].id),)


def attach(
    db: Session,
    cloud: Cloud,
    caller: Caller,
    *,
    instance: Instance,
    interfaces: Sequence[Interface],
    first: int = 0,
) -> list[Port]:
    """Give an instance ports, in order; raises Invalid or Conflict. Holds the networks' subnets.

    `first` is the number of the first: those that the instance has already come before it.
    """
    known = {each.port_id: _free_port(db, caller, each) for each in interfaces if each.port_id is not None}
    if len(known) < sum(each.port_id is not None for each in interfaces):
        raise Invalid("networks: one port is named twice")
    found: dict[str, Network] = {}
    for each in interfaces:
        if each.network_id is not None and each.network_id not in found:
            found[each.network_id] = _network(db, caller, each.network_id)
    subnets = network_rows.lock_subnets(db, list(found))
    made = []
    for number, each in enumerate(interfaces, start=first):
        if each.port_id is not None:
            port = _take(db, caller, each.port_id)
            port.instance_id, port.number, port.updated_at = instance.id, number, cloud.clock()
        else:
            network = found[each.network_id or ""]
            port = make(db, cloud, network, project_id=instance.project_id, instance=instance, number=number)
            fixed = (FixedIp(ip=each.ip),) if each.ip is not None else None
            assign(db, port, [subnet for subnet in subnets if subnet.network_id == network.id], fixed)
        made.append(port)
    now = cloud.clock()
    address_history.end(db, [port_id for port_id in known if port_id is not None], now)
    address_history.begin(db, [port.id for port in made], now)
    return made


def release(db: Session, instance_id: str, now: datetime) -> None:
    """Let go of the ports of an instance that is gone: those made for it go with it, others wait for another."""
    having: dict[Port, list[Address]] = {}
    for place in ports.places(db, [instance_id]).get(instance_id, ()):
        having.setdefault(place.port, []).extend([place.address] if place.address is not None else [])
    if not having:
        return
    subnets = _by_id(network_rows.lock_subnets(db, sorted({port.network_id for port in having if port.owned})))
    # those that stay come first: what they carry is changed only while they are held
    _free(db, [port for port in having if not port.owned], now)
    _remove(db, {port: found for port, found in having.items() if port.owned}, subnets, now)


def let_go(db: Session, port_id: str, *, instance_id: str, now: datetime, removed: bool = False) -> None:
    """Take a port from the instance that has it; doing it twice changes nothing.

    One that was made for the instance is gone then, and any that is to be `removed`; others wait for another instance.
    """
    known = ports.get(db, port_id)
    if known is None:
        return
    if known.floating and removed:
        quotas.hold(db, known.project_id)
    subnets = _by_id(network_rows.lock_subnets(db, [known.network_id]))
    port = ports.lock(db, port_id)
    if port is None or port.instance_id != instance_id:
        return
    if port.owned or removed:
        remove(db, port, subnets, now)
    else:
        _free(db, [port], now)


def remove(db: Session, port: Port, subnets: Mapping[str, Subnet], now: datetime) -> None:
    """Remove a held port, whose subnets are held, with the floating IP that it may carry: then usages are held, too."""
    if port.floating:
        carried = floating_ips.carried_by(db, port.id)
        if carried is not None:
            db.delete(carried)
            quotas.count_down(db, project_id=carried.project_id, resource=Resource.FLOATING_IPS)
    _remove(db, {port: ports.addresses_of(db, [port.id]).get(port.id, ())}, subnets, now)


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
    """Insert a port, without addresses, for an instance if one is given; raises Conflict for a MAC that is in use."""
    now = cloud.clock()
    port = Port(
        id=names.new_id(),
        name=name,
        network_id=network.id,
        project_id=project_id,
        mac=_mac(db, cloud.settings.mac_prefix, mac),
        instance_id=instance.id if instance is not None else None,
        number=number,
        owned=instance is not None,
        created_at=now,
        updated_at=now,
    )
    db.add(port)
    db.flush()
    return port


def assign(db: Session, port: Port, subnets: Sequence[Subnet], wanted: Sequence[FixedIp] | None) -> Sequence[Address]:
    """Give a port its addresses of its network's held subnets; raises Invalid or Conflict."""
    if wanted is None:
        return _automatic(db, port, subnets)
    if len(wanted) > MOST_ADDRESSES:
        raise Invalid(f"fixed_ips: {MOST_ADDRESSES} at most")
    found = []
    for each in wanted:
        subnet = _subnet(subnets, each)
        if each.ip is None:
            found.append(addresses.choose(db, subnet, port))
        else:
            found.append(addresses.claim(db, subnet, port, each.ip))
    return found


def _create(
    db: Session, cloud: Cloud, caller: Caller, spec: PortSpec, *, network: Network, subnets: Sequence[Subnet]
) -> PortView:
    port = make(db, cloud, network, project_id=caller.project_id, mac=spec.mac, name=spec.name)
    port.description, port.enabled = spec.description, spec.enabled
    own = [subnet for subnet in subnets if subnet.network_id == network.id]
    return PortView(port, assign(db, port, own, spec.fixed_ips))


def _automatic(db: Session, port: Port, subnets: Sequence[Subnet]) -> Sequence[Address]:
    """Take an address of each IP version, of the first subnet that has one left."""
    found = []
    for version in sorted({subnet.version for subnet in subnets}):
        candidates = sorted(
            (subnet for subnet in subnets if subnet.version == version), key=lambda row: (row.created_at, row.id)
        )
        for subnet in candidates:
            try:
                found.append(addresses.choose(db, subnet, port))
            except addresses.Exhausted:
                if subnet is candidates[-1]:
                    raise
            else:
                break
    return found


def _subnet(subnets: Sequence[Subnet], wanted: FixedIp) -> Subnet:
    for subnet in subnets:
        if wanted.subnet_id is not None:
            if subnet.id == wanted.subnet_id:
                return subnet
        elif wanted.ip is not None and wanted.ip in addresses.cidr(subnet):
            return subnet
    if wanted.subnet_id is not None:
        raise Invalid(f"fixed_ips: the network has no subnet {wanted.subnet_id}")
    raise Invalid(f"fixed_ips: {wanted.ip} is in no subnet of the network")


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


def _free(db: Session, held: Sequence[Port], now: datetime) -> None:
    """Have ports wait for another instance; what they carry is associated no more."""
    if not held:
        return
    for port in held:
        port.instance_id, port.number, port.updated_at = None, 0, now
    db.flush()
    if any(port.floating for port in held):
        floating_ips.dissociate(db, [port.id for port in held])
    address_history.end(db, [port.id for port in held], now)
    address_history.begin(db, [port.id for port in held], now)


def _remove(db: Session, gone: Mapping[Port, Sequence[Address]], subnets: Mapping[str, Subnet], now: datetime) -> None:
    """Remove ports with their addresses, whose subnets are held."""
    for port, having in gone.items():
        addresses.give_back(db, subnets, having)
        db.delete(port)
        db.flush()
    address_history.end(db, [port.id for port in gone], now)


def _mac(db: Session, prefix: str, wanted: str | None) -> str:
    if wanted is not None:
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
