"""Instances, as their owners act on them: every change is one transaction that leaves a job for the submitter.

Nothing here calls Ganeti. Lock order: backend, instance, job, quota.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from cloud import (
    affinity,
    attachments,
    capacity,
    departures,
    flavors,
    guests,
    image_copies,
    images,
    keypairs,
    placement,
    policy,
    ports,
    quotas,
    security_groups,
    states,
)
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from cloud.states import Action
from common import names
from common.errors import Conflict, Invalid, NotFound, QuotaExceeded, Unavailable
from common.jobs import JobStatus, Opcode
from db import backends, instances, jobs, tags
from db import flavors as flavor_rows
from db import images as image_rows
from db.instances import Instance, State, Task
from db.quotas import Resource
from db.security_groups import SecurityGroup
from db.sorting import Order

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


@dataclass(frozen=True)
class Change:
    """What an update changes; None leaves a thing as it is."""

    name: str | None = None
    description: str | None = None
    access_ipv4: str | None = None
    access_ipv6: str | None = None


def create(cloud: Cloud, caller: Caller, spec: CreateSpec) -> list[Instance]:
    """Create one server, or up to `max_count` but not fewer than `min_count`; all of them or none.

    Raises Invalid for an unknown flavor, image or keypair, QuotaExceeded, Unavailable when no backend has the room.
    """
    policy.require(caller, Operation.SERVER_WRITE)
    check_metadata(cloud, spec.metadata)
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


def get(cloud: Cloud, caller: Caller, instance_id: str) -> Instance:
    """Give a server that the caller may see; raises NotFound for any other."""
    policy.require(caller, Operation.SERVER_READ)
    with cloud.sessions.read() as db:
        return visible(instances.get(db, instance_id), caller, instance_id)


def page(
    cloud: Cloud,
    caller: Caller,
    wanted: instances.Filter,
    *,
    limit: int,
    marker: str | None = None,
    orders: Sequence[Order] = (),
) -> Sequence[Instance]:
    """List servers, newest first unless told otherwise, after the one with the id `marker`; raises Invalid if none."""
    policy.require(caller, Operation.SERVER_READ)
    with cloud.sessions.read() as db:
        after = None
        if marker is not None:
            after = instances.get(db, marker)
            if after is None or not (caller.admin or after.project_id == caller.project_id):
                raise Invalid(f"marker: there is no server {marker}")
        return instances.page(db, wanted, limit=limit, orders=orders, after=after)


def act(cloud: Cloud, caller: Caller, instance_id: str, action: Action) -> Instance:
    """Begin start, stop or a reboot; raises NotFound, Busy or Conflict."""
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = unlocked(db, caller, instance_id)
        rule = states.check(action, state=instance.state, task=instance.task, what=f"server {instance_id}")
        add_job(db, instance, action=action, request_id=caller.request_id, now=cloud.clock(), caller=caller)
        instance.task = rule.task
        instance.updated_at = cloud.clock()
    cloud.wake()
    return instance


def delete(cloud: Cloud, caller: Caller, instance_id: str) -> None:
    """Begin the removal of a server in whatever state; a second time changes nothing.

    What Ganeti never heard of is gone at once.
    """
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = unlocked(db, caller, instance_id)
        remove(db, instance, request_id=caller.request_id, now=cloud.clock(), caller=caller)
    cloud.wake()


def remove(db: Session, instance: Instance, *, request_id: str, now: datetime, caller: Caller | None = None) -> None:
    """Begin the removal of an instance whose row is held, unless that is under way."""
    if instance.task is Task.DELETING:
        return
    states.check(Action.DELETE, state=instance.state, task=instance.task, what=f"server {instance.id}")
    outstanding = withdraw_unsent(db, instance, now)
    job = add_job(db, instance, action=Action.DELETE, request_id=request_id, now=now, caller=caller)
    instance.task = Task.DELETING
    instance.updated_at = now
    if instance.present is False and not outstanding:
        job.status = JobStatus.SUCCESS
        job.finished_at = now
        finish(db, instance, now)


def update(cloud: Cloud, caller: Caller, instance_id: str, change: Change) -> Instance:
    """Change what is Syros' own about a server, such as its name: Ganeti is not involved."""
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = held(db, caller, instance_id)
        for key in ("name", "description", "access_ipv4", "access_ipv6"):
            value = getattr(change, key)
            if value is not None:
                setattr(instance, key, value)
        instance.updated_at = cloud.clock()
    return instance


def set_metadata(
    cloud: Cloud, caller: Caller, instance_id: str, items: Mapping[str, str], *, replace: bool
) -> Mapping[str, str]:
    """Merge metadata items into a server's, or replace them all; gives the result."""
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = unlocked(db, caller, instance_id)
        merged = dict(items) if replace else {**instance.meta, **items}
        check_metadata(cloud, merged)
        instance.meta = merged
        instance.updated_at = cloud.clock()
    return merged


def delete_metadata(cloud: Cloud, caller: Caller, instance_id: str, key: str) -> None:
    """Remove one metadata item; raises NotFound if there is none by that key."""
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = unlocked(db, caller, instance_id)
        if key not in instance.meta:
            raise NotFound(f"server {instance_id} has no metadata item {key}")
        instance.meta = {name: value for name, value in instance.meta.items() if name != key}
        instance.updated_at = cloud.clock()


def actions(cloud: Cloud, caller: Caller, instance_id: str) -> Sequence[jobs.Job]:
    """List what was done to a server, newest first; deleted servers keep theirs."""
    policy.require(caller, Operation.SERVER_READ)
    with cloud.sessions.read() as db:
        instance = instances.get(db, instance_id)
        if instance is None or not (caller.admin or instance.project_id == caller.project_id):
            raise NotFound(f"there is no server {instance_id}")
        return jobs.of_instance(db, instance_id, but=states.OWN_ACTIONS)


def visible(instance: Instance | None, caller: Caller, instance_id: str) -> Instance:
    """Give the instance back if the caller may know of it; raises NotFound otherwise, whatever the reason."""
    if instance is None or instance.deleted_at is not None:
        raise NotFound(f"there is no server {instance_id}")
    if not caller.admin and instance.project_id != caller.project_id:
        raise NotFound(f"there is no server {instance_id}")
    return instance


def held(db: Session, caller: Caller, instance_id: str) -> Instance:
    """Lock an instance that the caller may see, until the transaction ends."""
    return visible(instances.lock(db, instance_id), caller, instance_id)


def unlocked(db: Session, caller: Caller, instance_id: str) -> Instance:
    """Hold an instance that the caller may see and act on; raises Conflict for one that is locked."""
    instance = held(db, caller, instance_id)
    if instance.locked and not policy.allows(caller.roles, Operation.SERVER_IGNORE_LOCK):
        raise Conflict(f"server {instance_id} is locked; unlock it first")
    return instance


def set_locked(cloud: Cloud, caller: Caller, instance_id: str, *, locked: bool) -> None:
    """Lock a server against being acted on, or unlock it; raises NotFound."""
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = held(db, caller, instance_id)
        instance.locked = locked
        instance.updated_at = cloud.clock()


def reset_state(cloud: Cloud, caller: Caller, instance_id: str, state: State) -> None:
    """Set what is recorded of a server's state, for an admin who knows better, until Ganeti is next looked at.

    A server called broken is not looked at for that, or it would be healthy again at once. A task that is stuck is
    forgotten, its jobs go on; what the server rests in, such as a rescue, stays. Raises Forbidden, NotFound.
    """
    policy.require(caller, Operation.SERVER_RESET)
    with cloud.sessions.begin() as db:
        instance = held(db, caller, instance_id)
        instance.state = state
        instance.task = states.resting(instance)
        instance.task_job_id = None
        instance.look_wanted = state is not State.ERROR
        instance.updated_at = cloud.clock()


def add_job(
    db: Session,
    instance: Instance,
    *,
    action: Action,
    request_id: str,
    now: datetime,
    caller: Caller | None = None,
    opcode: Opcode | None = None,
    spec: Mapping[str, object] | None = None,
) -> jobs.Job:
    """Leave a job for the submitter; when the action is a task, it becomes the one that ends the task.

    An action of several operations leaves a job for each, in order: the last one ends the task. When one fails, the
    rest is withdrawn, but for those whose spec says `always`.
    """
    rule = states.RULES[action]
    job = jobs.Job(
        backend_id=instance.backend_id,
        instance_id=instance.id,
        request_id=request_id,
        user_id=caller.user_id if caller else None,
        project_id=caller.project_id if caller else None,
        action=action,
        opcode=opcode or rule.opcode,
        spec=dict(spec or {}),
        status=JobStatus.SUBMITTING,
        created_at=now,
    )
    db.add(job)
    db.flush()
    if rule.task is not None:
        instance.task_job_id = job.id
    return job


def withdraw(db: Session, job: jobs.Job, now: datetime) -> None:
    """Cancel a job that was never sent, because its server is to be deleted. The row is held."""
    job.status = JobStatus.CANCELED
    job.finished_at = now
    job.error_text = "withdrawn before it was sent: the server was deleted"
    image_copies.conclude(db, job, why="the server was deleted before its disk was copied", now=now)
    attachments.conclude(db, job, now=now)


def withdraw_unsent(db: Session, instance: Instance, now: datetime) -> bool:
    """Cancel the jobs that nobody has begun to send; tell whether others remain."""
    remain = False
    for job in jobs.open_of_instance(db, instance.id):
        locked = jobs.lock(db, job.id)
        if locked is None or locked.finished_at is not None:
            continue
        if locked.attempts > 0:
            remain = True
            continue
        withdraw(db, locked, now)
    return remain


def finish(db: Session, instance: Instance, now: datetime) -> None:
    """Record that an instance is gone for good, and give its quota back."""
    instance.state = State.DELETED
    instance.present = False
    instance.task = None
    instance.task_job_id = None
    instance.look_wanted = False
    instance.node = None
    instance.console_port = None
    instance.nics = []
    instance.deleted_at = now
    instance.updated_at = now
    quotas.release(db, instance)
    departures.release(db, instance.id, now)
    guests.forget(db, instance.id)
    tags.remove(db, instance.id)


def check_metadata(cloud: Cloud, metadata: Mapping[str, str]) -> None:
    """Raise QuotaExceeded for more items than a server may have."""
    if len(metadata) > cloud.settings.metadata_items:
        raise QuotaExceeded(f"metadata: {len(metadata)} items, at most {cloud.settings.metadata_items} are allowed")


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
    add_job(db, instance, action=Action.CREATE, request_id=caller.request_id, now=now, caller=caller, spec=where)
    return instance
