"""Strangers: instances that a cluster has under our prefix and the database does not know. They can be adopted."""

from __future__ import annotations

from collections.abc import Sequence

from cloud import flavors, quotas
from cloud.context import Caller, Cloud
from common import names
from common.errors import Conflict, Invalid, NotFound
from db import backends, instances, projects, strangers
from db.instances import Instance, State
from db.strangers import Stranger


def all_strangers(cloud: Cloud) -> Sequence[Stranger]:
    """List those that the last reconciliations saw."""
    with cloud.sessions.read() as db:
        return strangers.all_strangers(db)


def adopt(
    cloud: Cloud, caller: Caller, *, backend_name: str, name: str, project_id: str, flavor_id: str, label: str
) -> Instance:
    """Make a stranger a server of a project: it counts for the project's quota, whether or not that allows it.

    Its state is unknown until Ganeti has been asked. Raises NotFound, Invalid or Conflict.
    """
    with cloud.sessions.begin() as db:
        backend = backends.by_name(db, backend_name)
        stranger = strangers.get(db, backend.id, name) if backend is not None else None
        if backend is None or stranger is None:
            raise NotFound(f"backend {backend_name} has no stranger {name}")
        instance_id = names.instance_id(backend.prefix, name)
        if instance_id is None or projects.get(db, project_id) is None:
            raise Invalid(f"there is no project {project_id}, or {name} is not one of our names")
        if instances.get(db, instance_id) is not None:
            raise Conflict(f"server {instance_id} is in the database already")
        flavor = flavors.usable(db, caller, flavor_id)
        now = cloud.clock()
        instance = Instance(
            id=instance_id,
            name=label,
            project_id=project_id,
            user_id=caller.user_id,
            backend_id=backend.id,
            ganeti_name=name,
            flavor_id=flavor.id,
            flavor_name=flavor.name,
            vcpus=stranger.vcpus,
            ram=stranger.ram,
            disk=flavor.disk,
            reservation_id=names.new_id(),
            state=State.UNKNOWN,
            present=True,
            charged=False,
            look_wanted=True,
            node=stranger.node,
            created_at=now,
            updated_at=now,
        )
        db.add(instance)
        db.flush()
        quotas.charge(db, instance)
        db.delete(stranger)
    return instance
