"""Nodes as hosts, in the form that older clients ask for; they are shown, and kept by Ganeti's operators."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.compute import models
from apiserver.compute.hypervisors import figures
from apiserver.compute.resource import Resource
from apiserver.compute.server_views import ZONE
from cloud import nodes
from common.errors import NotFound

_SERVICE = "compute"


class Hosts(Resource):
    """The nodes of every backend, as hosts."""

    @docs.operation(
        query={"zone": f"{ZONE}: there is no other", "service": f"{_SERVICE}: there is no other"},
        faults=models.LIST_FAULTS,
    )
    def get(self) -> flask.Response:
        """List the hosts."""
        found = nodes.all_nodes(self.cloud, self.caller)
        if self.args.get("zone") not in (None, "", ZONE) or self.args.get("service") not in (None, "", _SERVICE):
            found = ()
        listed = [{"host_name": view.node.name, "service": _SERVICE, "zone": ZONE} for view in found]
        return answers.json({"hosts": listed})


class Host(Resource):
    """One node, as a host."""

    @docs.operation(faults={401: "No valid token", 403: "For admins only", 404: "There is none"})
    def get(self, name: str) -> flask.Response:
        """Show what a host has, and what is in use of it."""
        for view in nodes.all_nodes(self.cloud, self.caller):
            if view.node.name == name:
                known = figures(view)
                rows = [
                    _row(name, "(total)", cpu=known["vcpus"], memory=known["memory_mb"], disk=known["local_gb"]),
                    _row(
                        name,
                        "(used_now)",
                        cpu=known["vcpus_used"],
                        memory=known["memory_mb_used"],
                        disk=known["local_gb_used"],
                    ),
                ]
                return answers.json({"host": rows})
        raise NotFound(f"there is no host {name}")


def _row(host: str, project: str, *, cpu: int, memory: int, disk: int) -> dict[str, dict[str, object]]:
    resource = {"host": host, "project": project, "cpu": cpu, "memory_mb": memory, "disk_gb": disk}
    return {"resource": resource}
