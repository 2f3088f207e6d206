"""What becomes of a port when the job that was to attach or detach it has ended, however it did."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from cloud import departures, states
from cloud.states import Action
from common.jobs import JobStatus, Opcode
from db import floating_ips, jobs

#: errors after which nobody knows whether Ganeti has changed the instance
_UNKNOWN = (jobs.LOST, "JobDied")


def conclude(db: Session, job: jobs.Job, *, now: datetime) -> None:
    """Take in that a job has ended. What neither attaches nor detaches changes nothing; the job's row is held.

    The instance keeps a port that its NIC may still have: an address is given to another only when nobody uses it.
    """
    if job.opcode != Opcode.SET_PARAMS:
        return
    done = job.status is JobStatus.SUCCESS
    if job.action == Action.ATTACH_INTERFACE:
        leaves = not done and job.error_class not in _UNKNOWN
    elif job.action == Action.DETACH_INTERFACE:
        # a NIC that is not there has been detached
        leaves = done or job.error_code == states.UNKNOWN_ENTITY
        if not leaves:
            floating_ips.stay(db, str(job.spec["port_id"]))
    else:
        return
    if leaves:
        removed = bool(job.spec.get("removed"))
        departures.let_go(db, str(job.spec["port_id"]), instance_id=job.instance_id, now=now, removed=removed)
