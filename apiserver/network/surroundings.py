"""What clients look for around networks: which extensions are served."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.network import models
from apiserver.network.resource import Document, Resource
from common.errors import NotFound

_UPDATED = "2026-01-01T00:00:00Z"
#: extensions of the Network API that are served, by alias
EXTENSIONS = {
    "external-net": ("Neutron external network", "Adds external network attribute to network resource"),
    "provider": ("Provider Network", "What a network is on the nodes, for operators"),
    "net-mtu": ("Network MTU", "Provides MTU attribute for a network resource"),
    "pagination": ("Pagination support", "Lists are paged by limit and marker"),
    "sorting": ("Sorting support", "Lists are sorted by sort_key and sort_dir"),
    "security-group": ("security-group", "Ports are in security groups, whose rules say what they let through"),
    "security-groups-normalized-cidr": ("Normalized CIDR", "Rules have normalized_cidr"),
    "security-groups-shared-filtering": ("Shared security groups", "Security groups can be filtered by shared"),
    "port-security": ("Port Security", "port_security_enabled says whether a port has security groups"),
    "allowed-address-pairs": ("Allowed Address Pairs", "Ports may send from addresses besides their own"),
    "port-security-groups-filtering": ("Port filtering by groups", "Ports can be filtered by security_groups"),
    "quotas": ("Quota management support", "The quotas of projects can be read and changed"),
    "quota_details": ("Quota details management support", "How much of the quotas is used can be read"),
    "project-id": ("project_id field enabled", "Resources have project_id"),
    "fip-port-details": (
        "Floating IP Port Details Extension",
        "Floating IPs tell of the port that was named",
    ),
    "standard-attr-timestamp": ("Resource timestamps", "Resources have created_at and updated_at"),
    "standard-attr-description": ("standard-attr-description", "Resources have a description"),
}


class Extensions(Resource):
    """What is served beyond the core."""

    @docs.operation(faults={401: "No valid token"})
    def get(self) -> flask.Response:
        """List the extensions."""
        return answers.json({"extensions": [_extension(alias) for alias in EXTENSIONS]})


class Extension(Resource):
    """One extension."""

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, alias: str) -> flask.Response:
        """Show an extension."""
        if alias not in EXTENSIONS:
            raise NotFound(f"there is no extension {alias}")
        return answers.json({"extension": _extension(alias)})


def _extension(alias: str) -> Document:
    name, description = EXTENSIONS[alias]
    return {"alias": alias, "name": name, "description": description, "updated": _UPDATED, "links": []}
