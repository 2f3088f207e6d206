"""Interfaces of servers: attached and detached after the create, by hotplug where the server runs.

Each is a chain of jobs: nodes are told by tags what a NIC is before it comes, and forget it after it is gone.
Lock order: instance, job, subnets by id, port.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cloud import (
    chains,
    firewall,
    firewall_due,
    guests,
    instances,
    networks,
    nic_tags,
    nics,
    policy,
    ports,
    quotas,
    security_groups,
    states,
    told,
)
from cloud.addresses import Ip
from cloud.chains import Step
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from cloud.ports import Interface, Interfaces, PortView
from cloud.security_groups import GroupView
from cloud.states import Action
from common.errors import Conflict, Invalid, NotFound
from common.jobs import Opcode
from db import floating_ips, jobs
from db import instances as instance_rows
from db import ports as port_rows
from db import security_groups as group_rows
from db.instances import Instance, State
from db.ports import Port
from db.quotas import Resource
from db.security_groups import SecurityGroup

#: Ganeti's limit (constants.MAX_NICS)
MOST = 8


@dataclass(frozen=True)
class Attachment:
    """An interface of a server."""

    view: PortView
    #: its NIC is still to come
    coming: bool = False


def page(cloud: Cloud, caller: Caller, instance_id: str) -> Sequence[Attachment]:
    """List a server's interfaces, in order; raises NotFound."""
    policy.require(caller, Operation.SERVER_READ)
    with cloud.sessions.read() as db:
        instances.visible(instance_rows.get(db, instance_id), caller, instance_id)
        known = port_rows.of_instance(db, instance_id)
        coming = {
            job.spec.get("port_id")
            for job in jobs.open_of_instance(db, instance_id)
            if job.action == Action.ATTACH_INTERFACE
        }
        return [Attachment(view, coming=view.port.id in coming) for view in ports.views(db, known)]


def get(cloud: Cloud, caller: Caller, instance_id: str, port_id: str) -> Attachment:
    """Give one of a server's interfaces; raises NotFound."""
    for each in page(cloud, caller, instance_id):
        if each.view.port.id == port_id:
            return each
    raise NotFound(f"server {instance_id} has no interface {port_id}")


def attach(cloud: Cloud, caller: Caller, instance_id: str, wanted: Interface) -> Attachment:
    """Begin to attach a port, or a new one in a network; without either, in the network that a create would choose.

    Raises NotFound, Invalid for the address, Busy or Conflict. A port made here is gone again if it can't be attached.
    """
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = instances.unlocked(db, caller, instance_id)
        port = begin_attach(db, cloud, caller, instance, wanted)
        view = ports.view(db, port)
    cloud.wake()
    return Attachment(view, coming=True)


def detach(cloud: Cloud, caller: Caller, instance_id: str, port_id: str) -> None:
    """Begin to detach an interface; raises NotFound, Busy or Conflict. A port that was made for the server goes too."""
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = instances.unlocked(db, caller, instance_id)
        _detach(db, cloud, caller, instance, port_rows.get(db, port_id), port_id=port_id)
    cloud.wake()


def detach_address(cloud: Cloud, caller: Caller, instance_id: str, ip: Ip) -> None:
    """Begin to detach the interface that has an address; raises NotFound, Invalid if none has it, Busy or Conflict."""
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = instances.unlocked(db, caller, instance_id)
        places = port_rows.places(db, [instance_id]).get(instance_id, ())
        port = next((each.port for each in places if each.address is not None and each.address.ip == str(ip)), None)
        if port is None:
            raise Invalid(f"address: server {instance_id} has no interface with {ip}")
        _detach(db, cloud, caller, instance, port, port_id=port.id)
    cloud.wake()


def delete_port(cloud: Cloud, caller: Caller, port_id: str) -> None:
    """Delete a port; one that a server has is detached first, and gone when that is done.

    Raises NotFound, Busy or Conflict.
    """
    policy.require(caller, Operation.PORT_WRITE)
    with cloud.sessions.read() as db:
        known = ports.visible(port_rows.get(db, port_id), caller, port_id)
        instance_id = known.instance_id
    ports.check_carries_none(known)
    if instance_id is None:
        ports.delete(cloud, caller, port_id)
        return
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = instances.unlocked(db, caller, instance_id)
        port = ports.visible(port_rows.get(db, port_id), caller, port_id)
        _detach(db, cloud, caller, instance, port, port_id=port_id, removed=True)
    cloud.wake()


def begin_attach(db: Session, cloud: Cloud, caller: Caller, instance: Instance, wanted: Interface) -> Port:
    """Leave the jobs that attach a port to an instance, which is held; raises as `attach` does."""
    action = Action.ATTACH_INTERFACE
    known = check_room(db, instance)
    first = known[-1].number + 1 if known else 0
    interface = _chosen(db, caller, wanted)
    groups: Sequence[SecurityGroup] = ()
    if interface.port_id is None:
        amounts = {Resource.PORTS: 1}
        quotas.reserve(db, cloud.settings, project_id=instance.project_id, amounts=amounts)
        groups = security_groups.chosen(db, cloud, instance.project_id, None)
    (port,) = ports.attach(
        db, cloud, caller, instance=instance, interfaces=[interface], groups=groups, first=first, later=True
    )
    db.flush()
    chains.begin(
        db,
        instance,
        _attaching(db, instance, port),
        action=action,
        request_id=caller.request_id,
        now=cloud.clock(),
        caller=caller,
    )
    return port


def check_room(db: Session, instance: Instance) -> Sequence[Port]:
    """Give the ports of an instance that may have one more now; raises Busy or Conflict."""
    states.check(Action.ATTACH_INTERFACE, state=instance.state, task=instance.task, what=f"server {instance.id}")
    known = port_rows.of_instance(db, instance.id)
    if len(known) >= MOST:
        raise Conflict(f"server {instance.id} has {MOST} interfaces, and no server may have more")
    return known


def begin_detach(
    db: Session, cloud: Cloud, caller: Caller, instance: Instance, port: Port, *, removed: bool = False
) -> None:
    """Leave the jobs that detach a port from an instance, which is held; raises Busy or Conflict.

    A port that is to be `removed` is gone when that is done, whoever made it.
    """
    action = Action.DETACH_INTERFACE
    states.check(action, state=instance.state, task=instance.task, what=f"server {instance.id}")
    named = floating_ips.of_fixed(db, port.id)
    if named is not None:
        raise Conflict(f"port {port.id} has the floating IP {named.id} associated with it: disassociate that first")
    chains.begin(
        db,
        instance,
        _detaching(db, instance, port, removed=removed),
        action=action,
        request_id=caller.request_id,
        now=cloud.clock(),
        caller=caller,
    )


def groups(cloud: Cloud, caller: Caller, instance_id: str) -> Sequence[GroupView]:
    """List the security groups of a server's ports, each once, by name; raises NotFound."""
    policy.require(caller, Operation.SERVER_READ)
    with cloud.sessions.read() as db:
        instances.visible(instance_rows.get(db, instance_id), caller, instance_id)
        found = group_rows.of_instances(db, [instance_id]).get(instance_id, ())
        rules = group_rows.rules_of_groups(db, [group.id for group in found])
        return [GroupView(group, rules.get(group.id, ())) for group in found]


def change_group(cloud: Cloud, caller: Caller, instance_id: str, group: str, *, joins: bool) -> None:
    """Put a server's firewalled ports into a security group, named or by its id, or take them out of it.

    Raises NotFound for the server or the group, Conflict where several groups have the name, and Invalid where no port
    is firewalled, or none is in the group that is to be left.
    """
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = instances.held(db, caller, instance_id)
        known = port_rows.of_instance(db, instance_id)
        firewalled = [port.id for port in known if port.firewalled]
        (wanted,) = security_groups.chosen(db, cloud, instance.project_id, [group], by_name=True)
        now = cloud.clock()
        firewall_due.touch_members(db, [port.id for port in known], group_ids=[wanted.id], now=now)
        having = group_rows.groups_of(db, firewalled)
        within = [port_id for port_id in firewalled if wanted.id in having.get(port_id, ())]
        if joins:
            if not firewalled:
                raise Invalid(f"server {instance_id} has no port with port_security_enabled")
            joining = [port_id for port_id in firewalled if port_id not in within]
            if any(len(having.get(port_id, ())) >= security_groups.MOST_OF_A_PORT for port_id in joining):
                raise Invalid(f"security_groups: {security_groups.MOST_OF_A_PORT} at most")
            group_rows.join(db, joining, [wanted.id])
        else:
            if not within:
                raise Invalid(f"server {instance_id} is not in the security group {group}")
            group_rows.leave(db, within, wanted.id)
        firewall_due.touch_ports(db, firewalled, now)


def _chosen(db: Session, caller: Caller, wanted: Interface) -> Interface:
    if wanted.port_id is not None:
        ports.visible(port_rows.get(db, wanted.port_id), caller, wanted.port_id)
        return wanted
    if wanted.network_id is not None:
        networks.usable(db, caller, wanted.network_id)
        return wanted
    planned = ports.plan(db, caller, Interfaces())
    if not planned:
        raise Invalid("net_id: missing, and there is no network to choose")
    return planned[0]


def _detach(
    db: Session,
    cloud: Cloud,
    caller: Caller,
    instance: Instance,
    port: Port | None,
    *,
    port_id: str,
    removed: bool = False,
) -> None:
    if port is None or port.instance_id != instance.id:
        raise NotFound(f"server {instance.id} has no interface {port_id}")
    begin_detach(db, cloud, caller, instance, port, removed=removed)


def _attaching(db: Session, instance: Instance, port: Port) -> list[Step]:
    places = port_rows.places(db, [instance.id])[instance.id]
    (nic,) = nics.of([place for place in places if place.port.id == port.id])
    change = {"nics": [["add", -1, nic.body()]], "hotplug": _runs(instance), "port_id": port.id}
    told.take_for_told(places, [port])
    tags = nic_tags.of_one(
        places,
        port.id,
        hostname=guests.hostname(instance.name, instance.id),
        firewalls=firewall.tell(db, [port]),
    )
    return [*chains.tagging(tags), (Opcode.SET_PARAMS, change)]


def _detaching(db: Session, instance: Instance, port: Port, *, removed: bool) -> list[Step]:
    places = port_rows.places(db, [instance.id])[instance.id]
    change = {
        "nics": [["remove", nics.name_of(port.id), {}]],
        "hotplug": _runs(instance),
        "port_id": port.id,
        "removed": removed,
    }
    prefix = nic_tags.prefix(port.id)
    hostname = guests.hostname(instance.name, instance.id)
    tags = nic_tags.of_one(places, port.id, hostname=hostname, firewalls=firewall.values(db, [port]))
    portions = nic_tags.portions([tag for tag in tags if tag.startswith(prefix)])
    return [(Opcode.SET_PARAMS, change), *((Opcode.TAGS_DEL, {"prefix": prefix}) for _ in portions)]


def _runs(instance: Instance) -> bool:
    # Ganeti refuses to hotplug what does not run
    return instance.state is State.ACTIVE
