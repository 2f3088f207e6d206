"""Moving servers between the nodes of their backend, for admins."""

from __future__ import annotations

from collections.abc import Sequence

from cloud import instances, policy, states
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from cloud.states import Action
from common.errors import Conflict, Invalid
from db import backends, jobs, nodes

#: disks that another node can reach, or has a copy of
_MOVABLE = frozenset({"drbd", "sharedfile", "gluster", "rbd", "ext", "blockdev", "diskless"})


def begin(cloud: Cloud, caller: Caller, instance_id: str, *, action: Action, target: str | None = None) -> None:
    """Begin to move a server to a node, or to one that Ganeti chooses. Raises NotFound, Invalid, Busy or Conflict.

    An evacuation needs the server's node marked offline in Ganeti: two nodes must never run one server.
    """
    policy.require(caller, Operation.SERVER_MIGRATE)
    with cloud.sessions.begin() as db:
        instance = instances.held(db, caller, instance_id)
        rule = states.check(action, state=instance.state, task=instance.task, what=f"server {instance_id}")
        backend = backends.get(db, instance.backend_id)
        if backend is None or backend.disk_template not in _MOVABLE:
            raise Invalid(f"{action}: the server's disk is on one node only, and can't be moved")
        known = nodes.of_backend(db, instance.backend_id)
        if target is not None and (target not in known or target == instance.node):
            raise Invalid(f"{action}: {target} is no other node of the server's backend")
        here = known.get(instance.node or "")
        if action is Action.EVACUATE and not (here is not None and here.offline):
            raise Conflict(f"the node of server {instance_id} is not marked offline in Ganeti")
        now = cloud.clock()
        spec = {"from": instance.node, "to": target, "lost": action is Action.EVACUATE}
        instances.add_job(db, instance, action=action, request_id=caller.request_id, now=now, caller=caller, spec=spec)
        instance.task = rule.task
        instance.updated_at = now
    cloud.wake()


def page(
    cloud: Cloud, caller: Caller, wanted: jobs.MoveFilter, *, limit: int, after: int | None = None
) -> Sequence[jobs.Job]:
    """List the moves and resizes of every project's servers, newest first; one statement."""
    policy.require(caller, Operation.MIGRATION_READ)
    with cloud.sessions.read() as db:
        return jobs.moves(db, wanted, limit=limit, after=after)
