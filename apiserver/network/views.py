"""Networks, subnets, ports and security groups as clients read them."""

from __future__ import annotations

from apiserver import times
from apiserver.network.resource import Document
from cloud.networks import NetworkView
from cloud.ports import PortView
from cloud.security_groups import GroupView
from db import security_groups
from db.floating_ips import FloatingView
from db.networks import Subnet
from db.ports import Port
from db.security_groups import Rule


def network(view: NetworkView, *, operator: bool) -> Document:
    """A network; what it is on the nodes is for operators only."""
    row = view.network
    document: Document = {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "project_id": row.project_id or "",
        "tenant_id": row.project_id or "",
        "admin_state_up": row.enabled,
        "status": "ACTIVE" if row.enabled else "DOWN",
        "shared": row.shared,
        "router:external": row.external,
        "is_default": row.is_default,
        "mtu": row.mtu,
        "subnets": [each.id for each in view.subnets],
        "port_security_enabled": row.firewalled,
        "availability_zones": ["nova"],
        "availability_zone_hints": [],
        "tags": [],
        "revision_number": 0,
        "created_at": times.zoned(row.created_at),
        "updated_at": times.zoned(row.updated_at),
    }
    if operator:
        document |= {
            "provider:network_type": row.kind,
            "provider:physical_network": row.link,
            "provider:segmentation_id": None,
        }
    return document


def subnet(row: Subnet) -> Document:
    """A subnet."""
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "network_id": row.network_id,
        "project_id": row.project_id or "",
        "tenant_id": row.project_id or "",
        "cidr": row.cidr,
        "ip_version": row.version,
        "gateway_ip": row.gateway,
        "enable_dhcp": row.dhcp,
        "ipv6_address_mode": row.ipv6_mode,
        "ipv6_ra_mode": row.ipv6_mode,
        "allocation_pools": row.pools,
        "dns_nameservers": row.nameservers,
        "host_routes": row.routes,
        "subnetpool_id": None,
        "service_types": [],
        "tags": [],
        "revision_number": 0,
        "created_at": times.zoned(row.created_at),
        "updated_at": times.zoned(row.updated_at),
    }


def port(view: PortView) -> Document:
    """A port; it is up while a server has it."""
    row = view.port
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "network_id": row.network_id,
        "project_id": row.project_id,
        "tenant_id": row.project_id,
        "mac_address": row.mac,
        "admin_state_up": row.enabled,
        "status": "ACTIVE" if row.instance_id is not None else "DOWN",
        "device_id": row.instance_id or "",
        "device_owner": _owner(row),
        "fixed_ips": [{"subnet_id": each.subnet_id, "ip_address": each.ip} for each in view.addresses],
        "allowed_address_pairs": [
            {"ip_address": pair["ip"], "mac_address": pair.get("mac", row.mac)} for pair in row.allowed_pairs
        ],
        "extra_dhcp_opts": [],
        "security_groups": list(view.groups),
        "port_security_enabled": row.firewalled,
        "binding:vnic_type": "normal",
        "binding:profile": {},
        "tags": [],
        "revision_number": 0,
        "created_at": times.zoned(row.created_at),
        "updated_at": times.zoned(row.updated_at),
    }


def security_group(view: GroupView) -> Document:
    """A security group with its rules; a ready-made one has no project."""
    row = view.group
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "project_id": row.project_id or "",
        "tenant_id": row.project_id or "",
        "shared": row.shared,
        "stateful": True,
        "security_group_rules": [security_group_rule(rule) for rule in view.rules],
        "tags": [],
        "revision_number": row.revision,
        "created_at": times.zoned(row.created_at),
        "updated_at": times.zoned(row.updated_at),
    }


def security_group_rule(row: Rule) -> Document:
    """A rule of a security group."""
    return {
        "id": row.id,
        "security_group_id": row.group_id,
        "project_id": row.project_id or "",
        "tenant_id": row.project_id or "",
        "direction": row.direction,
        "ethertype": f"IPv{row.version}",
        "protocol": row.protocol,
        "port_range_min": row.port_min,
        "port_range_max": row.port_max,
        "remote_ip_prefix": row.remote_cidr,
        "normalized_cidr": security_groups.prefix(row.remote_cidr) if row.remote_cidr is not None else None,
        "remote_group_id": row.remote_group_id,
        "remote_address_group_id": None,
        "description": row.description,
        "tags": [],
        "revision_number": 0,
        "created_at": times.zoned(row.created_at),
        "updated_at": times.zoned(row.created_at),
    }


def floating_ip(view: FloatingView) -> Document:
    """A floating IP; it is active while the server that was named has the port that carries it."""
    row, fixed = view.floating, view.fixed
    return {
        "id": row.id,
        "description": row.description,
        "project_id": row.project_id,
        "tenant_id": row.project_id,
        "floating_network_id": view.port.network_id,
        "floating_ip_address": view.address.ip,
        "port_id": fixed.id if fixed is not None else None,
        "fixed_ip_address": view.fixed_ip,
        "port_details": _details(fixed) if fixed is not None else None,
        "router_id": None,
        "status": "ACTIVE" if view.port.instance_id is not None and not view.moving else "DOWN",
        "qos_policy_id": None,
        "dns_domain": "",
        "dns_name": "",
        "tags": [],
        "revision_number": 0,
        "created_at": times.zoned(row.created_at),
        "updated_at": times.zoned(row.updated_at),
    }


def _details(row: Port) -> Document:
    return {
        "name": row.name,
        "network_id": row.network_id,
        "mac_address": row.mac,
        "admin_state_up": row.enabled,
        "status": "ACTIVE" if row.instance_id is not None else "DOWN",
        "device_id": row.instance_id or "",
        "device_owner": _owner(row),
    }


def _owner(row: Port) -> str:
    if row.floating:
        return "network:floatingip"
    return "compute:nova" if row.instance_id is not None else ""
