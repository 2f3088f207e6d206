"""What each job is on the wire: a table from opcode to RAPI call.

Everything comes from rows; nothing is a tenant's text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cloud import guests, nic_tags
from cloud.states import Action
from common.jobs import Opcode
from rapi.client import Client
from rapi.specs import DiskSpec, InstanceSpec, NicSpec


@dataclass(frozen=True)
class Order:
    """A job to submit, read from its rows while they were locked."""

    job_id: int
    action: Action
    opcode: str
    request_id: str
    attempts: int
    instance_id: str
    ganeti_name: str
    #: the primary node, as far as that is known
    node: str | None
    vcpus: int
    #: MiB
    ram: int
    #: GiB
    disk: int
    image_file: str | None
    image_format: str | None
    disk_template: str
    hypervisor: str
    os: str
    hvparams: tuple[tuple[str, str], ...]
    #: what the job's own row says beyond the instance's; Any: JSON
    spec: Mapping[str, Any]
    #: the interfaces that it makes, in order
    nics: tuple[NicSpec, ...] = ()
    #: a create's tags
    tags: tuple[str, ...] = ()
    #: what the deployment shows to be given what its guest is to have, or the copy of a disk to be taken in
    ticket: guests.Ticket | None = None


class Needless(Exception):
    """What the order is to reach is so already."""


def place(client: Client, order: Order) -> int:
    """Submit the order; give Ganeti's job id. Raises RapiRefused, RapiUnreachable or Needless."""
    return _CALLS[Opcode(order.opcode)](client, order)


def deploys(order: Order) -> bool:
    """Tell whether the order runs the OS definition on a disk."""
    if order.opcode == Opcode.REINSTALL:
        return True
    return order.opcode == Opcode.CREATE and bool(order.os) and bool(order.image_file)


def plugs(opcode: str, action: str) -> bool:
    """Tell whether a job makes NICs for ports."""
    return opcode == Opcode.CREATE or (opcode == Opcode.SET_PARAMS and action == Action.ATTACH_INTERFACE)


def _create(client: Client, order: Order) -> int:
    installs = deploys(order)
    disks: tuple[DiskSpec, ...] = ()
    if order.disk and order.disk_template != "diskless":
        disks = (DiskSpec(size=order.disk * 1024, name="root"),)
    if order.ticket is not None:
        disks += (DiskSpec(size=guests.SEED_DISK, name="seed"),)
    spec = InstanceSpec(
        name=order.ganeti_name,
        memory=order.ram,
        vcpus=order.vcpus,
        disk_template=order.disk_template,
        disks=disks,
        nics=order.nics,
        os=order.os or None,
        osparams=_osparams(order, order.image_file or "", order.image_format or "raw") if installs else {},
        hypervisor=order.hypervisor,
        hvparams=dict(order.hvparams),
        pnode=order.spec.get("node"),
        iallocator=None if order.spec.get("node") else "hail",
        tags=order.tags,
        no_install=None if installs else True,
        start=True,
    )
    return client.create_instance(spec, reason=order.request_id)


def _start(client: Client, order: Order) -> int:
    return client.startup_instance(order.ganeti_name, reason=order.request_id)


def _stop(client: Client, order: Order) -> int:
    return client.shutdown_instance(order.ganeti_name, reason=order.request_id)


def _reboot(client: Client, order: Order) -> int:
    # On KVM, Ganeti's "soft" kills the process without asking the guest: its "hard" is what OpenStack calls soft.
    patience = 0 if order.action is Action.REBOOT_HARD else None
    return client.reboot_instance(
        order.ganeti_name, reason=order.request_id, reboot_type="hard", shutdown_timeout=patience
    )


def _set_params(client: Client, order: Order) -> int:
    if order.action is Action.CREATE_IMAGE:
        ticket = order.ticket
        # without one the copy is over: whoever exports the instance by hand is to have an ordinary export again
        osparams = {"image_url": ticket.url, "image_token": ticket.token} if ticket else {"image_token": ""}
        return client.modify_instance(order.ganeti_name, reason=order.request_id, hotplug=False, osparams=osparams)
    if "hvparams" in order.spec:
        hvparams = dict(order.spec["hvparams"])
        return client.modify_instance(order.ganeti_name, reason=order.request_id, hotplug=False, hvparams=hvparams)
    if "nics" in order.spec:
        # whether a new NIC names its network is known only now
        changes = [["add", -1, nic.body()] for nic in order.nics] or list(order.spec["nics"])
        hotplug = bool(order.spec["hotplug"])
        return client.modify_instance(order.ganeti_name, reason=order.request_id, hotplug=hotplug, nics=changes)
    vcpus, ram = int(order.spec["vcpus"]), int(order.spec["ram"])
    beparams = {"vcpus": vcpus, "maxmem": ram, "minmem": ram}
    return client.modify_instance(order.ganeti_name, reason=order.request_id, hotplug=False, beparams=beparams)


def _grow(client: Client, order: Order) -> int:
    amount = int(order.spec["gib"]) * 1024
    return client.grow_instance_disk(order.ganeti_name, 0, amount=amount, reason=order.request_id)


def _reinstall(client: Client, order: Order) -> int:
    # Ganeti takes no reason here: the job is found again by instance, opcode and time.
    osparams = _osparams(order, str(order.spec["image_file"]), str(order.spec["image_format"]))
    return client.reinstall_instance(
        order.ganeti_name, os=order.os, osparams=osparams, no_startup=not order.spec["start"]
    )


def _osparams(order: Order, image: str, image_format: str) -> dict[str, str]:
    osparams = {"image": image, "image_format": image_format}
    if order.ticket is not None:
        osparams |= {"guest_url": order.ticket.url, "guest_token": order.ticket.token}
    return osparams


def _remove(client: Client, order: Order) -> int:
    return client.delete_instance(order.ganeti_name, reason=order.request_id, shutdown_timeout=0)


def _migrate(client: Client, order: Order) -> int:
    target, allocator = _destination(order)
    return client.migrate_instance(
        order.ganeti_name,
        reason=order.request_id,
        mode="live",
        target_node=target,
        iallocator=allocator,
        allow_failover=False,
    )


def _failover(client: Client, order: Order) -> int:
    target, allocator = _destination(order)
    # from a node that is lost nobody can say whether the disks are up to date
    return client.failover_instance(
        order.ganeti_name,
        reason=order.request_id,
        target_node=target,
        iallocator=allocator,
        ignore_consistency=bool(order.spec.get("lost")),
    )


def _export(client: Client, order: Order) -> int:
    # No shutdown: one that somebody has started meanwhile is to stay as it is, and the job to fail.
    return client.export_instance(
        order.ganeti_name, mode="local", destination=order.node or "", shutdown=False, reason=order.request_id
    )


def _tag(client: Client, order: Order) -> int:
    return client.add_instance_tags(order.ganeti_name, list(order.spec["tags"]), reason=order.request_id)


def _untag(client: Client, order: Order) -> int:
    # what the instance was told may be another thing than what is so now, and Ganeti removes all that is named, or none
    prefix, keep = str(order.spec["prefix"]), order.spec.get("keep") or ()
    there = [tag for tag in client.get_instance_tags(order.ganeti_name) if tag.startswith(prefix)]
    kept = (keep,) if isinstance(keep, str) else tuple(keep)
    portions = nic_tags.portions([tag for tag in there if not tag.startswith(kept)])
    if not portions:
        raise Needless(f"there is no tag that begins with {prefix}")
    return client.delete_instance_tags(order.ganeti_name, portions[0], reason=order.request_id)


def _destination(order: Order) -> tuple[str | None, str | None]:
    """Give the node, or who chooses it; a mirrored disk leaves no choice."""
    if order.disk_template == "drbd":
        return None, None
    target = order.spec.get("to")
    return (target, None) if target else (None, "hail")


_CALLS: dict[Opcode, Callable[[Client, Order], int]] = {
    Opcode.CREATE: _create,
    Opcode.STARTUP: _start,
    Opcode.SHUTDOWN: _stop,
    Opcode.REBOOT: _reboot,
    Opcode.REMOVE: _remove,
    Opcode.SET_PARAMS: _set_params,
    Opcode.GROW_DISK: _grow,
    Opcode.REINSTALL: _reinstall,
    Opcode.MIGRATE: _migrate,
    Opcode.FAILOVER: _failover,
    Opcode.EXPORT: _export,
    Opcode.TAGS_SET: _tag,
    Opcode.TAGS_DEL: _untag,
}
