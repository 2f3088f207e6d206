"""Quotas: limits and usages, and whether the usages are true."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click

from cloud import accounts, quotas
from db.quotas import Resource
from manage import groups, output
from manage.context import Context
from manage.failures import Exit

P = ParamSpec("P")
R = TypeVar("R")

COLUMNS = ("resource", "limit", "used")
_WHAT = {
    Resource.INSTANCES: "servers",
    Resource.CORES: "vCPUs",
    Resource.RAM: "MiB of memory",
    Resource.NETWORKS: "networks of its own",
    Resource.FLOATING_IPS: "floating IPs",
    Resource.PORTS: "ports, those of its servers among them",
    Resource.SECURITY_GROUPS: "security groups",
    Resource.SECURITY_GROUP_RULES: "rules of its security groups",
}

pass_context = click.make_pass_decorator(Context)


def _option(resource: Resource) -> str:
    return f"--{resource.replace('_', '-')}"


def limit_options(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command an option for each resource."""
    for resource, what in reversed(_WHAT.items()):
        command = click.option(_option(resource), type=click.IntRange(min=-1), help=f"{what}; -1 for no limit")(command)
    return command


@click.group(cls=groups.Group)
def quota() -> None:
    """Limits and usages of projects."""


@quota.command()
@click.argument("project")
@pass_context
def show(context: Context, project: str) -> None:
    """Show a project's limits and usages."""
    change(context, project)


@quota.command(name="set")
@click.argument("project")
@limit_options
@pass_context
def set_(context: Context, /, project: str, **limits: int | None) -> None:
    """Change a project's limits."""
    if all(value is None for value in limits.values()):
        raise click.UsageError(f"give {', '.join(_option(resource) for resource in Resource)}, or some of them")
    change(context, project, **limits)


@quota.command()
@click.option("--repair", is_flag=True, help="recount what is wrong")
@pass_context
def audit(context: Context, *, repair: bool) -> None:
    """Compare every usage with the instances that it should count; exit 1 if one is wrong and stays so."""
    names = {row.id: row.name for row in accounts.all_projects(context.cloud)}
    drifts = quotas.audit(context.cloud, repair=repair)
    rows = [
        {
            "project": names.get(drift.project_id),
            "project_id": drift.project_id,
            "resource": drift.resource,
            "recorded": drift.recorded,
            "actual": drift.actual,
            "repaired": repair,
        }
        for drift in drifts
    ]
    context.output.rows(rows, ("project", "resource", "recorded", "actual", "repaired"))
    if drifts and not repair:
        raise click.exceptions.Exit(Exit.WRONG)


def change(context: Context, project: str, **limits: int | None) -> None:
    """Set the limits that are not None, by the names of resources, then show how the project stands."""
    row = accounts.project(context.cloud, project)
    wanted = {Resource(name): value for name, value in limits.items() if value is not None}
    if wanted:
        quotas.set_limits(context.cloud, row.id, wanted)
    context.output.rows(standing(context, row.id), COLUMNS)


def standing(context: Context, project_id: str) -> list[output.Item]:
    """List a project's resources with limit and usage; a limit of -1 is none."""
    found = quotas.standing(context.cloud, project_id)
    return [{"resource": resource, "limit": held.limit, "used": held.used} for resource, held in found.items()]
