"""What was last published of each job, so that writes which only add log lines publish nothing."""

from __future__ import annotations

from datetime import datetime

from common import jobs

#: the received time is part of it: job ids restart when a cluster is made anew
Fingerprint = tuple[datetime | None, tuple[jobs.JobStatus, ...]]

_KEPT_FINISHED = 2000


def fingerprint(job: jobs.Job) -> Fingerprint:
    """Give what makes two readings of a job's file different events."""
    return (job.received_at, tuple(op.status for op in job.ops))


class Seen:
    """Fingerprints of all unfinished jobs and the latest finished ones."""

    def __init__(self) -> None:
        self._under_way: dict[int, Fingerprint] = {}
        self._finished: dict[int, Fingerprint] = {}

    def has(self, job: jobs.Job) -> bool:
        """Tell whether this very state was published before."""
        mark = fingerprint(job)
        return mark in (self._under_way.get(job.id), self._finished.get(job.id))

    def add(self, job: jobs.Job) -> None:
        """Note that the broker has confirmed this state."""
        self.forget(job.id)
        if not job.status.final:
            self._under_way[job.id] = fingerprint(job)
            return
        self._finished[job.id] = fingerprint(job)
        while len(self._finished) > _KEPT_FINISHED:
            del self._finished[next(iter(self._finished))]

    def unfinished(self) -> list[int]:
        """List the jobs whose end was not published yet."""
        return list(self._under_way)

    def forget(self, job_id: int) -> None:
        self._under_way.pop(job_id, None)
        self._finished.pop(job_id, None)

    def clear(self) -> None:
        self._under_way.clear()
        self._finished.clear()
