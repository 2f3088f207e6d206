"""Resizes: to another flavor, and then confirmed or reverted.

A resize stops a running server, changes its memory and CPUs, and starts it again: three jobs, of which the start is
sent whatever becomes of the others. A larger disk is grown only when the resize is confirmed: Ganeti can't shrink one,
and a revert has to be exact. Until then both sizes count: the project's quota has to have room for the larger one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from cloud import chains, flavors, instances, policy, quotas, states
from cloud.chains import Step
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from cloud.states import Action
from common import names
from common.errors import Invalid
from common.jobs import JobStatus, Opcode
from db import flavors as flavor_rows
from db import instances as instance_rows
from db import jobs
from db.flavors import Flavor
from db.instances import Instance, State, Task

# Any: a size as the instance's row keeps it, in JSON
Size = dict[str, Any]


def begin(cloud: Cloud, caller: Caller, instance_id: str, flavor_id: str) -> None:
    """Begin to resize a server; raises NotFound, Invalid for the flavor, Busy, Conflict or QuotaExceeded."""
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = instances.unlocked(db, caller, instance_id)
        states.check(Action.RESIZE, state=instance.state, task=instance.task, what=f"server {instance_id}")
        flavor = flavors.usable(db, caller, flavor_id)
        _check_flavor(instance, flavor)
        instance.resizing_to = _size_of(flavor)
        quotas.recharge(db, instance, within=cloud.settings)
        _add_steps(db, cloud, instance, caller=caller, action=Action.RESIZE, size=instance.resizing_to)
    cloud.wake()


def confirm(cloud: Cloud, caller: Caller, instance_id: str) -> None:
    """Make a resize final; raises NotFound, or Conflict if there is none to confirm."""
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = instances.unlocked(db, caller, instance_id)
        what = f"server {instance_id}"
        states.check(Action.CONFIRM_RESIZE, state=instance.state, task=instance.task, what=what)
        _confirm(db, cloud, instance, request_id=caller.request_id, caller=caller)
    cloud.wake()


def revert(cloud: Cloud, caller: Caller, instance_id: str) -> None:
    """Begin to take a resize back; raises NotFound, or Conflict if there is none to revert."""
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = instances.unlocked(db, caller, instance_id)
        what = f"server {instance_id}"
        states.check(Action.REVERT_RESIZE, state=instance.state, task=instance.task, what=what)
        _add_steps(db, cloud, instance, caller=caller, action=Action.REVERT_RESIZE, size=instance.resized_from or {})
    cloud.wake()


def confirm_old(cloud: Cloud, *, limit: int = 100) -> int:
    """Confirm the resizes that nobody has confirmed or reverted in time; give their number."""
    hours = cloud.settings.resize_confirm_hours
    if hours <= 0:
        return 0
    before = cloud.clock() - timedelta(hours=hours)
    with cloud.sessions.read() as db:
        wanted = instance_rows.resized_before(db, before, limit)
    for instance_id in wanted:
        with cloud.sessions.begin() as db:
            instance = instance_rows.lock(db, instance_id)
            if (
                instance is not None
                and instance.task is Task.RESIZED
                and instance.state in (State.ACTIVE, State.STOPPED)
            ):
                _confirm(db, cloud, instance, request_id=names.new_request_id(), caller=None)
    if wanted:
        cloud.wake()
    return len(wanted)


def conclude(db: Session, instance: Instance, job: jobs.Job, *, done: bool, now: datetime) -> None:
    """Take in how a job of a resize ended. The rows are held; what is no such job changes nothing."""
    if job.opcode == Opcode.GROW_DISK and job.action == Action.CONFIRM_RESIZE and done:
        instance.disk = int(job.spec["to"])
    if job.opcode != Opcode.SET_PARAMS:
        _abandon_unsized(db, instance, job, done=done)
        return
    if job.action == Action.RESIZE:
        if done and instance.resizing_to is not None:
            instance.resized_from, instance.resized_at = _size_now(instance), now
            _take(instance, instance.resizing_to)
        instance.resizing_to = None
    elif job.action == Action.REVERT_RESIZE and done and instance.resized_from is not None:
        _take(instance, instance.resized_from)
        instance.resized_from = instance.resized_at = None
    quotas.recharge(db, instance)


def _abandon_unsized(db: Session, instance: Instance, job: jobs.Job, *, done: bool) -> None:
    """The server could not even be stopped: the change of size that was to follow is withdrawn."""
    if job.action == Action.RESIZE and job.opcode == Opcode.SHUTDOWN and not done:
        instance.resizing_to = None
        quotas.recharge(db, instance)


def _confirm(db: Session, cloud: Cloud, instance: Instance, *, request_id: str, caller: Caller | None) -> None:
    flavor = flavor_rows.get(db, instance.flavor_id)
    wanted = flavor.disk if flavor is not None else instance.disk
    missing = max(wanted - instance.disk, 0)
    now = cloud.clock()
    instance.resized_from = instance.resized_at = None
    quotas.recharge(db, instance)
    job = instances.add_job(
        db,
        instance,
        action=Action.CONFIRM_RESIZE,
        request_id=request_id,
        now=now,
        caller=caller,
        spec={"gib": missing, "to": wanted},
    )
    if missing:
        instance.task = Task.RESIZING
    else:  # nothing for Ganeti to do: the job only tells that it was confirmed
        job.status, job.finished_at = JobStatus.SUCCESS, now
        instance.task = None
        instance.task_job_id = None
    instance.updated_at = now


def _add_steps(db: Session, cloud: Cloud, instance: Instance, *, caller: Caller, action: Action, size: Size) -> None:
    running = instance.state is State.ACTIVE
    change: Size = {"vcpus": size["vcpus"], "ram": size["ram"]}
    # for the list of migrations: a resize is one that stays
    change |= {"from": instance.node, "to": instance.node}
    change |= {"old_flavor_id": instance.flavor_id, "new_flavor_id": size["flavor_id"]}
    steps: list[Step] = [(Opcode.SET_PARAMS, change)]
    if running:
        steps = [(Opcode.SHUTDOWN, {}), *steps, (Opcode.STARTUP, {"always": True})]
    now = cloud.clock()
    chains.begin(db, instance, steps, action=action, request_id=caller.request_id, now=now, caller=caller)


def _check_flavor(instance: Instance, flavor: Flavor) -> None:
    if flavor.id == instance.flavor_id:
        raise Invalid(f"resize.flavorRef: the server has the flavor {flavor.name} already")
    if flavor.disk < instance.disk:
        raise Invalid(f"resize.flavorRef: {flavor.name} has {flavor.disk} GiB of disk, fewer than {instance.disk}")


def _size_of(flavor: Flavor) -> Size:
    return {"flavor_id": flavor.id, "flavor_name": flavor.name, "vcpus": flavor.vcpus, "ram": flavor.ram}


def _size_now(instance: Instance) -> Size:
    return {
        "flavor_id": instance.flavor_id,
        "flavor_name": instance.flavor_name,
        "vcpus": instance.vcpus,
        "ram": instance.ram,
    }


def _take(instance: Instance, size: Size) -> None:
    instance.flavor_id, instance.flavor_name = size["flavor_id"], size["flavor_name"]
    instance.vcpus, instance.ram = int(size["vcpus"]), int(size["ram"])
