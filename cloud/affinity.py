"""Where a create may go that names a group or other servers: a node is chosen here, and Ganeti is told which.

A node is where Ganeti last said that a server is, or the one that was chosen for it. What operators, or Ganeti itself,
move later is moved: the rule holds for the create.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from cloud import capacity, placement, server_groups
from cloud.context import Caller, Cloud
from common.errors import Conflict, Invalid, NotFound, Unavailable
from db import backends, instances, nodes
from db import server_groups as group_rows
from db.server_groups import Place, Policy

#: Ganeti wants a second node too with this one, which only its allocator can choose well
_MIRRORED = "drbd"


@dataclass(frozen=True)
class Hints:
    """What a create says about other servers."""

    group_id: str | None = None
    same_host: tuple[str, ...] = ()
    different_host: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.group_id or self.same_host or self.different_host)


@dataclass(frozen=True)
class Spot:
    """A node with its free room, in MiB."""

    place: Place
    memory: int
    disk: int


@dataclass(frozen=True)
class Wish:
    """The rule for the next server: where it must be, must not be, and had better be or not be."""

    only: frozenset[Place] | None = None
    never: frozenset[Place] = frozenset()
    near: frozenset[Place] = frozenset()
    away: frozenset[Place] = frozenset()


def choose(spots: Sequence[Spot], wish: Wish, need: placement.Need) -> Spot | None:
    """Give the fitting spot that a rule allows, the wished for first, then the emptiest; None if there is none."""
    fitting = [
        spot
        for spot in spots
        if spot.memory >= need.memory
        and spot.disk >= need.disk
        and (wish.only is None or spot.place in wish.only)
        and spot.place not in wish.never
    ]
    return max(
        fitting,
        key=lambda spot: (spot.place in wish.near, spot.place not in wish.away, spot.memory, spot.place),
        default=None,
    )


def places(db: Session, cloud: Cloud, caller: Caller, *, hints: Hints, need: placement.Need, count: int) -> list[Place]:
    """Choose a node for each of several servers; the group is held until the transaction ends.

    Raises Invalid for a group or a server that there is not, Conflict for one whose node is not known yet,
    Unavailable when no node keeps the rule.
    """
    policy, members = _group(db, caller, hints.group_id)
    taken = _known(db, members, "group")
    wish = _wish_of_hosts(db, caller, hints)
    spots = {spot.place: spot for spot in _spots(db, cloud)}
    chosen: list[Place] = []
    for _ in range(count):
        spot = choose(list(spots.values()), _with(wish, policy, [*taken, *chosen]), need)
        if spot is None:
            rule = f"{policy} of server group {hints.group_id}" if policy else "same_host and different_host"
            raise Unavailable(f"no node has the room and keeps to {rule}")
        chosen.append(spot.place)
        spots[spot.place] = replace(spot, memory=spot.memory - need.memory, disk=spot.disk - need.disk)
    return chosen


def keep(db: Session, instance_id: str, *, node: str, hints: Hints) -> None:
    """Record where an instance is to be, and that it is of its group."""
    db.add(group_rows.Pin(instance_id=instance_id, node=node))
    if hints.group_id is not None:
        db.add(group_rows.Member(instance_id=instance_id, group_id=hints.group_id))


def _with(wish: Wish, policy: Policy | None, taken: Collection[Place]) -> Wish:
    """Add a group's policy to a rule."""
    found = frozenset(taken)
    if policy is Policy.ANTI_AFFINITY:
        return replace(wish, never=wish.never | found)
    if policy is Policy.AFFINITY and found:
        return replace(wish, only=found if wish.only is None else wish.only & found)
    if policy is Policy.SOFT_AFFINITY:
        return replace(wish, near=found)
    return replace(wish, away=found) if policy is Policy.SOFT_ANTI_AFFINITY else wish


def _group(db: Session, caller: Caller, group_id: str | None) -> tuple[Policy | None, Sequence[str]]:
    if group_id is None:
        return None, ()
    try:
        group = server_groups.visible(group_rows.lock(db, group_id), caller, group_id)
    except NotFound as err:
        raise Invalid(f"group: {err}") from err
    if group.project_id != caller.project_id:
        raise Invalid(f"group: server group {group_id} is of another project")
    return group.policy, group_rows.members(db, [group_id]).get(group_id, ())


def _wish_of_hosts(db: Session, caller: Caller, hints: Hints) -> Wish:
    for instance_id in (*hints.same_host, *hints.different_host):
        row = instances.get(db, instance_id)
        if row is None or row.deleted_at is not None or row.project_id != caller.project_id:
            raise Invalid(f"scheduler hints: there is no server {instance_id}")
    only = frozenset(_known(db, hints.same_host, "same_host")) if hints.same_host else None
    return Wish(only=only, never=frozenset(_known(db, hints.different_host, "different_host")))


def _known(db: Session, instance_ids: Sequence[str], what: str) -> list[Place]:
    found: Mapping[str, Place | None] = group_rows.places(db, instance_ids) if instance_ids else {}
    known = []
    for instance_id, place in found.items():
        if place is None:
            raise Conflict(f"{what}: the node of server {instance_id} is not known yet")
        known.append(place)
    return known


def _spots(db: Session, cloud: Cloud) -> list[Spot]:
    rooms = {room.backend_id for room in capacity.rooms(db, cloud)}
    mirrored = {row.id for row in backends.all_backends(db) if row.disk_template == _MIRRORED}
    return [
        Spot((node.backend_id, node.name), memory=node.memory_free, disk=node.disk_free)
        for node in nodes.all_nodes(db)
        if node.backend_id in rooms - mirrored and not node.offline and not node.drained
    ]
