"""Servers as clients read them: from an instance's row, nothing asked for meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from apiserver import times
from apiserver.compute import statuses
from apiserver.compute.links import Links
from db.instances import Instance
from db.ports import Shown

ZONE = "nova"
DISK_CONFIG = "AUTO"

Document = dict[str, object]


def brief(instance: Instance, links: Links) -> Document:
    """A server in a list: its id, name and links."""
    return {"id": instance.id, "name": instance.name, "links": links.both("servers", instance.id)}


def short(instance: Instance, links: Links, shown: Sequence[Shown]) -> Document:
    """A server as the answer to its own change: without the extensions' members."""
    status = statuses.STATUSES[instance.state, instance.task]
    document: Document = {
        "id": instance.id,
        "name": instance.name,
        "status": status,
        "tenant_id": instance.project_id,
        "user_id": instance.user_id,
        "hostId": _host_id(instance),
        "image": _reference("images", instance.image_id, links) if instance.image_id else "",
        "flavor": _reference("flavors", instance.flavor_id, links),
        "metadata": instance.meta,
        "addresses": addresses(instance, shown),
        "accessIPv4": instance.access_ipv4,
        "accessIPv6": instance.access_ipv6,
        "created": times.zoned(instance.created_at),
        "updated": times.zoned(instance.updated_at),
        "links": links.both("servers", instance.id),
        "OS-DCF:diskConfig": DISK_CONFIG,
    }
    if status in statuses.PROGRESS:
        known = instance.progress if status in statuses.DEPLOYING else None
        document["progress"] = statuses.PROGRESS[status] if known is None else known
    if status in statuses.WITH_FAULT and instance.fault_message is not None:
        document["fault"] = {
            "code": instance.fault_code or 500,
            "created": times.zoned(instance.fault_at or instance.updated_at),
            "message": instance.fault_message,
        }
    return document


def rebuilt(instance: Instance, links: Links, shown: Sequence[Shown], *, image_id: str) -> Document:
    """A server as the answer to its rebuild: with the image that is being installed, which it does not have yet."""
    return {**short(instance, links, shown), "image": _reference("images", image_id, links)}


def full(instance: Instance, links: Links, shown: Sequence[Shown], *, groups: Sequence[str], admin: bool) -> Document:
    """A server in all its detail; where it runs is for admins only, and security groups are told if there are any."""
    document = short(instance, links, shown)
    document |= {
        "addresses": addresses(instance, shown, extended=True),
        "config_drive": "",
        "key_name": instance.key_name,
        "os-extended-volumes:volumes_attached": [],
        "OS-EXT-STS:vm_state": statuses.vm_state(instance.state, instance.task),
        "OS-EXT-STS:task_state": statuses.TASK_STATES[instance.task],
        "OS-EXT-STS:power_state": statuses.POWER_STATES[instance.state],
        "OS-EXT-AZ:availability_zone": ZONE,
        "OS-SRV-USG:launched_at": times.bare(instance.launched_at),
        "OS-SRV-USG:terminated_at": times.bare(instance.deleted_at),
    }
    if groups:
        document["security_groups"] = security_groups(groups)
    if admin:
        document |= {
            "OS-EXT-SRV-ATTR:host": instance.node,
            "OS-EXT-SRV-ATTR:hypervisor_hostname": instance.node,
            "OS-EXT-SRV-ATTR:instance_name": instance.ganeti_name,
        }
    return document


def security_groups(names: Sequence[str]) -> list[dict[str, str]]:
    """Security groups by their names."""
    return [{"name": name} for name in names]


def addresses(instance: Instance, shown: Sequence[Shown], *, extended: bool = False) -> dict[str, list[Document]]:
    """A server's addresses by network; what has no address is left out.

    A server that was not made here has none of ours: its addresses are those that Ganeti shows.
    """
    found: dict[str, list[Document]] = {}
    for each in shown:
        found.setdefault(each.network, []).append(
            _address(each.ip, each.mac, extended=extended, floating=each.floating)
        )
    if not shown:
        for nic in instance.nics:
            if nic.get("ip"):
                address = _address(nic["ip"], nic.get("mac"), extended=extended)
                found.setdefault(nic.get("network") or "private", []).append(address)
    return found


def _address(ip: str, mac: str | None, *, extended: bool, floating: bool = False) -> Document:
    address: Document = {"version": 6 if ":" in ip else 4, "addr": ip}
    if extended:
        address |= {"OS-EXT-IPS:type": "floating" if floating else "fixed", "OS-EXT-IPS-MAC:mac_addr": mac}
    return address


def _reference(kind: str, item_id: str, links: Links) -> Document:
    return {"id": item_id, "links": links.bookmark(kind, item_id)}


def _host_id(instance: Instance) -> str:
    """Tell a tenant which of its servers share a node, and nothing about the node."""
    if instance.node is None:
        return ""
    return hashlib.sha224(f"{instance.project_id}{instance.node}".encode()).hexdigest()
