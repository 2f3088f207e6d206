"""Where servers run, for admins: nodes as hypervisors, as services and as hosts of zones; backends as aggregates."""

from __future__ import annotations

from collections.abc import Sequence

import flask
from werkzeug import exceptions

from apiserver import answers, docs, times, validation
from apiserver.compute import models
from apiserver.compute.resource import Resource
from apiserver.compute.server_views import ZONE
from cloud import backends, nodes, policy
from cloud.nodes import NodeView
from cloud.policy import Operation
from common.errors import NotFound
from db.backends import Backend

_FAULTS = {401: "No valid token", 403: "For admins only", 404: "There is none"}
_PAGE = {"limit": "How many, at most", "marker": "The id of the last one of the page before"}
_BINARY = "nova-compute"

Document = dict[str, object]


class _Listing(Resource):
    """What the two lists of hypervisors have in common."""

    def _list(self, *, detail: bool) -> flask.Response:
        page = self.page()
        marker = None if page.marker is None else validation.check_integer(page.marker, "marker")
        found = nodes.page(self.cloud, self.caller, limit=page.limit, marker=marker)
        documents = [_full(view) if detail else _brief(view) for view in found]
        return answers.json(self.listed("hypervisors", documents, page, [str(view.node.id) for view in found]))


class Hypervisors(_Listing):
    """The nodes of every backend."""

    @docs.operation(gives=models.HYPERVISORS, query=_PAGE, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List hypervisors by id and name."""
        return self._list(detail=False)


class HypervisorsInDetail(_Listing):
    """The nodes of every backend, with what is known of each."""

    @docs.operation(gives=models.HYPERVISORS, query=_PAGE, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List hypervisors in detail."""
        return self._list(detail=True)


class Hypervisor(Resource):
    """One node."""

    @docs.operation(faults=_FAULTS)
    def get(self, node_id: int) -> flask.Response:
        """Show a hypervisor."""
        return answers.json({"hypervisor": _full(nodes.get(self.cloud, self.caller, node_id))})


class HypervisorUptime(Resource):
    """How long a node has been up."""

    @docs.operation(faults={**_FAULTS, 501: "Ganeti does not tell"})
    def get(self, node_id: int) -> flask.Response:
        """Say that Ganeti does not tell: what clients take for an answer."""
        nodes.get(self.cloud, self.caller, node_id)
        raise exceptions.NotImplemented("Ganeti does not tell how long a node has been up")


class HypervisorSearch(Resource):
    """Nodes by a part of their names."""

    @docs.operation(gives=models.HYPERVISORS, faults=_FAULTS)
    def get(self, text: str) -> flask.Response:
        """List the hypervisors whose names contain a text."""
        return answers.json({"hypervisors": [_brief(view) for view in nodes.search(self.cloud, self.caller, text)]})


class HypervisorServers(Resource):
    """The servers on nodes."""

    @docs.operation(gives=models.HYPERVISORS, faults=_FAULTS)
    def get(self, text: str) -> flask.Response:
        """List the servers on the hypervisors whose names contain a text."""
        found = []
        for view, listed in nodes.servers(self.cloud, self.caller, text):
            servers = [{"uuid": server_id, "name": name} for server_id, name in listed]
            found.append({**_brief(view), **({"servers": servers} if servers else {})})
        return answers.json({"hypervisors": found})


class HypervisorStatistics(Resource):
    """All nodes together."""

    @docs.operation(faults={401: "No valid token", 403: "For admins only"})
    def get(self) -> flask.Response:
        """Sum up the hypervisors that are up."""
        found = [figures(view) for view in nodes.all_nodes(self.cloud, self.caller) if view.up]
        keys = _NO_FIGURES.keys()
        return answers.json(
            {"hypervisor_statistics": {"count": len(found), **{key: sum(one[key] for one in found) for key in keys}}}
        )


class Services(Resource):
    """What keeps servers running."""

    @docs.operation(
        query={"binary": f"{_BINARY}: there is no other", "host": "A node's name"},
        faults=models.LIST_FAULTS,
    )
    def get(self) -> flask.Response:
        """List the services: one for each node, up when Ganeti was reached lately and reaches the node."""
        host, binary = self.args.get("host"), self.args.get("binary")
        found = nodes.all_nodes(self.cloud, self.caller)
        if binary not in (None, "", _BINARY):
            found = ()
        return answers.json({"services": [_service(view) for view in found if host in (None, "", view.node.name)]})


class Aggregates(Resource):
    """Backends, as groups of hosts."""

    @docs.operation(faults={401: "No valid token", 403: "For admins only"})
    def get(self) -> flask.Response:
        """List the aggregates: one for each backend."""
        found = nodes.all_nodes(self.cloud, self.caller)
        rows = backends.all_backends(self.cloud)
        return answers.json({"aggregates": [_aggregate(row, found) for row in rows]})


class Aggregate(Resource):
    """One backend, as a group of hosts."""

    @docs.operation(faults=_FAULTS)
    def get(self, aggregate_id: int) -> flask.Response:
        """Show an aggregate."""
        found = nodes.all_nodes(self.cloud, self.caller)
        for row in backends.all_backends(self.cloud):
            if row.id == aggregate_id:
                return answers.json({"aggregate": _aggregate(row, found)})
        raise NotFound(f"there is no aggregate {aggregate_id}")


class ZonesInDetail(Resource):
    """Availability zones, for admins."""

    @docs.operation(faults={401: "No valid token", 403: "For admins only"})
    def get(self) -> flask.Response:
        """List the availability zones with their hosts."""
        policy.require(self.caller, Operation.ZONE_READ_DETAIL)
        hosts = {
            view.node.name: {
                _BINARY: {
                    "available": view.up,
                    "active": view.takes_instances,
                    "updated_at": times.bare(view.seen_at),
                }
            }
            for view in nodes.all_nodes(self.cloud, self.caller)
        }
        zone = {"zoneName": ZONE, "zoneState": {"available": True}, "hosts": hosts}
        return answers.json({"availabilityZoneInfo": [zone]})


_NO_FIGURES = {
    "vcpus": 0,
    "vcpus_used": 0,
    "memory_mb": 0,
    "memory_mb_used": 0,
    "free_ram_mb": 0,
    "local_gb": 0,
    "local_gb_used": 0,
    "free_disk_gb": 0,
    "disk_available_least": 0,
    "running_vms": 0,
    "current_workload": 0,
}


def figures(view: NodeView) -> dict[str, int]:
    """Sizes in MiB and GiB: memory and disk are Ganeti's word for the node, CPUs in use are our servers' own."""
    node = view.node
    free = node.disk_free // 1024
    return {
        **_NO_FIGURES,
        "vcpus": node.cpus,
        "vcpus_used": view.guests.vcpus,
        "memory_mb": node.memory_total,
        "memory_mb_used": node.memory_total - node.memory_free,
        "free_ram_mb": node.memory_free,
        "local_gb": node.disk_total // 1024,
        "local_gb_used": node.disk_total // 1024 - free,
        "free_disk_gb": free,
        "disk_available_least": free,
        "running_vms": node.instances,
    }


def _brief(view: NodeView) -> Document:
    return {
        "id": view.node.id,
        "hypervisor_hostname": view.node.name,
        "state": "up" if view.up else "down",
        "status": "enabled" if view.takes_instances else "disabled",
    }


def _full(view: NodeView) -> Document:
    return {
        **_brief(view),
        **figures(view),
        "hypervisor_type": "ganeti",
        "hypervisor_version": _version(view.backend.version),
        "host_ip": view.node.ip,
        # what kind of CPU it is, Ganeti does not tell
        "cpu_info": "",
        "service": {"id": view.node.id, "host": view.node.name, "disabled_reason": _reason(view)},
    }


def _service(view: NodeView) -> Document:
    return {
        "id": view.node.id,
        "binary": _BINARY,
        "host": view.node.name,
        "zone": ZONE,
        "status": "enabled" if view.takes_instances else "disabled",
        "state": "up" if view.up else "down",
        "updated_at": times.bare(view.seen_at),
        "disabled_reason": _reason(view),
    }


def _aggregate(row: Backend, found: Sequence[NodeView]) -> Document:
    return {
        "id": row.id,
        "name": row.name,
        "availability_zone": ZONE,
        "hosts": [view.node.name for view in found if view.node.backend_id == row.id],
        "metadata": {"availability_zone": ZONE},
        "created_at": times.bare(row.created_at),
        "updated_at": times.bare(row.refreshed_at),
        "deleted": False,
        "deleted_at": None,
    }


def _reason(view: NodeView) -> str | None:
    reasons = (
        (view.backend.offline, "the backend is offline"),
        (view.backend.drained, "the backend is drained"),
        (view.node.offline, "the node is offline"),
        (view.node.drained, "the node is drained"),
    )
    return next((text for holds, text in reasons if holds), None)


def _version(text: str | None) -> int:
    """Write Ganeti's version as one number: 3.0.2 is 3000002."""
    numbers = [int(part) for part in (text or "").split("~")[0].split(".") if part.isdigit()][:3]
    return sum(number * weight for number, weight in zip(numbers, (1_000_000, 1_000, 1), strict=False))
