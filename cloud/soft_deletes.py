"""Deletes that can be taken back: for a while the server rests, stopped and counted, and then it is removed.

Where `[cloud] reclaim_after` is 0, and for what never ran or is gone from the cluster, a delete removes at once.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from cloud import instances, policy, quotas, states
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from cloud.states import Action
from common import names
from db import instances as instance_rows
from db import jobs
from db.instances import Instance, Task


def delete(cloud: Cloud, caller: Caller, instance_id: str) -> None:
    """Begin to delete a server, so that it can be restored if that is the rule here; a second time changes nothing."""
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = instances.unlocked(db, caller, instance_id)
        if _can_rest(cloud, instance):
            _begin(db, instance, caller=caller, now=cloud.clock())
        else:
            instances.remove(db, instance, request_id=caller.request_id, now=cloud.clock(), caller=caller)
    cloud.wake()


def restore(cloud: Cloud, caller: Caller, instance_id: str) -> None:
    """Begin to start a server that rests deleted; raises NotFound, or Conflict for one that does not."""
    policy.require(caller, Operation.SERVER_WRITE)
    with cloud.sessions.begin() as db:
        instance = instances.unlocked(db, caller, instance_id)
        what = f"server {instance_id}"
        rule = states.check(Action.RESTORE, state=instance.state, task=instance.task, what=what)
        now = cloud.clock()
        instances.add_job(db, instance, action=Action.RESTORE, request_id=caller.request_id, now=now, caller=caller)
        instance.task = rule.task
        instance.updated_at = now
    cloud.wake()


def reclaim_old(cloud: Cloud, *, limit: int = 100) -> int:
    """Begin to remove what has rested for long enough; give the number.

    While no delete can be taken back, nothing is removed here: what rests from before waits for its owner.
    """
    grace = cloud.settings.reclaim_after
    if grace <= 0:
        return 0
    before = cloud.clock() - timedelta(seconds=grace)
    with cloud.sessions.read() as db:
        wanted = instance_rows.soft_deleted_before(db, before, limit)
    for instance_id in wanted:
        with cloud.sessions.begin() as db:
            instance = instance_rows.lock(db, instance_id)
            if instance is not None and _is_due(instance, before):
                instances.remove(db, instance, request_id=names.new_request_id(), now=cloud.clock())
    if wanted:
        cloud.wake()
    return len(wanted)


def conclude(db: Session, instance: Instance, job: jobs.Job, *, done: bool, now: datetime) -> None:
    """Take in how a job of a delete or a restore ended. The rows are held; what is no such job changes nothing."""
    if job.action == Action.SOFT_DELETE:
        # a resize that it interrupted will not go on
        instance.resizing_to = None
        quotas.recharge(db, instance)
        if done:
            instance.soft_deleted_at = now
    elif job.action == Action.RESTORE:
        # one that failed leaves its owner the whole time again
        instance.soft_deleted_at = None if done else now


def _can_rest(cloud: Cloud, instance: Instance) -> bool:
    return (
        cloud.settings.reclaim_after > 0
        and instance.launched_at is not None
        and instance.present is not False
        and instance.state in states.RULES[Action.SOFT_DELETE].states
    )


def _begin(db: Session, instance: Instance, *, caller: Caller, now: datetime) -> None:
    if instance.task in (Task.DELETING, Task.SOFT_DELETING, Task.SOFT_DELETED):
        return
    rule = states.check(Action.SOFT_DELETE, state=instance.state, task=instance.task, what=f"server {instance.id}")
    instances.withdraw_unsent(db, instance, now)
    instances.add_job(db, instance, action=Action.SOFT_DELETE, request_id=caller.request_id, now=now, caller=caller)
    instance.task = rule.task
    instance.updated_at = now


def _is_due(instance: Instance, before: datetime) -> bool:
    rested = instance.soft_deleted_at
    return instance.task is Task.SOFT_DELETED and rested is not None and rested < before
