"""Security groups, as their owners keep them; a project's default one is made by whoever first needs it.

The ready-made ones belong to no project: everybody uses them, and nobody changes them.
Lock order: quota usage, group, then what comes after (networks, subnets, ports).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from cloud import policy, quotas
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common import names
from common.errors import Conflict, Forbidden, Invalid, NotFound
from db import security_groups as rows
from db.quotas import Resource
from db.security_groups import DEFAULT, Direction, Filter, Rule, SecurityGroup
from db.sorting import Order

#: the ready-made ones, which are the firewall profiles of Cyclades
FIREWALL_DISABLED = "00000000-0000-4000-8000-0000000000f1"
FIREWALL_ENABLED = "00000000-0000-4000-8000-0000000000f2"
FIREWALL_PROTECTED = "00000000-0000-4000-8000-0000000000f3"

#: groups that a port may have
MOST_OF_A_PORT = 20


@dataclass(frozen=True)
class GroupSpec:
    """A new group: everything is let out, and nothing in."""

    name: str = ""
    description: str = ""


@dataclass(frozen=True)
class GroupChange:
    """What an update changes; None leaves a thing as it is."""

    name: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class GroupView:
    """A group with its rules."""

    group: SecurityGroup
    rules: Sequence[Rule]


def create(cloud: Cloud, caller: Caller, specs: Sequence[GroupSpec]) -> Sequence[GroupView]:
    """Make groups, all or none; raises Conflict for the name `default`, QuotaExceeded."""
    policy.require(caller, Operation.SECURITY_GROUP_WRITE)
    with cloud.sessions.begin() as db:
        default(db, cloud, caller.project_id)
        if any(spec.name == DEFAULT for spec in specs):
            raise Conflict(f"name: every project has its group {DEFAULT} already")
        amounts = {Resource.SECURITY_GROUPS: len(specs), Resource.SECURITY_GROUP_RULES: 2 * len(specs)}
        quotas.reserve(db, cloud.settings, project_id=caller.project_id, amounts=amounts)
        return [_insert(db, cloud.clock(), caller.project_id, spec) for spec in specs]


def get(cloud: Cloud, caller: Caller, group_id: str) -> GroupView:
    """Give a group that the caller may see; raises NotFound."""
    policy.require(caller, Operation.SECURITY_GROUP_READ)
    with cloud.sessions.read() as db:
        group = visible(rows.get(db, group_id), caller, group_id)
        return GroupView(group, rows.rules_of_groups(db, [group_id]).get(group_id, ()))


def page(
    cloud: Cloud, caller: Caller, wanted: Filter, *, limit: int, marker: str | None = None, orders: Sequence[Order] = ()
) -> Sequence[GroupView]:
    """List groups that the caller may see, after the one with the id `marker`; raises Invalid if there is none."""
    policy.require(caller, Operation.SECURITY_GROUP_READ)
    if not policy.allows(caller.roles, Operation.SECURITY_GROUP_READ_ALL):
        wanted = replace(wanted, project_id=caller.project_id)
    ensure_default(cloud, caller)
    with cloud.sessions.read() as db:
        after = None
        if marker is not None:
            try:
                after = visible(rows.get(db, marker), caller, marker)
            except NotFound as err:
                raise Invalid(f"marker: {err}") from err
        found = rows.page(db, wanted, limit=limit, orders=orders, after=after)
        rules = rows.rules_of_groups(db, [group.id for group in found])
        return [GroupView(group, rules.get(group.id, ())) for group in found]


def of_servers(cloud: Cloud, instance_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Tell the names of the groups of instances that the caller was found to see, by instance; one statement."""
    if not instance_ids:
        return {}
    with cloud.sessions.read() as db:
        found = rows.of_instances(db, instance_ids)
        return {instance_id: [group.name for group in groups] for instance_id, groups in found.items()}


def names_of(cloud: Cloud, group_ids: Sequence[str]) -> Mapping[str, str]:
    """Tell the names of groups that rules, which the caller was found to see, have as their remotes."""
    if not group_ids:
        return {}
    with cloud.sessions.read() as db:
        return rows.group_names(db, group_ids)


def update(cloud: Cloud, caller: Caller, group_id: str, change: GroupChange) -> GroupView:
    """Change a group's name or description; raises NotFound, Forbidden, or Conflict for the name `default`."""
    policy.require(caller, Operation.SECURITY_GROUP_WRITE)
    with cloud.sessions.begin() as db:
        group = writable(rows.lock(db, group_id), caller, group_id)
        if change.name is not None and change.name != group.name:
            if group.is_default:
                raise Conflict(f"security group {group_id} is the project's default one, and keeps its name")
            if change.name == DEFAULT:
                raise Conflict(f"name: every project has its group {DEFAULT} already")
            group.name = change.name
        if change.description is not None:
            group.description = change.description
        changed(group, cloud.clock())
        return GroupView(group, rows.rules_of_groups(db, [group_id]).get(group_id, ()))


def delete(cloud: Cloud, caller: Caller, group_id: str) -> None:
    """Delete a group with its rules, and with those of others that name it as their remote.

    Raises NotFound, Forbidden, or Conflict for the default one and while a port has it.
    """
    policy.require(caller, Operation.SECURITY_GROUP_WRITE)
    with cloud.sessions.begin() as db:
        project_id = writable(rows.get(db, group_id), caller, group_id).project_id or ""
        quotas.hold(db, project_id)
        group = writable(rows.lock_whole(db, group_id), caller, group_id)
        if group.is_default:
            raise Conflict(f"security group {group_id} is the project's default one, and stays")
        if rows.in_use(db, group_id):
            raise Conflict(f"security group {group_id} is in use by ports")
        rules = rows.rules_naming(db, group_id)
        for resource, amount in ((Resource.SECURITY_GROUPS, 1), (Resource.SECURITY_GROUP_RULES, len(rules))):
            quotas.count_down(db, project_id=project_id, resource=resource, amount=amount)
        # no port has the group, so that nobody gets through by what goes with it
        for rule in rules:
            db.delete(rule)
        db.flush()
        db.delete(group)


def ensure_default(cloud: Cloud, caller: Caller) -> None:
    """Make the default group of the caller's project, if it is not there yet."""
    if not caller.project_id:
        return
    with cloud.sessions.read() as db:
        if rows.default_of(db, caller.project_id) is not None:
            return
    with cloud.sessions.begin() as db:
        default(db, cloud, caller.project_id)


def default(db: Session, cloud: Cloud, project_id: str) -> SecurityGroup:
    """Give a project's default group, made here if it is not there yet: in that case the usage rows are held."""
    found = rows.default_of(db, project_id)
    if found is not None:
        return found
    quotas.hold(db, project_id)  # whoever else makes it does so before or after
    found = rows.default_of(db, project_id)
    if found is not None:
        return found
    quotas.count_up(db, project_id=project_id, resource=Resource.SECURITY_GROUPS)
    quotas.count_up(db, project_id=project_id, resource=Resource.SECURITY_GROUP_RULES, amount=4)
    now = cloud.clock()
    view = _insert(db, now, project_id, GroupSpec(DEFAULT, "Default security group"), is_default=True)
    for version in (4, 6):
        db.add(_rule(view.group, Direction.INGRESS, version, now, remote_group_id=view.group.id))
    db.flush()
    return view.group


def chosen(
    db: Session, cloud: Cloud, project_id: str, wanted: Sequence[str] | None, *, by_name: bool = False
) -> Sequence[SecurityGroup]:
    """Give the groups that a project's port is to be in, by their ids, or names; the default one without a word.

    They stay until the transaction ends. Raises NotFound, or Conflict for a name that several have.
    """
    if by_name and DEFAULT in (wanted or ()):
        default(db, cloud, project_id)
    known, found = rows.for_use(db, project_id, wanted or (), by_name=by_name)
    if wanted is None:
        return [known or default(db, cloud, project_id)]
    groups = {(group := _named(found, word, by_name=by_name)).id: group for word in wanted}
    if len(groups) > MOST_OF_A_PORT:
        raise Invalid(f"security_groups: {MOST_OF_A_PORT} at most")
    return list(groups.values())


def visible(group: SecurityGroup | None, caller: Caller, group_id: str) -> SecurityGroup:
    """Give the group back if the caller may know of it; raises NotFound."""
    if group is None or not (
        group.shared
        or group.project_id == caller.project_id
        or policy.allows(caller.roles, Operation.SECURITY_GROUP_READ_ALL)
    ):
        raise NotFound(f"there is no security group {group_id}")
    return group


def writable(group: SecurityGroup | None, caller: Caller, group_id: str) -> SecurityGroup:
    """Give the group back if the caller may change it; raises NotFound, or Forbidden for a ready-made one."""
    found = visible(group, caller, group_id)
    if found.project_id is None:
        raise Forbidden(f"security group {group_id} is ready-made, and everybody's: it stays as it is")
    return found


def changed(group: SecurityGroup, now: datetime) -> None:
    """Note that a held group, or a rule of it, is not what it was."""
    group.revision += 1
    group.updated_at = now


def _named(found: Sequence[SecurityGroup], word: str, *, by_name: bool) -> SecurityGroup:
    for group in found:
        if group.id == word:
            return group
    named = [group for group in found if group.name == word] if by_name else []
    # a project's own hide the ready-made ones
    candidates = [group for group in named if group.project_id is not None] or named
    if not candidates:
        raise NotFound(f"there is no security group {word}")
    if len(candidates) > 1:
        raise Conflict(f"security_groups: several are called {word}; say which by its id")
    return candidates[0]


def _insert(db: Session, now: datetime, project_id: str, spec: GroupSpec, *, is_default: bool = False) -> GroupView:
    group = SecurityGroup(
        id=names.new_id(),
        project_id=project_id,
        name=spec.name,
        description=spec.description,
        shared=False,
        is_default=is_default,
        created_at=now,
        updated_at=now,
        revision=0,
    )
    db.add(group)
    db.flush()
    rules = [_rule(group, Direction.EGRESS, version, now) for version in (4, 6)]
    db.add_all(rules)
    db.flush()
    return GroupView(group, rules)


def _rule(
    group: SecurityGroup, direction: Direction, version: int, now: datetime, *, remote_group_id: str | None = None
) -> Rule:
    return Rule(
        id=names.new_id(),
        group_id=group.id,
        project_id=group.project_id,
        direction=direction,
        version=version,
        remote_group_id=remote_group_id,
        description="",
        created_at=now,
    )
