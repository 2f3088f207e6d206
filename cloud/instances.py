"""Instances, as their owners act on them: every change is one transaction that leaves a job for the submitter.

Nothing here calls Ganeti. Lock order: backend, instance, job, quota.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from cloud import attachments, departures, guests, image_copies, policy, quotas, states
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from cloud.states import Action
from common.errors import Conflict, Invalid, NotFound, QuotaExceeded
from common.jobs import JobStatus, Opcode
from db import instances, jobs, tags
from db.instances import Instance, State, Task
from db.sorting import Order


@dataclass(frozen=True)
class Change:
    """What an update changes; None leaves a thing as it is."""

    name: str | None = None
    description: str | None = None
    access_ipv4: str | None = None
    access_ipv6: str | None = None


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
