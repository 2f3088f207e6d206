"""Ganeti's jobs as values: statuses with their rank, and the JSON of a job file read into named fields.

The same reading serves job files on disk and, by `from_rapi`, jobs as the RAPI shows them.
Source: Ganeti 3.0, doc/rapi.rst and the job files of a real master.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from common import clock, names


class JobStatus(StrEnum):
    """Ganeti's words, and one of ours before them."""

    #: our row exists; Ganeti may or may not have heard of it
    SUBMITTING = "submitting"
    QUEUED = "queued"
    WAITING = "waiting"
    CANCELING = "canceling"
    RUNNING = "running"
    CANCELED = "canceled"
    ERROR = "error"
    SUCCESS = "success"

    @property
    def rank(self) -> int:
        """How far along: an event with a rank not above the recorded one says nothing new."""
        return _RANKS[self]

    @property
    def final(self) -> bool:
        return self.rank == _FINAL


_FINAL = 4
_RANKS = {
    JobStatus.SUBMITTING: 0,
    JobStatus.QUEUED: 1,
    JobStatus.WAITING: 2,
    JobStatus.RUNNING: 3,
    JobStatus.CANCELING: 3,
    JobStatus.CANCELED: _FINAL,
    JobStatus.ERROR: _FINAL,
    JobStatus.SUCCESS: _FINAL,
}


class Opcode(StrEnum):
    """The opcodes that Syros submits or gives a meaning to; others pass through as text."""

    CREATE = "OP_INSTANCE_CREATE"
    STARTUP = "OP_INSTANCE_STARTUP"
    SHUTDOWN = "OP_INSTANCE_SHUTDOWN"
    REBOOT = "OP_INSTANCE_REBOOT"
    REINSTALL = "OP_INSTANCE_REINSTALL"
    REMOVE = "OP_INSTANCE_REMOVE"
    RENAME = "OP_INSTANCE_RENAME"
    SET_PARAMS = "OP_INSTANCE_SET_PARAMS"
    GROW_DISK = "OP_INSTANCE_GROW_DISK"
    MIGRATE = "OP_INSTANCE_MIGRATE"
    FAILOVER = "OP_INSTANCE_FAILOVER"
    EXPORT = "OP_BACKUP_EXPORT"
    TAGS_SET = "OP_TAGS_SET"
    TAGS_DEL = "OP_TAGS_DEL"


class Malformed(Exception):
    """The bytes are not a Ganeti job; the text says where."""


@dataclass(frozen=True)
class Op:
    """One operation of a job, as far as anybody outside Ganeti needs to know."""

    opcode: str
    status: JobStatus
    instance: str | None
    error_class: str | None = None
    error_code: str | None = None
    error_text: str | None = None
    #: the primary node that a create chose
    node: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Job:
    """A job at one moment."""

    id: int
    status: JobStatus
    ops: tuple[Op, ...]
    request_id: str | None
    #: who asked, from the reason trail: gnt:user, gnt:watcher, gnt:client:gnt-instance...
    origin: str | None
    received_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


Json = Mapping[str, object]


def parse(document: object) -> Job:
    """Read the JSON of a job file; raise Malformed if it is not one."""
    doc = _mapping(document, "job")
    job_id = doc.get("id")
    if not isinstance(job_id, int) or isinstance(job_id, bool):
        raise Malformed(f"job id is {job_id!r}")
    raw_ops = _list(doc.get("ops"), "ops")
    if not raw_ops:
        raise Malformed(f"job {job_id} has no operations")
    inputs = [_mapping(_mapping(op, "op").get("input"), "input") for op in raw_ops]
    ops = tuple(_op_from_file(_mapping(op, "op")) for op in raw_ops)
    return Job(
        id=job_id,
        status=job_status([op.status for op in ops]),
        ops=ops,
        request_id=request_id_of(inputs[0]),
        origin=_origin(inputs[0]),
        received_at=clock.from_ganeti(doc.get("received_timestamp")),
        started_at=clock.from_ganeti(doc.get("start_timestamp")),
        ended_at=clock.from_ganeti(doc.get("end_timestamp")),
    )


def from_rapi(document: object) -> Job:
    """Read a job as `GET /2/jobs/N` or a row of `GET /2/jobs?bulk=1` shows it.

    The bulk form has no results: a failed job then has no error class.
    """
    doc = _mapping(document, "job")
    job_id = doc.get("id")
    if not isinstance(job_id, int):
        raise Malformed(f"job id is {job_id!r}")
    inputs = [_mapping(op, "op") for op in _list(doc.get("ops"), "ops")]
    statuses = [_status(text) for text in _list(doc.get("opstatus"), "opstatus")]
    results = doc.get("opresult")
    shown = results if isinstance(results, list) else [None] * len(inputs)
    if not inputs or not len(inputs) == len(statuses) == len(shown):
        raise Malformed(f"job {job_id} has {len(inputs)} operations, {len(statuses)} statuses, {len(shown)} results")
    ended_at = clock.from_ganeti(doc.get("end_ts"))
    return Job(
        id=job_id,
        status=job_status(statuses),
        ops=tuple(
            _op(inp, status=status, result=result, ended_at=ended_at)
            for inp, status, result in zip(inputs, statuses, shown, strict=True)
        ),
        request_id=request_id_of(inputs[0]),
        origin=_origin(inputs[0]),
        received_at=clock.from_ganeti(doc.get("received_ts")),
        started_at=clock.from_ganeti(doc.get("start_ts")),
        ended_at=ended_at,
    )


def job_status(ops: list[JobStatus]) -> JobStatus:
    """Compute a job's status from its operations': Ganeti's CalcStatus, but never backwards.

    Ganeti calls a job queued or waiting again between two of its operations; here it is running from its first on.
    """
    status = JobStatus.QUEUED
    all_success = True
    for op in ops:
        if op is JobStatus.SUCCESS:
            continue
        all_success = False
        if op is JobStatus.WAITING:
            status = JobStatus.WAITING
        elif op is JobStatus.RUNNING:
            status = JobStatus.RUNNING
        elif op in _DECISIVE:
            return op
    if all_success:
        return JobStatus.SUCCESS
    return JobStatus.RUNNING if JobStatus.SUCCESS in ops else status


_DECISIVE = {JobStatus.CANCELING, JobStatus.ERROR, JobStatus.CANCELED}


def request_id_of(op_input: Json) -> str | None:
    """Find the request id that the reason trail carries; None for jobs that Syros did not submit.

    Only the user's own entry counts: child jobs inherit their parent's trail, and their entry is still
    the first, so the caller tells them apart by instance and opcode.
    """
    for entry in _trail(op_input):
        if entry[0] == "gnt:user" and names.is_request_id(entry[1]):
            return entry[1]
    return None


def outcome_of(result: object) -> tuple[str, str | None, str] | None:
    """Read the error out of an opresult: (class, code, text), or None if it says no error.

    A failed operation's result is `[class, [args]]`, a plain text (its process died, or it was cancelled), or null.
    """
    if isinstance(result, str):
        return ("JobDied" if "death" in result else "JobCanceled", None, result)
    if not isinstance(result, list) or len(result) != 2:
        return None
    name, args = result
    if not isinstance(name, str) or not isinstance(args, list):
        return None
    texts = [arg for arg in args if isinstance(arg, str)]
    code = texts[1] if name == "OpPrereqError" and len(texts) > 1 else None
    return (name, code, texts[0] if texts else str(args))


def _op_from_file(op: Json) -> Op:
    return _op(
        _mapping(op.get("input"), "input"),
        status=_status(op.get("status")),
        result=op.get("result"),
        ended_at=clock.from_ganeti(op.get("end_timestamp")),
    )


def _op(op_input: Json, *, status: JobStatus, result: object, ended_at: datetime | None) -> Op:
    opcode = op_input.get("OP_ID")
    if not isinstance(opcode, str):
        raise Malformed(f"OP_ID is {opcode!r}")
    instance = op_input.get("instance_name")
    if opcode in (Opcode.TAGS_SET, Opcode.TAGS_DEL) and op_input.get("kind") == "instance":
        instance = op_input.get("name")
    error = outcome_of(result) if status in (JobStatus.ERROR, JobStatus.CANCELED) else None
    created = opcode == Opcode.CREATE and status is JobStatus.SUCCESS and isinstance(result, list) and result
    node = result[0] if created and isinstance(result, list) else None
    return Op(
        opcode=opcode,
        status=status,
        instance=instance if isinstance(instance, str) else None,
        error_class=error[0] if error else None,
        error_code=error[1] if error else None,
        error_text=error[2] if error else None,
        node=node if isinstance(node, str) else None,
        ended_at=ended_at,
    )


def _origin(op_input: Json) -> str | None:
    trail = _trail(op_input)
    return trail[0][0] if trail else None


def _trail(op_input: Json) -> list[tuple[str, str]]:
    reason = op_input.get("reason")
    if not isinstance(reason, list):
        return []
    return [
        (entry[0], entry[1])
        for entry in reason
        if isinstance(entry, list) and len(entry) >= 2 and isinstance(entry[0], str) and isinstance(entry[1], str)
    ]


def _status(text: object) -> JobStatus:
    try:
        return JobStatus(str(text))
    except ValueError:
        raise Malformed(f"status is {text!r}") from None


def _mapping(value: object, what: str) -> Json:
    if not isinstance(value, dict):
        raise Malformed(f"{what} is not an object")
    return value


def _list(value: object, what: str) -> list[object]:
    if not isinstance(value, list):
        raise Malformed(f"{what} is not a list")
    return value
