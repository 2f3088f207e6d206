"""Jobs of servers that end, without a Ganeti to do them."""

from __future__ import annotations

from cloud import events
from cloud.context import Cloud
from common.jobs import JobStatus
from db import jobs


def end_jobs(cloud: Cloud, server: str) -> None:
    """Have all that was begun end well."""
    with cloud.sessions.read() as db:
        waiting = [job.id for job in jobs.open_of_instance(db, server)]
    for job_id in waiting:
        with cloud.sessions.begin() as db:
            held = events.hold(db, job_id)
            assert held is not None
            instance, job = held
            job.status, job.finished_at = JobStatus.SUCCESS, cloud.clock()
            events.conclude(db, instance, job, cloud.clock())
