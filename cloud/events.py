"""What an event means: it moves the job it belongs to, and the instance that the job is about. In one transaction.

Doing it twice, late or out of order changes nothing: a job moves only to a higher rank, and an instance believes
only a job that ended after the one it believed last. Nothing here calls Ganeti.
Lock order: instance, job, quota, image, subnets, port.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from cloud import (
    attachments,
    firewall,
    image_copies,
    instances,
    quotas,
    rebuilds,
    rescues,
    resizes,
    soft_deletes,
    states,
    told,
)
from cloud.context import Cloud
from cloud.states import Action, Effect, Presence
from common import jobs as ganeti
from common import messages, names
from common.jobs import JobStatus, Opcode
from db import backends, jobs
from db import instances as instance_rows
from db.backends import Backend
from db.instances import Instance, State, Task

log = logging.getLogger(__name__)


class Applied(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    #: it said nothing new
    STALE = "stale"
    #: it is about something that is not ours
    FOREIGN = "foreign"
    #: no backend has this cluster
    UNKNOWN_CLUSTER = "unknown-cluster"


def apply(cloud: Cloud, event: messages.Event) -> Applied:
    """Record what an event says; doing it twice changes nothing."""
    with cloud.sessions.begin() as db:
        backend = backends.by_cluster(db, event.cluster)
        if backend is None:
            return Applied.UNKNOWN_CLUSTER
        if isinstance(event, messages.JobEvent):
            applied = _apply_job(db, backend, event, cloud.clock())
        elif isinstance(event, messages.InstanceEvent):
            applied = _apply_instance(db, backend, event, cloud.clock())
        else:
            applied = Applied.FOREIGN
    if applied is Applied.APPLIED:
        cloud.wake()
    return applied


@dataclass(frozen=True)
class Outcome:
    """A final operation, ready to be believed or not."""

    effect: Effect
    at: datetime
    ganeti_id: int
    fault: str | None


def _apply_job(db: Session, backend: Backend, event: messages.JobEvent, now: datetime) -> Applied:
    job = event.job
    found = _row_of(db, backend, event)
    if found is None:
        return _apply_foreign(db, backend, event, now)
    instance, row = found
    if job.status.rank <= row.status.rank:
        return Applied.STALE
    row.status = job.status
    row.heard_at = now
    if job.status.final:
        _settle(db, instance, row, event=event, now=now)
    elif row.action == Action.CREATE and row.status is JobStatus.RUNNING and instance.state is State.BUILDING:
        # from now on the cluster may have it
        instance.present = instance.present or None
    return Applied.APPLIED


def hold(db: Session, job_id: int) -> tuple[Instance, jobs.Job] | None:
    """Lock a job's instance and the job, in this order, until the transaction ends."""
    job = jobs.get(db, job_id)
    instance = instance_rows.lock(db, job.instance_id) if job is not None else None
    locked = jobs.lock(db, job_id) if instance is not None else None
    return (instance, locked) if instance is not None and locked is not None else None


def _row_of(db: Session, backend: Backend, event: messages.JobEvent) -> tuple[Instance, jobs.Job] | None:
    """Find and hold our job by its Ganeti id, or else by request, instance and opcode: the event may come first."""
    found = jobs.by_ganeti_id(db, event.cluster, event.job.id)
    if found is not None:
        return hold(db, found.id)
    opcodes = [op.opcode for op in event.job.ops]
    if event.job.request_id is None and Opcode.REINSTALL not in opcodes:
        return None
    candidate = jobs.unanswered(
        db,
        backend_id=backend.id,
        request_id=event.job.request_id,
        instance_name=event.job.ops[0].instance,
        opcodes=opcodes if event.job.request_id is not None else [Opcode.REINSTALL],
    )
    if candidate is None:
        # RAPI's answer may have been recorded between the two searches
        found = jobs.by_ganeti_id(db, event.cluster, event.job.id)
        return hold(db, found.id) if found is not None else None
    held = hold(db, candidate.id)
    if held is None or held[1].ganeti_id not in (None, event.job.id):
        return None
    answer(held[1], cluster=event.cluster, ganeti_id=event.job.id, at=event.job.received_at or event.seen_at)
    return held


def answer(job: jobs.Job, *, cluster: str, ganeti_id: int, at: datetime) -> None:
    """Record that Ganeti has the job, under which id. The row is held."""
    job.cluster = cluster
    job.ganeti_id = ganeti_id
    job.submitted_at = job.submitted_at or at
    job.claimed_by = None
    job.claimed_until = None


def _settle(db: Session, instance: Instance, row: jobs.Job, *, event: messages.JobEvent, now: datetime) -> None:
    """Finish a job of ours and apply what it did."""
    job = event.job
    failed = next((op for op in job.ops if op.error_class is not None), None)
    row.finished_at = now
    if failed is not None:
        row.error_class, row.error_code, row.error_text = failed.error_class, failed.error_code, failed.error_text
    for outcome, op in _outcomes(event):
        _believe(db, instance, outcome, now=now, action=Action(row.action))
        if op.node is not None and instance.state is not State.DELETED:
            instance.node = op.node
    conclude(db, instance, row, now)


def conclude(db: Session, instance: Instance, row: jobs.Job, now: datetime) -> None:
    """Draw the consequences of a job of ours that has ended, however it did. The rows are held."""
    done = row.status is JobStatus.SUCCESS
    ended = [row] if done else [row, *_withdraw_rest(db, row, now)]
    for each in ended:
        image_copies.conclude(db, each, why=_failure(row), now=now)
        attachments.conclude(db, each, now=now)
        firewall.conclude(db, each, now=now)
        told.conclude(db, each, now=now)
    if instance.state is not State.DELETED:
        resizes.conclude(db, instance, row, done=done, now=now)
        rebuilds.conclude(instance, row, done=done)
        rescues.conclude(instance, row, done=done, now=now)
        soft_deletes.conclude(db, instance, row, done=done, now=now)
    if instance.task_job_id in {job.id for job in ended}:
        instance.task = states.resting(instance)
        instance.task_job_id = None
        instance.progress = None
        instance.updated_at = now


def _failure(job: jobs.Job) -> str:
    """Say to a tenant that a job failed; Ganeti's own words name nodes and are for operators."""
    code = f" ({job.error_code})" if job.error_code else ""
    return f"{job.opcode} failed: {job.error_class or job.status}{code}"


def _withdraw_rest(db: Session, failed: jobs.Job, now: datetime) -> list[jobs.Job]:
    """Cancel what was to follow a job that failed, but for what has to be done always; give what was cancelled."""
    rest = [
        job
        for job in jobs.open_of_instance(db, failed.instance_id)
        if (job.request_id, job.action) == (failed.request_id, failed.action)
        and job.attempts == 0
        and not job.spec.get("always")
    ]
    for job in rest:
        job.status = JobStatus.CANCELED
        job.finished_at = now
        job.error_text = f"withdrawn: {failed.opcode} before it failed"
    return rest


def _apply_foreign(db: Session, backend: Backend, event: messages.JobEvent, now: datetime) -> Applied:
    """Believe a job that Syros did not submit (an operator's, the watcher's) as far as our instances go."""
    if not event.job.status.final:
        return Applied.FOREIGN
    applied = Applied.FOREIGN
    for outcome, op in _outcomes(event):
        if op.instance is None or names.instance_id(backend.prefix, op.instance) is None:
            continue
        instance = instance_rows.lock_by_name(db, backend.id, op.instance)
        if instance is None:
            continue
        if _believe(db, instance, outcome, now=now, action=None):
            applied = Applied.APPLIED
        elif applied is Applied.FOREIGN:
            applied = Applied.STALE
    return applied


def _outcomes(event: messages.JobEvent) -> list[tuple[Outcome, ganeti.Op]]:
    job = event.job
    return [
        (
            Outcome(
                effect=states.effect(op.opcode, op.status, error_class=op.error_class, error_code=op.error_code),
                at=op.ended_at or job.ended_at or event.seen_at,
                ganeti_id=job.id,
                fault=_fault(op),
            ),
            op,
        )
        for op in job.ops
        if op.status.final
    ]


def _fault(op: ganeti.Op) -> str | None:
    if op.error_class is None:
        return None
    code = f" ({op.error_code})" if op.error_code else ""
    return f"{op.opcode} failed: {op.error_class}{code}"


def _believe(db: Session, instance: Instance, outcome: Outcome, *, now: datetime, action: Action | None) -> bool:
    """Apply an outcome; tell whether it said anything new.

    What it says of the state counts unless a job that ended later has been believed already. That Ganeti is to be
    asked counts in any order, and moves no fact: whatever else ended, before or after, is still to be believed.
    """
    if instance.state is State.DELETED:
        return False
    effect = outcome.effect
    if effect.fault and action is not Action.CREATE:
        # Somebody else's create of the same name failed: that says nothing bad of the server that has it.
        effect = states.LOOK
    if effect.look:
        instance.look_wanted = True
        instance.updated_at = now
    if effect.state is None:
        return effect.look
    if effect.state is State.ACTIVE and instance.launched_at is None:
        instance.launched_at = now
    if not _is_news(instance, outcome, ours=action is not None):
        return effect.look
    instance.fact_at, instance.fact_job = outcome.at, outcome.ganeti_id
    _set_presence(db, instance, effect.presence)
    if effect.state is State.DELETED:
        _gone(db, instance, now=now, action=action)
    else:
        _move(db, instance, outcome, now=now, state=effect.state)
    if effect.cleanup and instance.task is not Task.DELETING:
        clean_up(db, instance, now=now)
    instance.updated_at = now
    return True


def _is_news(instance: Instance, outcome: Outcome, *, ours: bool) -> bool:
    """Tell whether an outcome is later than the last fact. A job of ours comes here once, others come again."""
    if instance.fact_at is None:
        return True
    fact, last = (outcome.at, outcome.ganeti_id), (instance.fact_at, instance.fact_job)
    return fact > last or (ours and fact == last)


def _set_presence(db: Session, instance: Instance, presence: Presence) -> None:
    if presence is Presence.YES:
        instance.present = True
        instance.missing_since = None
        quotas.charge(db, instance)
    elif presence is Presence.NO:
        instance.present = False


def _gone(db: Session, instance: Instance, *, now: datetime, action: Action | None) -> None:
    """The cluster does not have it any more; a failed create stays visible, for its owner to read the fault."""
    if action is Action.CLEANUP:
        quotas.release(db, instance)
        return
    instances.finish(db, instance, now)


def _move(db: Session, instance: Instance, outcome: Outcome, *, now: datetime, state: State) -> None:
    if outcome.effect.fault:
        instance.fault_code = 500
        instance.fault_message = outcome.fault or "the create was canceled"
        instance.fault_at = now
    elif state in (State.ACTIVE, State.STOPPED):
        instance.fault_code = instance.fault_message = instance.fault_at = None
    if state is State.ERROR and outcome.effect.presence is Presence.NO:
        quotas.release(db, instance)
    if state is State.ERROR and outcome.effect.cleanup:
        instance.present = None
    instance.state = state


def clean_up(db: Session, instance: Instance, *, now: datetime) -> None:
    """Have what a failed create may have left in the cluster removed. The instance's row is held."""
    instances.add_job(db, instance, action=Action.CLEANUP, request_id=names.new_request_id(), now=now)


def _apply_instance(db: Session, backend: Backend, event: messages.InstanceEvent, now: datetime) -> Applied:
    """Take the node and the NICs from a hook: the job that runs it has not ended, so nothing else follows."""
    if names.instance_id(backend.prefix, event.instance) is None:
        return Applied.FOREIGN
    instance = instance_rows.lock_by_name(db, backend.id, event.instance)
    if instance is None:
        return Applied.FOREIGN
    if instance.state is State.DELETED or (instance.fact_at is not None and event.at < instance.fact_at):
        return Applied.STALE
    nics = [nic_row(nic) for nic in event.nics]
    if (event.node, nics) == (instance.node, instance.nics):
        return Applied.STALE
    instance.node = event.node or instance.node
    instance.nics = nics
    instance.updated_at = now
    return Applied.APPLIED


def nic_row(nic: messages.Nic) -> dict[str, object]:
    """Give a NIC as the instance's row keeps it."""
    return dataclasses.asdict(nic)
