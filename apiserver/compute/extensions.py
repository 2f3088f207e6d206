"""Extensions: the names of what this Compute API serves beyond its core, as data."""

from __future__ import annotations

from dataclasses import dataclass

import flask

from apiserver import answers, docs
from apiserver.compute import models
from apiserver.compute.resource import Resource
from common.errors import NotFound

_NAMESPACE = "http://docs.openstack.org/compute/ext/fake_xml"
_UPDATED = "2014-12-03T00:00:00Z"


@dataclass(frozen=True)
class Known:
    """An extension that is served."""

    alias: str
    name: str
    description: str


EXTENSIONS = (
    Known("OS-DCF", "DiskConfig", "Disk configuration of servers."),
    Known("OS-EXT-AZ", "ExtendedAvailabilityZone", "The availability zone of servers."),
    Known("OS-EXT-IMG-SIZE", "ImageSize", "The size of images."),
    Known("OS-EXT-IPS", "ExtendedIps", "The kind of each address."),
    Known("OS-EXT-IPS-MAC", "ExtendedIpsMac", "The MAC address of each address."),
    Known("OS-EXT-SRV-ATTR", "ExtendedServerAttributes", "Where servers run, for admins."),
    Known("OS-EXT-STS", "ExtendedStatus", "The state, task and power state of servers."),
    Known("OS-FLV-DISABLED", "FlavorDisabled", "Whether flavors are disabled."),
    Known("OS-FLV-EXT-DATA", "FlavorExtraData", "The ephemeral disk of flavors."),
    Known("OS-SRV-USG", "ServerUsage", "When servers were launched and ended."),
    Known("os-aggregates", "Aggregates", "Backends as groups of hosts, for admins."),
    Known("os-attach-interfaces", "AttachInterfaces", "Interfaces that servers are given, or lose, later on."),
    Known("os-availability-zone", "AvailabilityZone", "Availability zones."),
    Known("os-consoles", "Consoles", "Consoles of servers: screens by VNC, and serial ports."),
    Known("os-deferred-delete", "DeferredDelete", "Deleted servers that can be restored."),
    Known("os-flavor-access", "FlavorAccess", "Which projects flavors are open to."),
    Known("os-flavor-extra-specs", "FlavorExtraSpecs", "What flavors have beyond their sizes."),
    Known("os-flavor-manage", "FlavorManage", "Making and removing flavors, for admins."),
    Known("os-flavor-rxtx", "FlavorRxtx", "The bandwidth factor of flavors."),
    Known("os-flavor-swap", "FlavorSwap", "The swap space of flavors."),
    Known("os-floating-ip-pools", "FloatingIpPools", "The networks that floating IPs are taken of."),
    Known("os-floating-ips", "FloatingIps", "Addresses that a project keeps, and gives to its servers."),
    Known("os-hosts", "Hosts", "The nodes of every backend as hosts, for admins."),
    Known("os-hypervisors", "Hypervisors", "The nodes of every backend, for admins."),
    Known("os-instance-actions", "InstanceActions", "What was done to servers."),
    Known("os-keypairs", "Keypairs", "SSH public keys."),
    Known("os-migrations", "Migrations", "The moves and resizes of servers, for admins."),
    Known("os-multiple-create", "MultipleCreate", "Several servers by one request."),
    Known("os-networks", "Networks", "Networks as the Compute API showed them before there was a Network API."),
    Known("os-quota-sets", "Quotas", "Quotas of projects."),
    Known("os-remote-consoles", "Consoles", "Consoles of servers, by protocol and type."),
    Known("os-rescue", "Rescue", "Booting servers from a rescue system."),
    Known("os-scheduler-hints", "SchedulerHints", "Servers near to or far from others."),
    Known("os-security-groups", "SecurityGroups", "What ports of servers let through, by groups of rules."),
    Known("os-server-groups", "ServerGroups", "Servers that are to share a node, or not to."),
    Known("os-server-password", "ServerPassword", "Passwords that guests make for themselves; none does."),
    Known("os-server-start-stop", "ServerStartStop", "Starting and stopping servers."),
    Known("os-services", "Services", "What keeps servers running, for admins."),
    Known("os-simple-tenant-usage", "SimpleTenantUsage", "What projects used within a period."),
    Known("os-tenant-networks", "TenantNetworks", "The networks that a project may use."),
    Known("os-used-limits", "UsedLimits", "How much of the limits is used."),
)
_BY_ALIAS = {extension.alias: extension for extension in EXTENSIONS}


class Extensions(Resource):
    """What is served beyond the core."""

    @docs.operation(gives=models.EXTENSIONS, faults={401: "No valid token"})
    def get(self) -> flask.Response:
        """List the extensions."""
        return answers.json({"extensions": [_view(extension) for extension in EXTENSIONS]})


class Extension(Resource):
    """One extension."""

    @docs.operation(gives=models.EXTENSION, faults=models.LOOK_FAULTS)
    def get(self, alias: str) -> flask.Response:
        """Show an extension."""
        if alias not in _BY_ALIAS:
            raise NotFound(f"there is no extension {alias}")
        return answers.json({"extension": _view(_BY_ALIAS[alias])})


def _view(extension: Known) -> dict[str, object]:
    return {
        "alias": extension.alias,
        "name": extension.name,
        "description": extension.description,
        "namespace": _NAMESPACE,
        "updated": _UPDATED,
        "links": [],
    }
