"""Instances of all projects, as an operator sees them."""

from __future__ import annotations

from dataclasses import dataclass

import click

from cloud import accounts, backends, consoles, instances
from common import names
from common.errors import NotFound
from db import instances as instance_rows
from db import jobs as job_rows
from db.instances import Filter, Instance, State
from manage import groups, output
from manage.commands import job as jobs
from manage.commands import role as roles
from manage.context import Context

pass_context = click.make_pass_decorator(Context)

_COLUMNS = ("id", "name", "project", "backend", "node", "ganeti_name", "flavor", "state", "task", "created_at")


@click.group(cls=groups.Group)
def instance() -> None:
    """Servers of all projects."""


@instance.command(name="list")
@click.option("--project", help="by id or name")
@click.option("--user", help="by id or name")
@click.option("--backend")
@click.option("--node", help="whose primary node this is")
@click.option("--state", type=click.Choice([state.value for state in State]))
@click.option("--name", help="regular expression on the tenant's name")
@click.option("--flavor", help="a flavor's id")
@click.option("--image", help="an image's id")
@click.option("--deleted", is_flag=True, help="those that are gone")
@click.option("--limit", type=click.IntRange(min=1), default=500, show_default=True)
@click.option("--marker", help="go on after the instance with this id")
@pass_context
def list_(
    context: Context,
    *,
    project: str | None,
    user: str | None,
    backend: str | None,
    node: str | None,
    state: str | None,
    name: str | None,
    flavor: str | None,
    image: str | None,
    deleted: bool,
    limit: int,
    marker: str | None,
) -> None:
    """List instances, newest first."""
    wanted = Filter(
        project_id=accounts.project(context.cloud, project).id if project else None,
        user_id=accounts.user(context.cloud, user).id if user else None,
        backend_id=backends.get(context.cloud, backend).id if backend else None,
        host=node,
        conditions=[(State(state), None)] if state else None,
        name=name,
        flavor_id=flavor,
        image_id=image,
        deleted=deleted or state == State.DELETED,
    )
    rows = instances.page(context.cloud, context.caller(), wanted, limit=limit + 1, marker=marker)
    labels = Labels.of(context)
    context.output.rows([labels.item(row) for row in rows[:limit]], _COLUMNS)
    if len(rows) > limit:
        output.note(f"there are more: --marker {rows[limit - 1].id}")


@instance.command()
@click.argument("name")
@pass_context
def show(context: Context, name: str) -> None:
    """Show an instance, by id or Ganeti's name, deleted or not, with its jobs."""
    labels = Labels.of(context)
    row, held = _find(context, name)
    context.output.item(
        {**labels.item(row), **_details(row), "jobs": [jobs.item(job, labels.backends) for job in held]},
        {"jobs": jobs.COLUMNS, "nics": ("index", "mac", "ip", "mode", "link", "network")},
    )


@instance.command(name="console-log")
@click.argument("name")
@click.option("--lines", type=click.IntRange(min=0), help="the last so many; all that is kept if not given")
@pass_context
def console_log(context: Context, name: str, lines: int | None) -> None:
    """Print what an instance's guest has printed on its serial console; by id or Ganeti's name."""
    row, _ = _find(context, name)
    click.echo(consoles.output(context.cloud, context.caller(), context.serial_logs, row.id, lines=lines))


@dataclass(frozen=True)
class Labels:
    """The names behind the ids that instances carry."""

    projects: dict[str, str]
    users: dict[str, str]
    backends: dict[int, str]

    @classmethod
    def of(cls, context: Context) -> Labels:
        return cls(
            projects=roles.project_names(context),
            users={row.id: row.name for row in accounts.all_users(context.cloud)},
            backends={row.id: row.name for row in backends.all_backends(context.cloud)},
        )

    def item(self, row: Instance) -> dict[str, object]:
        """Give what lists show of an instance."""
        return {
            "id": row.id,
            "name": row.name,
            "project": self.projects.get(row.project_id),
            "project_id": row.project_id,
            "user": self.users.get(row.user_id),
            "user_id": row.user_id,
            "backend": self.backends.get(row.backend_id),
            "node": row.node,
            "ganeti_name": row.ganeti_name,
            "flavor": row.flavor_name,
            "vcpus": row.vcpus,
            "ram": row.ram,
            "disk": row.disk,
            "state": row.state,
            "task": row.task,
            "fault": row.fault_message,
            "fault_at": row.fault_at,
            "created_at": row.created_at,
            "launched_at": row.launched_at,
            "updated_at": row.updated_at,
            "deleted_at": row.deleted_at,
        }


def _find(context: Context, name: str) -> tuple[Instance, list[job_rows.Job]]:
    ids = [names.instance_id(backend.prefix, name) for backend in backends.all_backends(context.cloud)]
    with context.cloud.sessions.read() as db:
        for instance_id in [name, *filter(None, ids)]:
            row = instance_rows.get(db, instance_id)
            if row is not None:
                return row, list(job_rows.of_instance(db, row.id))
    raise NotFound(f"there is no instance {name}")


def _details(row: Instance) -> output.Item:
    return {
        "description": row.description,
        "image_id": row.image_id,
        "key_name": row.key_name,
        "metadata": dict(row.meta),
        "present": row.present,
        "charged": row.charged,
        "look_wanted": row.look_wanted,
        "missing_since": row.missing_since,
        "console_port": row.console_port,
        "reservation_id": row.reservation_id,
        "fact_at": row.fact_at,
        "fact_job": row.fact_job,
        "nics": list(row.nics),
    }
