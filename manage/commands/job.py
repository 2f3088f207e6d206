"""Jobs: what was asked of Ganeti, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from cloud import backends
from common.errors import Invalid, NotFound
from db import jobs
from db.jobs import Job
from manage import groups, output
from manage.context import Context

pass_context = click.make_pass_decorator(Context)

COLUMNS = (
    "id", "backend", "ganeti_id", "action", "status", "instance_id", "request_id", "created_at", "finished_at",
    "error_text",
)  # fmt: skip


@click.group(cls=groups.Group)
def job() -> None:
    """What was asked of Ganeti."""


@job.command(name="list")
@click.option("--backend")
@click.option("--instance", help="an instance's id")
@click.option("--request", help="a request's id")
@click.option("--open", "open_only", is_flag=True, help="unfinished ones only")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--marker", type=int, help="go on before the job with this number")
@pass_context
def list_(
    context: Context,
    *,
    backend: str | None,
    instance: str | None,
    request: str | None,
    open_only: bool,
    limit: int,
    marker: int | None,
) -> None:
    """List jobs, newest first."""
    if instance is not None and request is not None:
        raise click.UsageError("--instance and --request exclude each other")
    backend_id = backends.get(context.cloud, backend).id if backend else None
    with context.cloud.sessions.read() as db:
        if instance is None and request is None:
            rows = jobs.page(db, limit=limit, after=marker, open_only=open_only, backend_id=backend_id)
        else:
            found = jobs.of_instance(db, instance) if instance else list(reversed(jobs.of_request(db, request or "")))
            rows = _narrow(found, open_only=open_only, backend_id=backend_id, before=marker)[:limit]
    backend_of = backend_names(context)
    context.output.rows([item(row, backend_of) for row in rows], COLUMNS)


@job.command()
@click.argument("name", metavar="ID")
@pass_context
def show(context: Context, name: str) -> None:
    """Show a job: by our number, or by Ganeti's as BACKEND/NUMBER."""
    context.output.item(item(_find(context, name), backend_names(context)))


def item(row: Job, backend_of: dict[int, str]) -> output.Item:
    """Give all of a job."""
    return {
        "id": row.id,
        "backend": backend_of.get(row.backend_id),
        "cluster": row.cluster,
        "ganeti_id": row.ganeti_id,
        "instance_id": row.instance_id,
        "request_id": row.request_id,
        "user_id": row.user_id,
        "project_id": row.project_id,
        "action": row.action,
        "opcode": row.opcode,
        "status": row.status,
        "attempts": row.attempts,
        "claimed_by": row.claimed_by,
        "claimed_until": row.claimed_until,
        "error_class": row.error_class,
        "error_code": row.error_code,
        "error_text": row.error_text,
        "created_at": row.created_at,
        "submitted_at": row.submitted_at,
        "heard_at": row.heard_at,
        "finished_at": row.finished_at,
    }


def backend_names(context: Context) -> dict[int, str]:
    """Map the backends' ids to their names."""
    return {row.id: row.name for row in backends.all_backends(context.cloud)}


def _find(context: Context, name: str) -> Job:
    backend, slash, number = name.rpartition("/")
    if not number.isdecimal():
        raise Invalid(f"{name} is neither a job's number nor BACKEND/NUMBER")
    # a cluster that was never refreshed has no UUID, and no job of ours
    cluster = (backends.get(context.cloud, backend).cluster or "") if slash else None
    with context.cloud.sessions.read() as db:
        row = jobs.get(db, int(number)) if cluster is None else jobs.by_ganeti_id(db, cluster, int(number))
    if row is None:
        raise NotFound(f"there is no job {name}")
    return row


def _narrow(rows: Sequence[Job], *, open_only: bool, backend_id: int | None, before: int | None) -> list[Job]:
    return [
        row
        for row in rows
        if not (open_only and row.finished_at is not None)
        and backend_id in (None, row.backend_id)
        and (before is None or row.id < before)
    ]
