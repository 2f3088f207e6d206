"""Requests: the whole story of one click."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import click

from cloud import backends
from cloud.states import Action
from common import jobs as ganeti
from common import names
from common.errors import Invalid, NotFound
from db import instances as instance_rows
from db import jobs as job_rows
from db import requests
from db.backends import Backend
from db.instances import Instance
from db.jobs import Job
from db.requests import Request
from manage import groups, output, story
from manage.commands import instance as instances
from manage.commands import job as jobs
from manage.context import Context
from rapi.errors import RapiError

pass_context = click.make_pass_decorator(Context)

_STORY = ("at", "after_ms", "source", "event", "subject", "text")
_INSTANCES = ("id", "name", "project", "backend", "node", "state", "task", "fault")
_JOBS = ("id", "backend", "ganeti_id", "action", "opcode", "status", "instance_id", "error_text")


@click.group(cls=groups.Group)
def request() -> None:
    """What was asked of the API."""


@request.command()
@click.argument("request_id", metavar="REQ-ID")
@click.option("--ganeti/--no-ganeti", default=True, help="ask the clusters for their side [default: ask]")
@pass_context
def show(context: Context, request_id: str, *, ganeti: bool) -> None:
    """Tell the whole story of one click: request, jobs, Ganeti's own words, instances; in order of time."""
    if not names.is_request_id(request_id):
        raise Invalid(f"{request_id} is not a request id: req-, then a UUID")
    records = _records(context, request_id)
    told = _ask(context, records.jobs) if ganeti else {}
    labels = instances.Labels.of(context)
    context.output.item(
        {
            "request": request_id,
            **_head(records.request, labels),
            "story": _lines(story.tell(records.request, records.jobs, records.instances, told=told)),
            "jobs": [jobs.item(row, labels.backends) for row in records.jobs],
            "instances": [labels.item(row) for row in records.instances],
        },
        {"story": _STORY, "jobs": _JOBS, "instances": _INSTANCES},
    )


@dataclass(frozen=True)
class Records:
    """The rows that carry one request id, or follow from those that do."""

    request: Request | None
    jobs: Sequence[Job]
    instances: Sequence[Instance]


def _records(context: Context, request_id: str) -> Records:
    with context.cloud.sessions.read() as db:
        logged = requests.get(db, request_id)
        found = list(job_rows.of_request(db, request_id))
        touched = [instance_rows.get(db, name) for name in dict.fromkeys(job.instance_id for job in found)]
        # a create that failed has its remains removed under a request id of its own: the same story
        created = {job.instance_id for job in found if job.action == Action.CREATE}
        for name in created:
            found += [job for job in job_rows.of_instance(db, name) if job.action == Action.CLEANUP]
    if logged is None and not found:
        raise NotFound(f"nothing is known of {request_id}")
    # a clean-up asked for by its own id is in both lists
    unique = {job.id: job for job in found}
    return Records(logged, [unique[key] for key in sorted(unique)], [row for row in touched if row is not None])


def _ask(context: Context, rows: Sequence[Job]) -> dict[int, story.Told]:
    """Give what the clusters tell of the jobs; one that can't be asked is left out, with a word about it."""
    by_id = {row.id: row for row in backends.usable(context.cloud)}
    told = {}
    for backend_id in sorted({row.backend_id for row in rows if row.ganeti_id is not None}):
        backend = by_id.get(backend_id)
        if backend is None:
            continue
        ours = [row for row in rows if row.backend_id == backend_id and row.cluster == backend.cluster]
        try:
            with context.output.progress(f"asking {backend.name}"):
                told.update(_told_by(context, backend, ours))
        except RapiError as err:
            output.note(f"backend {backend.name} could not be asked: {err}")
    return told


def _told_by(context: Context, backend: Backend, rows: Sequence[Job]) -> dict[int, story.Told]:
    client = context.clients.of(backend)
    told = {}
    for row in rows:
        document = client.get_job(row.ganeti_id) if row.ganeti_id is not None else None
        if document is None:
            continue
        try:
            told[row.id] = story.Told(ganeti.from_rapi(document), story.read_log(document))
        except ganeti.Malformed as err:
            output.note(f"backend {backend.name}: job {row.ganeti_id} can't be read: {err}")
    return told


def _lines(lines: Sequence[story.Line]) -> list[output.Item]:
    """Give the lines, each with the milliseconds since the first."""
    return [{"after_ms": round((line.at - lines[0].at).total_seconds() * 1000), **asdict(line)} for line in lines]


def _head(row: Request | None, labels: instances.Labels) -> dict[str, object]:
    if row is None:
        return {"logged": False}
    return {
        "logged": True,
        "method": row.method,
        "path": row.path,
        "status": row.status,
        "message": row.message,
        "user": labels.users.get(row.user_id or ""),
        "user_id": row.user_id,
        "project": labels.projects.get(row.project_id or ""),
        "project_id": row.project_id,
        "remote": row.remote,
        "milliseconds": row.milliseconds,
        "at": row.at,
    }
