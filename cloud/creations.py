"""Creates of servers: one transaction reserves, places and names all that a server is to have, and leaves its job.

Nothing here calls Ganeti.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from cloud import (
    affinity,
    capacity,
    flavors,
    guests,
    images,
    instances,
    keypairs,
    placement,
    policy,
    ports,
    quotas,
    security_groups,
)
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from cloud.states import Action
from common import names
from common.errors import Conflict, Invalid, NotFound, Unavailable
from db import backends
from db import flavors as flavor_rows
from db import images as image_rows
from db.instances import Instance, State, Task
from db.quotas import Resource
from db.security_groups import SecurityGroup

_NAME_LENGTH = 255


@dataclass(frozen=True)
class CreateSpec:
    """What a new server is to be; ids are as the caller wrote them."""

    name: str
    flavor_id: str
    #: None: no image; the guest boots whatever its empty disk gives it
    image_id: str | None
    metadata: Mapping[str, str] = field(default_factory=dict)
    min_count: int = 1
    max_count: int = 1
    key_name: str | None = None
    description: str | None = None
    access_ipv4: str = ""
    access_ipv6: str = ""
    guest: guests.GuestSpec = field(default_factory=guests.GuestSpec)
    hints: affinity.Hints = field(default_factory=affinity.Hints)
    interfaces: ports.Interfaces = field(default_factory=ports.Interfaces)
    #: names or ids, for the ports that are made with it; None: the project's default one
    security_groups: tuple[str, ...] | None = None


def create(cloud: Cloud, caller: Caller, spec: CreateSpec) -> list[Instance]:
    """Create one server, or up to `max_count` but not fewer than `min_count`; all of them or none.

    Raises Invalid for an unknown flavor, image or keypair, QuotaExceeded, Unavailable when no backend has the room.
    """
    policy.require(caller, Operation.SERVER_WRITE)
    instances.check_metadata(cloud, spec.metadata)
    _check_count(spec)
    guests.check(cloud, spec.guest)
    with cloud.sessions.begin() as db:
        flavor = flavors.usable(db, caller, spec.flavor_id)
        image = images.usable(db, caller, spec.image_id) if spec.image_id is not None else None
        keypair = keypairs.usable(db, caller, spec.key_name) if spec.key_name is not None else None
        _check_fit(flavor, image)
        interfaces = ports.plan(db, caller, spec.interfaces)
        count = _reserve(db, cloud, caller, spec=spec, flavor=flavor, interfaces=interfaces)
        groups = _groups(db, cloud, caller, spec, interfaces)
        need = placement.Need(memory=flavor.ram, disk=flavor.disk * 1024, vcpus=flavor.vcpus)
        places = _places(db, cloud, caller, hints=spec.hints, need=need, count=count)
        reservation = names.new_id()
        made = [
            _insert(
                db,
                cloud,
                caller,
                spec=spec,
                flavor=flavor,
                image=image,
                interfaces=interfaces,
                groups=groups,
                backend_id=backend_id,
                node=node,
                number=number,
                reservation=reservation,
                public_key=keypair.public_key if keypair else None,
            )
            for number, (backend_id, node) in enumerate(places, start=1)
        ]
    cloud.wake()
    return made


def _check_count(spec: CreateSpec) -> None:
    if not 1 <= spec.min_count <= spec.max_count:
        raise Invalid(f"min_count: {spec.min_count} is not between 1 and max_count {spec.max_count}")
    if len(_name(spec, spec.max_count)) > _NAME_LENGTH:
        raise Invalid(f"name: with the number behind it it is longer than {_NAME_LENGTH} characters")


def _name(spec: CreateSpec, number: int) -> str:
    return spec.name if spec.max_count == 1 else f"{spec.name}-{number}"


def _check_fit(flavor: flavor_rows.Flavor, image: image_rows.Image | None) -> None:
    if image is None:
        return
    if image.min_ram > flavor.ram:
        raise Invalid(f"flavorRef: {flavor.name} has {flavor.ram} MiB of memory, the image needs {image.min_ram}")
    if image.min_disk > flavor.disk:
        raise Invalid(f"flavorRef: {flavor.name} has {flavor.disk} GiB of disk, the image needs {image.min_disk}")


def _reserve(
    db: Session,
    cloud: Cloud,
    caller: Caller,
    *,
    spec: CreateSpec,
    flavor: flavor_rows.Flavor,
    interfaces: Sequence[ports.Interface],
) -> int:
    each = {
        Resource.INSTANCES: 1,
        Resource.CORES: flavor.vcpus,
        Resource.RAM: flavor.ram,
        Resource.PORTS: sum(interface.port_id is None for interface in interfaces),
    }
    return quotas.reserve_several(
        db, cloud.settings, project_id=caller.project_id, each=each, least=spec.min_count, most=spec.max_count
    )


def _groups(
    db: Session, cloud: Cloud, caller: Caller, spec: CreateSpec, interfaces: Sequence[ports.Interface]
) -> Sequence[SecurityGroup]:
    """Give the groups of the ports that are made with a server; those that are named have to be there in any case."""
    if spec.security_groups is None and all(each.port_id is not None for each in interfaces):
        return ()
    try:
        return security_groups.chosen(db, cloud, caller.project_id, spec.security_groups, by_name=True)
    except NotFound as err:
        raise Invalid(f"security_groups: {err}") from err


def _places(
    db: Session, cloud: Cloud, caller: Caller, *, hints: affinity.Hints, need: placement.Need, count: int
) -> Sequence[tuple[int, str | None]]:
    """Choose a backend for each server; a node only for those that have to be near or far from others."""
    if hints:
        return affinity.places(db, cloud, caller, hints=hints, need=need, count=count)
    return [(room.backend_id, None) for room in _rooms(db, cloud, need, count)]


def _rooms(db: Session, cloud: Cloud, need: placement.Need, count: int) -> list[placement.Room]:
    rooms = {room.backend_id: room for room in capacity.rooms(db, cloud)}
    chosen = []
    for _ in range(count):
        room = placement.choose(list(rooms.values()), need)
        if room is None:
            raise Unavailable("no backend has the capacity for this server now")
        chosen.append(room)
        rooms[room.backend_id] = placement.take(room, need)
    return chosen


def _insert(
    db: Session,
    cloud: Cloud,
    caller: Caller,
    *,
    spec: CreateSpec,
    flavor: flavor_rows.Flavor,
    image: image_rows.Image | None,
    interfaces: Sequence[ports.Interface],
    groups: Sequence[SecurityGroup],
    backend_id: int,
    node: str | None,
    number: int,
    reservation: str,
    public_key: str | None,
) -> Instance:
    backend = backends.get(db, backend_id)
    if backend is None:
        raise Conflict(f"backend {backend_id} was just removed")
    now = cloud.clock()
    instance_id = names.new_id()
    instance = Instance(
        id=instance_id,
        name=_name(spec, number),
        description=spec.description,
        project_id=caller.project_id,
        user_id=caller.user_id,
        backend_id=backend.id,
        ganeti_name=names.instance_name(backend.prefix, instance_id),
        flavor_id=flavor.id,
        flavor_name=flavor.name,
        vcpus=flavor.vcpus,
        ram=flavor.ram,
        disk=flavor.disk,
        image_id=image.id if image else None,
        key_name=spec.key_name,
        meta=dict(spec.metadata),
        access_ipv4=spec.access_ipv4,
        access_ipv6=spec.access_ipv6,
        reservation_id=reservation,
        state=State.BUILDING,
        task=Task.CREATING,
        present=False,
        charged=True,
        charged_vcpus=flavor.vcpus,
        charged_ram=flavor.ram,
        created_at=now,
        updated_at=now,
    )
    db.add(instance)
    db.flush()
    ports.attach(
        db,
        cloud,
        caller,
        instance=instance,
        interfaces=interfaces,
        groups=groups,
        announced=number > 1,
        groups_named=spec.security_groups is not None,
    )
    installs = bool(backend.os) and backend.disk_template != "diskless" and image is not None and bool(image.file)
    guests.keep(db, cloud, instance, spec=spec.guest, public_key=public_key, installs=installs and flavor.disk > 0)
    if node is not None:
        affinity.keep(db, instance_id, node=node, hints=spec.hints)
    where = {} if node is None else {"node": node}
    instances.add_job(
        db, instance, action=Action.CREATE, request_id=caller.request_id, now=now, caller=caller, spec=where
    )
    return instance
