"""Floating IPs: addresses of external networks that projects keep, and give to one server after another.

There is no NAT: a floating IP is carried by a port of its own, and associating it with a port of a server attaches the
carrying port to that server as one more interface, by the jobs of cloud/interfaces.py and with all that they promise.

The carrying port takes over the security groups of the port that is named, each time that it is attached. One that
another server has leaves that first, and is attached when it has left (cloud.floating_moves).

Lock order: instances by id, job, quota usage, security groups, subnets by id, ports by id; a floating IP is held with
the port that carries it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from cloud import (
    addresses,
    departures,
    firewall_due,
    fixed_ips,
    instances,
    interfaces,
    networks,
    policy,
    ports,
    quotas,
    security_groups,
)
from cloud.addresses import Ip
from cloud.context import Caller, Cloud
from cloud.fixed_ips import FixedIp
from cloud.policy import Operation
from cloud.ports import Interface
from cloud.states import Action
from common import names
from common.errors import Busy, Conflict, Invalid, NotFound
from db import address_history, jobs
from db import floating_ips as rows
from db import networks as network_rows
from db import ports as port_rows
from db import security_groups as group_rows
from db.floating_ips import Filter, FloatingIp, FloatingView
from db.instances import Instance
from db.networks import Filter as NetworkFilter
from db.networks import Network, Subnet
from db.ports import Port
from db.quotas import Resource
from db.security_groups import SecurityGroup
from db.sorting import Order

#: pools that a list shows
_MOST_POOLS = 1000


@dataclass(frozen=True)
class Target:
    """The port that a floating IP is to be associated with, and the address of it that is meant; without, any."""

    port_id: str
    ip: Ip | None = None

    @classmethod
    def of(cls, port_id: str, ip: str | None) -> Target:
        """Give the target whose address is a text."""
        return cls(port_id, ipaddress.ip_address(ip) if ip is not None else None)


@dataclass(frozen=True)
class FloatingSpec:
    """A new floating IP: any of a network, or of one of its subnets, or this one."""

    network_id: str
    subnet_id: str | None = None
    ip: Ip | None = None
    target: Target | None = None
    description: str = ""


@dataclass(frozen=True)
class FloatingChange:
    """What an update changes."""

    description: str | None = None
    #: `target` is what it is to be associated with from now on, or None for nothing; else that stays as it is
    associates: bool = False
    target: Target | None = None


def create(cloud: Cloud, caller: Caller, spec: FloatingSpec) -> FloatingView:
    """Take an address of an external network, and begin to associate it if that is asked for.

    Raises NotFound, Invalid, QuotaExceeded, Busy, or Conflict (also when no address is left).
    """
    policy.require(caller, Operation.FLOATING_IP_WRITE)
    with cloud.sessions.begin() as db:
        network = networks.usable(db, caller, spec.network_id)
        if not network.external:
            raise Invalid(f"floating_network_id: network {network.id} is not external")
        instance = _instance(db, caller, spec.target) if spec.target is not None else None
        amounts = {Resource.FLOATING_IPS: 1}
        quotas.reserve(db, cloud.settings, project_id=caller.project_id, amounts=amounts)
        groups = _groups(db, cloud, caller.project_id, spec.target)
        floating = _insert(db, cloud, caller, spec, network)
        group_rows.join(db, [floating.port_id], [group.id for group in groups])
        if spec.target is not None and instance is not None:
            _attach(db, cloud, caller, floating, instance, spec.target)
        else:
            address_history.begin(db, [floating.port_id], cloud.clock())
        db.flush()
        made = _view(db, floating.id)
    cloud.wake()
    return made


def get(cloud: Cloud, caller: Caller, floating_id: str) -> FloatingView:
    """Give a floating IP that the caller may see; raises NotFound."""
    policy.require(caller, Operation.FLOATING_IP_READ)
    with cloud.sessions.read() as db:
        visible(rows.get(db, floating_id), caller, floating_id)
        return _view(db, floating_id)


def page(
    cloud: Cloud, caller: Caller, wanted: Filter, *, limit: int, marker: str | None = None, orders: Sequence[Order] = ()
) -> Sequence[FloatingView]:
    """List floating IPs that the caller may see; raises Invalid for a marker that is none of them. One statement."""
    policy.require(caller, Operation.FLOATING_IP_READ)
    if not policy.allows(caller.roles, Operation.FLOATING_IP_READ_ALL):
        wanted = replace(wanted, project_id=caller.project_id)
    with cloud.sessions.read() as db:
        after = None
        if marker is not None:
            try:
                after = visible(rows.get(db, marker), caller, marker)
            except NotFound as err:
                raise Invalid(f"marker: {err}") from err
        return rows.page(db, wanted, limit=limit, orders=orders, after=after)


def update(cloud: Cloud, caller: Caller, floating_id: str, change: FloatingChange) -> FloatingView:
    """Change what is said of a floating IP, and begin to associate or disassociate it.

    One that another server has leaves that first. Raises NotFound, Invalid, Busy or Conflict.
    """
    policy.require(caller, Operation.FLOATING_IP_WRITE)
    with cloud.sessions.begin() as db:
        known = visible(rows.get(db, floating_id), caller, floating_id)
        if not change.associates:
            hold(db, known)
        elif change.target is not None:
            _associate(db, cloud, caller, known, change.target)
        else:
            _disassociate(db, cloud, caller, known)
        if change.description is not None:
            known.description = change.description
        known.updated_at = cloud.clock()
        db.flush()
        changed = _view(db, floating_id)
    cloud.wake()
    return changed


def delete(cloud: Cloud, caller: Caller, floating_id: str) -> None:
    """Give an address back; one that a server has is detached first, and gone when that is done.

    Raises NotFound, Busy or Conflict.
    """
    policy.require(caller, Operation.FLOATING_IP_WRITE)
    with cloud.sessions.begin() as db:
        known = visible(rows.get(db, floating_id), caller, floating_id)
        instance = _having(db, caller, known)
        if instance is None:
            _remove(db, cloud, known)
        elif not _go_when_detached(db, instance, known.port_id):
            interfaces.begin_detach(db, cloud, caller, instance, _carrier(db, known), removed=True)
    cloud.wake()


def by_address(cloud: Cloud, caller: Caller, ip: Ip) -> FloatingView:
    """Give the project's floating IP with an address; raises NotFound."""
    wanted = Filter(project_id=caller.project_id, ips=[str(ip)])
    found = page(cloud, caller, wanted, limit=1)
    if not found:
        raise NotFound(f"there is no floating IP {ip}")
    return found[0]


def add_to_server(cloud: Cloud, caller: Caller, instance_id: str, ip: Ip, fixed: Ip | None = None) -> None:
    """Begin to associate an address with a server's port: the one with the `fixed` address, or the first with any.

    Raises NotFound, Invalid, Busy or Conflict.
    """
    found = by_address(cloud, caller, ip)
    with cloud.sessions.read() as db:
        places = port_rows.places(db, [instance_id]).get(instance_id, ())
    for place in places:
        if place.port.floating or place.address is None:
            continue
        if fixed is None or place.address.ip == str(fixed):
            target = Target(place.port.id, fixed)
            update(cloud, caller, found.floating.id, FloatingChange(associates=True, target=target))
            return
    if fixed is None:
        raise Invalid(f"addFloatingIp: server {instance_id} has no port with an address to associate it with")
    raise Invalid(f"fixed_address: server {instance_id} has no interface with {fixed}")


def remove_from_server(cloud: Cloud, caller: Caller, instance_id: str, ip: Ip) -> None:
    """Begin to disassociate an address that a server has; raises NotFound, Busy or Conflict."""
    found = by_address(cloud, caller, ip)
    if found.port.instance_id != instance_id:
        raise Conflict(f"floating IP {ip} is not associated with server {instance_id}")
    update(cloud, caller, found.floating.id, FloatingChange(associates=True))


def pools(cloud: Cloud, caller: Caller) -> Sequence[Network]:
    """List the networks that floating IPs may be taken of, oldest first."""
    wanted = NetworkFilter(external=True, enabled=True)
    return [view.network for view in networks.page(cloud, caller, wanted, limit=_MOST_POOLS) if view.subnets]


def visible(floating: FloatingIp | None, caller: Caller, floating_id: str) -> FloatingIp:
    """Give the floating IP back if the caller may know of it; raises NotFound."""
    if floating is None or not (
        floating.project_id == caller.project_id or policy.allows(caller.roles, Operation.FLOATING_IP_READ_ALL)
    ):
        raise NotFound(f"there is no floating IP {floating_id}")
    return floating


def _insert(db: Session, cloud: Cloud, caller: Caller, spec: FloatingSpec, network: Network) -> FloatingIp:
    subnets = network_rows.lock_subnets(db, [network.id])
    if not subnets:
        raise Invalid(f"floating_network_id: network {network.id} has no subnet")
    if spec.subnet_id is not None and all(subnet.id != spec.subnet_id for subnet in subnets):
        raise Invalid(f"subnet_id: network {network.id} has no subnet {spec.subnet_id}")
    if spec.ip is not None and all(spec.ip not in addresses.cidr(subnet) for subnet in subnets):
        raise Invalid(f"floating_ip_address: {spec.ip} is in no subnet of network {network.id}")
    port = ports.make(db, cloud, network, project_id=caller.project_id)
    port.floating, port.firewalled = True, True
    if spec.subnet_id is not None or spec.ip is not None:
        fixed_ips.assign(db, port, subnets, [FixedIp(spec.subnet_id, spec.ip)])
    else:
        fixed_ips.assign(db, port, _of_one_version(subnets), None)
    floating = FloatingIp(
        id=names.new_id(),
        project_id=caller.project_id,
        port_id=port.id,
        description=spec.description,
        created_at=port.created_at,
        updated_at=port.created_at,
    )
    db.flush()
    db.add(floating)
    db.flush()
    return floating


def _of_one_version(subnets: Sequence[Subnet]) -> Sequence[Subnet]:
    version = min(subnet.version for subnet in subnets)
    return [subnet for subnet in subnets if subnet.version == version]


def _associate(db: Session, cloud: Cloud, caller: Caller, floating: FloatingIp, target: Target) -> None:
    seen = _carrier(db, floating).instance_id
    wanted = ports.visible(port_rows.get(db, target.port_id), caller, target.port_id).instance_id
    if seen is not None and wanted not in (None, seen):
        # two that change places hold both servers in the same order
        for each in sorted({seen, str(wanted)}):
            instances.unlocked(db, caller, each)
    instance = _instance(db, caller, target)
    having = _carrier(db, floating).instance_id
    if having not in (seen, None):
        raise Busy(f"floating IP {floating.id} has been associated with another server meanwhile")
    if having is None:
        _come(db, cloud, caller, floating, instance, target)
        floating.go_nowhere()
    elif having != instance.id:
        _move(db, cloud, caller, floating, instance, target, having=having)
    elif _open_jobs(db, instance, floating.port_id):
        raise Busy(f"floating IP {floating.id} is being attached or detached")
    else:
        hold(db, floating)
        _name(db, floating, target)


def begin(db: Session, cloud: Cloud, caller: Caller, floating: FloatingIp, target: Target) -> None:
    """Leave the jobs that attach a floating IP which no server has; raises NotFound, Invalid, Busy or Conflict."""
    _come(db, cloud, caller, floating, _instance(db, caller, target), target)


def _come(  # noqa: PLR0917  # who asks, and for what
    db: Session, cloud: Cloud, caller: Caller, floating: FloatingIp, instance: Instance, target: Target
) -> None:
    _take_over_groups(db, cloud, floating, target)
    _attach(db, cloud, caller, floating, instance, target)


def _move(  # noqa: PLR0917  # who asks, and for what
    db: Session, cloud: Cloud, caller: Caller, floating: FloatingIp, instance: Instance, target: Target, *, having: str
) -> None:
    """Begin to detach a floating IP from the server that has it, and keep where it is to go then. Both are held."""
    _check_project(floating, instance)
    interfaces.check_room(db, instance)
    former = instances.unlocked(db, caller, having)
    if not _detaching(db, former, floating.port_id):
        interfaces.begin_detach(db, cloud, caller, former, _carrier(db, floating))
    hold(db, floating)
    floating.next_port_id, floating.next_fixed_ip = target.port_id, _fixed_ip(db, floating, target)
    floating.next_request_id = caller.request_id


def _attach(  # noqa: PLR0917  # who asks, and for what
    db: Session, cloud: Cloud, caller: Caller, floating: FloatingIp, instance: Instance, target: Target
) -> None:
    _check_project(floating, instance)
    interfaces.begin_attach(db, cloud, caller, instance, Interface(port_id=floating.port_id, floating=True))
    _name(db, floating, target)


def _check_project(floating: FloatingIp, instance: Instance) -> None:
    if instance.project_id != floating.project_id:
        raise Conflict(f"floating IP {floating.id} and server {instance.id} are of different projects")


def _take_over_groups(db: Session, cloud: Cloud, floating: FloatingIp, target: Target) -> None:
    """Have the carrying port, which no server has, let through what the named one does."""
    group_ids = [group.id for group in _groups(db, cloud, floating.project_id, target)]
    firewall_due.touch_members(db, [floating.port_id], group_ids=group_ids, now=cloud.clock())
    hold(db, floating)  # it is held already, by the order of ids, unless it has gone
    group_rows.leave_all(db, floating.port_id)
    group_rows.join(db, [floating.port_id], group_ids)


def _groups(db: Session, cloud: Cloud, project_id: str, target: Target | None) -> Sequence[SecurityGroup]:
    """Hold the groups of the named port; the default one where none is named, or that one is not firewalled."""
    fixed = port_rows.get(db, target.port_id) if target is not None else None
    wanted = None
    if fixed is not None and fixed.firewalled:
        wanted = group_rows.groups_of(db, [fixed.id]).get(fixed.id, ())
    return security_groups.chosen(db, cloud, project_id, wanted)


def _name(db: Session, floating: FloatingIp, target: Target) -> None:
    """Record the port that was named, and the address of it that is meant."""
    floating.fixed_port_id, floating.fixed_ip = target.port_id, _fixed_ip(db, floating, target)


def _fixed_ip(db: Session, floating: FloatingIp, target: Target) -> str:
    """Choose the address of a port that is meant: of the floating IP's version, if any is. Raises Invalid."""
    having = port_rows.addresses_of(db, [target.port_id, floating.port_id])
    fixed = [address.ip for address in having.get(target.port_id, ())]
    if not fixed:
        raise Invalid(f"port_id: port {target.port_id} has no address")
    if target.ip is not None and str(target.ip) not in fixed:
        raise Invalid(f"fixed_ip_address: port {target.port_id} does not have {target.ip}")
    version = ipaddress.ip_address(having[floating.port_id][0].ip).version
    alike = [ip for ip in fixed if ipaddress.ip_address(ip).version == version]
    return str(target.ip) if target.ip is not None else (alike or fixed)[0]


def _disassociate(db: Session, cloud: Cloud, caller: Caller, floating: FloatingIp) -> None:
    instance = _having(db, caller, floating)
    if instance is not None and not _detaching(db, instance, floating.port_id):
        interfaces.begin_detach(db, cloud, caller, instance, _carrier(db, floating))
    hold(db, floating)
    floating.go_nowhere()


def _instance(db: Session, caller: Caller, target: Target) -> Instance:
    """Hold the server whose port is named; raises NotFound, Conflict for a port of none."""
    policy.require(caller, Operation.SERVER_WRITE)
    fixed = ports.visible(port_rows.get(db, target.port_id), caller, target.port_id)
    if fixed.floating:
        raise NotFound(f"port {fixed.id} carries a floating IP itself: name another port of the server")
    if fixed.instance_id is None:
        raise Conflict(f"port {fixed.id} is no server's interface: attach it to one first")
    instance = instances.unlocked(db, caller, fixed.instance_id)
    db.refresh(fixed)
    if fixed.instance_id != instance.id:
        raise Busy(f"port {fixed.id} has been detached meanwhile")
    return instance


def _having(db: Session, caller: Caller, floating: FloatingIp) -> Instance | None:
    """Hold the server that has a floating IP; None if none has. While it is held, none of that changes."""
    seen = _carrier(db, floating).instance_id
    if seen is None:
        return None
    policy.require(caller, Operation.SERVER_WRITE)
    instance = instances.unlocked(db, caller, seen)
    now_at = _carrier(db, floating).instance_id
    if now_at not in (None, seen):
        raise Busy(f"floating IP {floating.id} has been associated with another server meanwhile")
    return instance if now_at is not None else None


def _carrier(db: Session, floating: FloatingIp) -> Port:
    port = port_rows.get_anew(db, floating.port_id)
    if port is None:
        raise NotFound(f"there is no floating IP {floating.id}")
    return port


def hold(db: Session, floating: FloatingIp) -> Port:
    """Hold a floating IP by its carrying port, and read it again; raises NotFound if it has gone meanwhile."""
    port = port_rows.lock(db, floating.port_id)
    if port is None or rows.get_again(db, floating.id) is None:
        raise NotFound(f"there is no floating IP {floating.id}")
    return port


def _open_jobs(db: Session, instance: Instance, port_id: str) -> Sequence[jobs.Job]:
    return [job for job in jobs.open_of_instance(db, instance.id) if job.spec.get("port_id") == port_id]


def _detaching(db: Session, instance: Instance, port_id: str) -> bool:
    return any(job.action == Action.DETACH_INTERFACE for job in _open_jobs(db, instance, port_id))


def _go_when_detached(db: Session, instance: Instance, port_id: str) -> bool:
    """Have a port that is being detached go with that; tell whether it is. The instance is held."""
    for job in _open_jobs(db, instance, port_id):
        if job.action == Action.DETACH_INTERFACE:
            held = jobs.lock(db, job.id)
            if held is not None and held.finished_at is None:
                held.spec = {**held.spec, "removed": True}
                return True
    return False


def _remove(db: Session, cloud: Cloud, floating: FloatingIp) -> None:
    quotas.count_down(db, project_id=floating.project_id, resource=Resource.FLOATING_IPS)
    network_id = _carrier(db, floating).network_id
    subnets = {subnet.id: subnet for subnet in network_rows.lock_subnets(db, [network_id])}
    port = hold(db, floating)
    if port.instance_id is not None:
        raise Busy(f"floating IP {floating.id} has been associated meanwhile")
    departures.remove(db, port, subnets, cloud.clock())


def _view(db: Session, floating_id: str) -> FloatingView:
    found = rows.view(db, floating_id)
    if found is None:
        raise NotFound(f"there is no floating IP {floating_id}")
    return found
