"""The story of one request, told in order of time: what each part of the cloud wrote down about it.

Facts come from rows that are kept anyway, and from Ganeti where it can be asked; nothing here calls anybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from common import clock
from common import jobs as ganeti
from db.instances import Instance
from db.jobs import Job
from db.requests import Request


class Source(StrEnum):
    """Who wrote a line down."""

    API = "api"
    #: our row for a job
    JOB = "job"
    GANETI = "ganeti"
    INSTANCE = "instance"


@dataclass(frozen=True)
class Line:
    """One thing that happened; `subject` is a Ganeti job or an instance."""

    at: datetime
    source: Source
    event: str
    subject: str = ""
    text: str = ""


@dataclass(frozen=True)
class Told:
    """A job as Ganeti tells it: its values, and its log's lines with their times."""

    job: ganeti.Job
    log: tuple[tuple[datetime, str], ...]


def tell(
    request: Request | None, jobs: Sequence[Job], instances: Sequence[Instance], *, told: Mapping[int, Told]
) -> list[Line]:
    """Order everything by time; `told` is by our jobs' ids. What happened at one time keeps its order of cause."""
    lines = [*_of_request(request)]
    for job in jobs:
        lines += _of_job(job)
        if job.id in told:
            lines += _of_ganeti(job, told[job.id])
    for instance in instances:
        lines += _of_instance(instance)
    return sorted(lines, key=lambda line: line.at)


def read_log(row: Mapping[str, object]) -> tuple[tuple[datetime, str], ...]:
    """Read `oplog` of a job as RAPI shows it: for each operation a list of [serial, [s, us], kind, message]."""
    lines = []
    logs = row.get("oplog")
    for entries in logs if isinstance(logs, list) else []:
        for entry in entries if isinstance(entries, list) else []:
            at = clock.from_ganeti(entry[1]) if isinstance(entry, list) and len(entry) == 4 else None
            if at is not None and isinstance(entry[3], str):
                lines.append((at, entry[3].strip()))
    return tuple(lines)


def _of_request(request: Request | None) -> Iterator[Line]:
    if request is None:
        return
    came = request.at - timedelta(milliseconds=request.milliseconds)
    yield Line(came, Source.API, "asked", text=f"{request.method} {request.path} from {request.remote or 'somewhere'}")
    words = f"{request.status} after {request.milliseconds} ms" + (f": {request.message}" if request.message else "")
    yield Line(request.at, Source.API, "answered", text=words)


def _of_job(job: Job) -> Iterator[Line]:
    yield Line(
        job.created_at, Source.JOB, "wanted", job.instance_id, f"{job.action} by {job.opcode} (our job {job.id})"
    )
    if job.submitted_at is not None:
        tries = f" at call {job.attempts}" if job.attempts > 1 else ""
        yield Line(job.submitted_at, Source.JOB, "submitted", _number(job), f"Ganeti answered{tries}")
    if job.finished_at is not None:
        yield Line(job.finished_at, Source.JOB, f"ended: {job.status}", _number(job), _error(job))
    elif job.heard_at is not None:
        yield Line(job.heard_at, Source.JOB, f"heard: {job.status}", _number(job))


def _of_ganeti(job: Job, told: Told) -> Iterator[Line]:
    number = _number(job)
    for at, event in (
        (told.job.received_at, "queued"),
        (told.job.started_at, "started"),
    ):
        if at is not None:
            yield Line(at, Source.GANETI, event, number, ", ".join(op.opcode for op in told.job.ops))
    for at, words in told.log:
        yield Line(at, Source.GANETI, "log", number, words)
    for op in told.job.ops:
        if op.ended_at is not None:
            yield Line(op.ended_at, Source.GANETI, f"op {op.status}", number, _op(op))
    if told.job.ended_at is not None:
        yield Line(told.job.ended_at, Source.GANETI, told.job.status, number)


def _of_instance(row: Instance) -> Iterator[Line]:
    if row.launched_at is not None:
        yield Line(row.launched_at, Source.INSTANCE, "first ran", row.id)
    if row.fault_at is not None:
        yield Line(row.fault_at, Source.INSTANCE, "fault", row.id, row.fault_message or "")
    if row.deleted_at is not None:
        yield Line(row.deleted_at, Source.INSTANCE, "gone", row.id)
    else:
        task = f", {row.task}" if row.task else ""
        node = f" on {row.node}" if row.node else ""
        yield Line(row.updated_at, Source.INSTANCE, "is now", row.id, f"{row.state}{task}{node}")


def _op(op: ganeti.Op) -> str:
    parts = [op.opcode, op.node and f"on {op.node}", op.error_class, op.error_code, op.error_text]
    return " ".join(part for part in parts if part)


def _error(job: Job) -> str:
    parts = [job.error_class, job.error_code, job.error_text]
    return " ".join(part for part in parts if part)


def _number(job: Job) -> str:
    return f"job {job.ganeti_id}" if job.ganeti_id is not None else f"our job {job.id}"
