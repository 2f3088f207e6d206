"""Flavors, as callers see and admins keep them: their sizes, extra specs, and the projects they are open to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cloud import policy
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common import names
from common.errors import Conflict, Invalid, NotFound
from db import flavors, projects, sorting
from db.flavors import Access, Flavor
from db.sorting import Order

#: what lists can be sorted by, by the names that clients use
SORT_KEYS: Mapping[str, sorting.Column] = {
    "flavorid": Flavor.id,
    "id": Flavor.id,
    "name": Flavor.name,
    "vcpus": Flavor.vcpus,
    "memory_mb": Flavor.ram,
    "root_gb": Flavor.disk,
    "swap": Flavor.swap,
    "rxtx_factor": Flavor.rxtx_factor,
    "is_public": Flavor.public,
    "created_at": Flavor.created_at,
}


@dataclass(frozen=True)
class FlavorSpec:
    """A new flavor; memory and swap in MiB, disk in GiB."""

    id: str
    name: str
    vcpus: int
    ram: int
    disk: int
    public: bool = True
    swap: int = 0
    rxtx_factor: float = 1.0


def get(cloud: Cloud, caller: Caller, flavor_id: str) -> Flavor:
    """Give a flavor that the caller may use; raises NotFound."""
    policy.require(caller, Operation.FLAVOR_READ)
    with cloud.sessions.read() as db:
        return _visible(db, caller, flavor_id)


def page(
    cloud: Cloud,
    caller: Caller,
    *,
    limit: int,
    orders: Sequence[Order] = (),
    marker: str | None = None,
    public: bool | None = True,
    min_ram: int = 0,
    min_disk: int = 0,
) -> Sequence[Flavor]:
    """List flavors, by id unless told otherwise; raises Invalid for an unknown marker.

    Only admins see those that are neither public nor open to their project.
    """
    policy.require(caller, Operation.FLAVOR_READ)
    all_of_them = policy.allows(caller.roles, Operation.FLAVOR_READ_ALL)
    with cloud.sessions.read() as db:
        after = None
        if marker is not None:
            after = flavors.get(db, marker)
            if after is None:
                raise Invalid(f"marker: there is no flavor {marker}")
        return flavors.page(
            db,
            limit=limit,
            orders=sorting.complete(orders or (Order(Flavor.id),), Flavor.id),
            after=after,
            public=public if all_of_them else True,
            open_to=None if all_of_them else caller.project_id,
            min_ram=min_ram,
            min_disk=min_disk,
        )


def usable(db: Session, caller: Caller, flavor_id: str) -> Flavor:
    """Give the flavor that a request names; raises Invalid, since it is the request that is wrong."""
    try:
        return _visible(db, caller, flavor_id)
    except NotFound as err:
        raise Invalid(f"flavorRef: {err}") from err


def add(cloud: Cloud, spec: FlavorSpec) -> Flavor:
    """Add a flavor; raises Invalid or Conflict. A removed one of the same id is replaced."""
    if spec.vcpus < 1 or spec.ram < 1 or spec.disk < 0 or spec.swap < 0 or not spec.rxtx_factor > 0:
        raise Invalid(
            f"flavor {spec.name}: vcpus and ram are at least 1, disk and swap at least 0, rxtx_factor more than 0"
        )
    with cloud.sessions.begin() as db:
        flavor = flavors.lock(db, spec.id)
        if (flavor is not None and flavor.enabled) or flavors.by_name(db, spec.name) is not None:
            raise Conflict(f"there is a flavor {spec.id} or {spec.name} already")
        if flavor is None:
            flavor = Flavor(id=spec.id)
            db.add(flavor)
        flavor.name = spec.name
        flavor.vcpus = spec.vcpus
        flavor.ram = spec.ram
        flavor.disk = spec.disk
        flavor.swap = spec.swap
        flavor.rxtx_factor = spec.rxtx_factor
        flavor.public = spec.public
        flavor.enabled = True
        flavor.extra_specs = {}
        flavor.created_at = cloud.clock()
    return flavor


def remove(cloud: Cloud, flavor_id: str) -> None:
    """Take a flavor off the list; servers that have it keep it. Raises NotFound."""
    with cloud.sessions.begin() as db:
        flavor = _held(db, flavor_id)
        flavor.enabled = False
        # the row stays, for the servers that have it; its name is free for another
        flavor.name = f"removed {names.new_id()}"
        for project_id in flavors.accesses(db, flavor_id):
            _close(db, flavor_id, project_id)


def set_extra_specs(cloud: Cloud, flavor_id: str, specs: Mapping[str, str]) -> Mapping[str, str]:
    """Merge extra specs into a flavor's; give what was set. Raises NotFound."""
    with cloud.sessions.begin() as db:
        flavor = _held(db, flavor_id)
        flavor.extra_specs = {**flavor.extra_specs, **specs}
    return specs


def unset_extra_spec(cloud: Cloud, flavor_id: str, key: str) -> None:
    """Remove an extra spec; raises NotFound if there is none by that key."""
    with cloud.sessions.begin() as db:
        flavor = _held(db, flavor_id)
        if key not in flavor.extra_specs:
            raise NotFound(f"flavor {flavor_id} has no extra spec {key}")
        flavor.extra_specs = {name: value for name, value in flavor.extra_specs.items() if name != key}


def accesses(cloud: Cloud, flavor_id: str) -> Sequence[str]:
    """List the projects that a flavor is open to; raises NotFound for a public one, which has no such list."""
    with cloud.sessions.read() as db:
        flavor = flavors.get(db, flavor_id)
        if flavor is None or not flavor.enabled:
            raise NotFound(f"there is no flavor {flavor_id}")
        if flavor.public:
            raise NotFound(f"flavor {flavor_id} is public and has no list of projects")
        return flavors.accesses(db, flavor_id)


def open_to(cloud: Cloud, flavor_id: str, project_id: str) -> Sequence[str]:
    """Let a project use a flavor that is not public; give all that may. Raises NotFound, Invalid or Conflict."""
    with cloud.sessions.begin() as db:
        flavor = _held(db, flavor_id)
        if flavor.public:
            raise Conflict(f"flavor {flavor_id} is public: every project may use it")
        if projects.get(db, project_id) is None:
            raise Invalid(f"tenant: there is no project {project_id}")
        if flavors.is_open(db, flavor_id, project_id):
            raise Conflict(f"project {project_id} may use flavor {flavor_id} already")
        db.add(Access(flavor_id=flavor_id, project_id=project_id))
        db.flush()
        return flavors.accesses(db, flavor_id)


def close_to(cloud: Cloud, flavor_id: str, project_id: str) -> Sequence[str]:
    """Take a project off a flavor's list; give those that are left. Raises NotFound, Invalid or Conflict."""
    with cloud.sessions.begin() as db:
        flavor = _held(db, flavor_id)
        if flavor.public:
            raise Conflict(f"flavor {flavor_id} is public: every project may use it")
        if projects.get(db, project_id) is None:
            raise Invalid(f"tenant: there is no project {project_id}")
        if not flavors.is_open(db, flavor_id, project_id):
            raise NotFound(f"project {project_id} is not on the list of flavor {flavor_id}")
        _close(db, flavor_id, project_id)
        return flavors.accesses(db, flavor_id)


def _visible(db: Session, caller: Caller, flavor_id: str) -> Flavor:
    flavor = flavors.get(db, flavor_id)
    if flavor is None or not flavor.enabled:
        raise NotFound(f"there is no flavor {flavor_id}")
    if flavor.public or policy.allows(caller.roles, Operation.FLAVOR_READ_ALL):
        return flavor
    if not flavors.is_open(db, flavor_id, caller.project_id):
        raise NotFound(f"there is no flavor {flavor_id}")
    return flavor


def _held(db: Session, flavor_id: str) -> Flavor:
    flavor = flavors.lock(db, flavor_id)
    if flavor is None or not flavor.enabled:
        raise NotFound(f"there is no flavor {flavor_id}")
    return flavor


def _close(db: Session, flavor_id: str, project_id: str) -> None:
    access = db.get(Access, (flavor_id, project_id))
    if access is not None:
        db.delete(access)
        db.flush()
