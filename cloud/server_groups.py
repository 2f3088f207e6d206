"""Server groups, as their owners keep them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cloud import policy
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common import names
from common.errors import NotFound, QuotaExceeded
from db import server_groups
from db.server_groups import Policy, ServerGroup

#: groups that a project may have
MOST = 100


@dataclass(frozen=True)
class GroupView:
    """A group, and the ids of its live servers."""

    group: ServerGroup
    members: Sequence[str]


def create(cloud: Cloud, caller: Caller, *, name: str, policy_of: Policy) -> GroupView:
    """Make a group; raises QuotaExceeded."""
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        if server_groups.count(db, caller.project_id) >= MOST:
            raise QuotaExceeded(f"server groups: a project may have {MOST}")
        group = ServerGroup(
            id=names.new_id(),
            name=name,
            project_id=caller.project_id,
            policy=policy_of,
            created_at=cloud.clock(),
        )
        db.add(group)
    return GroupView(group, ())


def get(cloud: Cloud, caller: Caller, group_id: str) -> GroupView:
    """Give a group that the caller may see; raises NotFound."""
    with cloud.sessions.read() as db:
        group = visible(server_groups.get(db, group_id), caller, group_id)
        return GroupView(group, server_groups.members(db, [group_id]).get(group_id, ()))


def page(cloud: Cloud, caller: Caller, *, limit: int, offset: int, everybody: bool) -> Sequence[GroupView]:
    """List the project's groups, or, for an admin, every project's. Two statements."""
    if everybody:
        policy.require(caller, Operation.SERVER_READ_ALL)
    with cloud.sessions.read() as db:
        project_id = None if everybody else caller.project_id
        found = server_groups.page(db, project_id=project_id, limit=limit, offset=offset)
        members = server_groups.members(db, [group.id for group in found])
        return [GroupView(group, members.get(group.id, ())) for group in found]


def used(cloud: Cloud, project_id: str) -> int:
    """Count a project's groups."""
    with cloud.sessions.read() as db:
        return server_groups.count(db, project_id)


def delete(cloud: Cloud, caller: Caller, group_id: str) -> None:
    """Forget a group; its servers stay where they are. Raises NotFound."""
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        db.delete(visible(server_groups.lock(db, group_id), caller, group_id))


def visible(group: ServerGroup | None, caller: Caller, group_id: str) -> ServerGroup:
    """Give the group back if the caller may know of it; raises NotFound."""
    if group is None or not (caller.admin or group.project_id == caller.project_id):
        raise NotFound(f"there is no server group {group_id}")
    return group
