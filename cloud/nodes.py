"""Nodes, as admins look at them: where instances run, and what is known of each machine. Ganeti is not asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from cloud import policy
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common.errors import Invalid, NotFound
from db import backends, nodes
from db.backends import Backend
from db.nodes import Guests, Node


@dataclass(frozen=True)
class NodeView:
    """A node, its backend, and what our instances have there."""

    node: Node
    backend: Backend
    guests: Guests
    #: Ganeti was reached lately, and says that it reaches the node
    up: bool

    @property
    def takes_instances(self) -> bool:
        """Whether an operator lets new instances come here."""
        return not (self.node.drained or self.node.offline or self.backend.drained or self.backend.offline)

    @property
    def seen_at(self) -> datetime | None:
        return self.backend.refreshed_at


def page(cloud: Cloud, caller: Caller, *, limit: int, marker: int | None = None) -> Sequence[NodeView]:
    """List nodes by id, after the one with the id `marker`; raises Invalid if there is none. Four statements."""
    policy.require(caller, Operation.NODE_READ)
    with cloud.sessions.read() as db:
        if marker is not None and nodes.get(db, marker) is None:
            raise Invalid(f"marker: there is no hypervisor {marker}")
        return _views(db, cloud, nodes.page(db, limit=limit, after=marker or 0))


def all_nodes(cloud: Cloud, caller: Caller) -> Sequence[NodeView]:
    """List every node. Three statements."""
    policy.require(caller, Operation.NODE_READ)
    with cloud.sessions.read() as db:
        return _views(db, cloud, nodes.all_nodes(db))


def get(cloud: Cloud, caller: Caller, node_id: int) -> NodeView:
    """Give a node; raises NotFound."""
    policy.require(caller, Operation.NODE_READ)
    with cloud.sessions.read() as db:
        node = nodes.get(db, node_id)
        if node is None:
            raise NotFound(f"there is no hypervisor {node_id}")
        return _views(db, cloud, [node])[0]


def search(cloud: Cloud, caller: Caller, text: str) -> Sequence[NodeView]:
    """List the nodes whose names contain a text; raises NotFound if there are none."""
    policy.require(caller, Operation.NODE_READ)
    with cloud.sessions.read() as db:
        found = _views(db, cloud, nodes.like(db, text))
    if not found:
        raise NotFound(f"there is no hypervisor whose name has {text!r}")
    return found


def servers(cloud: Cloud, caller: Caller, text: str) -> Sequence[tuple[NodeView, Sequence[tuple[str, str]]]]:
    """List (id, Ganeti name) of our instances on each node whose name contains a text; raises NotFound."""
    found = search(cloud, caller, text)
    with cloud.sessions.read() as db:
        listed = nodes.servers(db, [view.node for view in found])
    return [(view, listed.get((view.node.backend_id, view.node.name), ())) for view in found]


# Any: a node is the JSON document that RAPI gives
def keep(db: Session, backend_id: int, documents: Sequence[Mapping[str, Any]]) -> None:
    """Record a backend's nodes as Ganeti has them now; those that it has no longer are forgotten."""
    known = dict(nodes.of_backend(db, backend_id))
    for document in documents:
        if document.get("vm_capable") is False:
            continue
        name = str(document["name"])
        row = known.pop(name, None)
        if row is None:
            row = Node(backend_id=backend_id, name=name)
            db.add(row)
        row.ip = document.get("pip")
        row.memory_total = _number(document, "mtotal")
        row.memory_free = _number(document, "mfree")
        row.disk_total = _number(document, "dtotal")
        row.disk_free = _number(document, "dfree")
        row.cpus = _number(document, "ctotal")
        row.instances = _number(document, "pinst_cnt")
        row.offline = bool(document.get("offline"))
        row.drained = bool(document.get("drained"))
    for gone in known.values():
        db.delete(gone)


def _views(db: Session, cloud: Cloud, found: Sequence[Node]) -> list[NodeView]:
    oldest = cloud.clock() - timedelta(seconds=cloud.settings.capacity_age)
    by_id = {backend.id: backend for backend in backends.all_backends(db)}
    guests = nodes.guests(db)
    return [
        NodeView(
            node=node,
            backend=by_id[node.backend_id],
            guests=guests.get((node.backend_id, node.name), Guests()),
            up=_is_up(node, by_id[node.backend_id], oldest),
        )
        for node in found
    ]


def _is_up(node: Node, backend: Backend, oldest: datetime) -> bool:
    fresh = backend.refreshed_at is not None and backend.refreshed_at >= oldest
    # a node that Ganeti can't reach has no figures
    return fresh and not backend.offline and not node.offline and node.memory_total > 0


def _number(document: Mapping[str, Any], key: str) -> int:
    return int(document.get(key) or 0)
