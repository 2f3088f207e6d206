"""Strangers: instances that a cluster has under our prefix and the database does not know."""

from __future__ import annotations

import click

from cloud import accounts, strangers
from manage import groups
from manage.commands import flavor as flavors
from manage.commands import instance as instances
from manage.commands import job as jobs
from manage.context import Context

pass_context = click.make_pass_decorator(Context)


@click.group(cls=groups.Group)
def stranger() -> None:
    """Instances that the clusters have and the database does not."""


@stranger.command(name="list")
@pass_context
def list_(context: Context) -> None:
    """List those that the last reconciliations saw; ram in MiB."""
    backend_of = jobs.backend_names(context)
    rows = [
        {
            "backend": backend_of.get(row.backend_id),
            "name": row.name,
            "status": row.status,
            "vcpus": row.vcpus,
            "ram": row.ram,
            "node": row.node,
            "first_seen_at": row.first_seen_at,
            "last_seen_at": row.last_seen_at,
        }
        for row in strangers.all_strangers(context.cloud)
    ]
    columns = ("backend", "name", "status", "vcpus", "ram", "node", "first_seen_at", "last_seen_at")
    context.output.rows(rows, columns)


@stranger.command()
@click.argument("backend")
@click.argument("name")
@click.option("--project", required=True, help="who is to own it; it counts for the quota, allowed or not")
@click.option("--user", required=True, help="who is to have created it")
@click.option("--flavor", required=True, help="by id or name; its disk size is believed")
@click.option("--label", help="the server's name for its owner [default: Ganeti's name]")
@pass_context
def adopt(
    context: Context, backend: str, name: str, *, project: str, user: str, flavor: str, label: str | None
) -> None:
    """Make a stranger a server of a project."""
    owner = accounts.project(context.cloud, project)
    creator = accounts.user(context.cloud, user)
    row = strangers.adopt(
        context.cloud,
        context.caller(user_id=creator.id, project_id=owner.id),
        backend_name=backend,
        name=name,
        project_id=owner.id,
        flavor_id=flavors.find(context, flavor).id,
        label=label or name,
    )
    context.output.item(instances.Labels.of(context).item(row))
