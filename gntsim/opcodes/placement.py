"""Where an instance can go: what hail would choose, and what Ganeti refuses."""

from gntsim import cluster, objects
from gntsim.opcodes import base

MOVABLE = frozenset({"diskless", "sharedfile", "rbd", "ext", "blockdev", "gluster", "drbd"})


def choose(state: cluster.Cluster, *, memory: int, disk: int, exclude: frozenset[str] = frozenset()) -> objects.Node:
    """The node with the most free memory that can hold so much; MiB."""
    reasons: dict[str, int] = {}
    best: tuple[int, str] | None = None
    for node in state.nodes.values():
        if node.uuid in exclude or node.offline or node.drained or not node.alive:
            continue
        usage = state.usage[node.uuid]
        free = node.memory - node.reserved - usage.memory
        if free < memory:
            reasons["FailMem"] = reasons.get("FailMem", 0) + 1
            continue
        if node.disk - usage.disk < disk:
            reasons["FailDisk"] = reasons.get("FailDisk", 0) + 1
            continue
        best = max(best, (free, node.uuid)) if best else (free, node.uuid)
    if best is not None:
        return state.nodes[best[1]]
    group = state.default_group()
    listed = ", ".join(f"{reason}: {count}" for reason, count in sorted(reasons.items())) or "FailN1: 1"
    raise base.PrereqError(
        f"Can't compute nodes using iallocator 'hail': Request failed: Group {group.name} ({group.alloc_policy}): "
        f"No valid allocation solutions, failure reasons: {listed}",
        "insufficient_resources",
    )


def named(state: cluster.Cluster, name: str) -> objects.Node:
    node = state.node(name.lower())
    if node is None:
        raise base.PrereqError(f"Node '{name}' not known", "unknown_entity")
    return node


def require_usable(node: objects.Node) -> None:
    """Refuse a primary node that the operator took out of service."""
    if node.offline:
        raise base.PrereqError(f"Cannot use offline primary node '{node.name}'", "wrong_state")
    if node.drained:
        raise base.PrereqError(f"Cannot use drained primary node '{node.name}'", "wrong_state")


def require_alive(node: objects.Node) -> None:
    """Fail as an RPC to a dead node does."""
    if not node.alive:
        raise base.ExecError(
            f"Can't get data for node {node.name}: Error 7: Failed to connect to {node.ip} port 1811 "
            "after 3069 ms: Couldn't connect to server"
        )


def require_memory(state: cluster.Cluster, node: objects.Node, *, needed: int, reason: str) -> None:
    available = state.memory_free(node)
    if available < needed:
        raise base.PrereqError(
            f"Not enough memory on node {node.name} for {reason}: needed {needed} MiB, available {available} MiB",
            "insufficient_resources",
        )
