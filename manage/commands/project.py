"""Projects: the tenants."""

from __future__ import annotations

import click

from cloud import accounts
from db.projects import Project
from manage import asking, groups, output
from manage.commands import quota as quotas
from manage.context import Context

pass_context = click.make_pass_decorator(Context)

_COLUMNS = ("id", "name", "enabled", "description", "created_at")


@click.group(cls=groups.Group)
def project() -> None:
    """Tenants."""


@project.command()
@click.argument("name")
@click.option("--description", default="")
@pass_context
def add(context: Context, name: str, *, description: str) -> None:
    """Add a project."""
    context.output.item(_item(accounts.add_project(context.cloud, name, description=description)))


@project.command(name="list")
@pass_context
def list_(context: Context) -> None:
    """List the projects."""
    context.output.rows([_item(row) for row in accounts.all_projects(context.cloud)], _COLUMNS)


@project.command()
@click.argument("name")
@pass_context
def show(context: Context, name: str) -> None:
    """Show a project with its members and its quota."""
    row = accounts.project(context.cloud, name)
    users = {user.id: user.name for user in accounts.all_users(context.cloud)}
    members = [
        {"user": users[user_id], "role": held}
        for user_id, project_id, held in accounts.all_assignments(context.cloud)
        if project_id == row.id
    ]
    members.sort(key=lambda member: (member["user"], member["role"]))
    context.output.item(
        {**_item(row), "members": members, "quota": quotas.standing(context, row.id)},
        {"members": ("user", "role"), "quota": quotas.COLUMNS},
    )


@project.command()
@click.argument("name")
@pass_context
def enable(context: Context, name: str) -> None:
    """Open a project again."""
    context.output.item(_item(accounts.set_project_enabled(context.cloud, name, enabled=True)))


@project.command()
@click.argument("name")
@asking.yes_option
@pass_context
def disable(context: Context, name: str, *, yes: bool) -> None:
    """Close a project: its tokens end at once, its instances keep running."""
    asking.confirmed(f"Lock everybody out of the project {name}?", yes=yes)
    context.output.item(_item(accounts.set_project_enabled(context.cloud, name, enabled=False)))


@project.command()
@click.argument("name")
@quotas.limit_options
@pass_context
def quota(context: Context, /, name: str, **limits: int | None) -> None:
    """Show a project's quota, or change the limits that are given."""
    quotas.change(context, name, **limits)


def _item(row: Project) -> output.Item:
    return {
        "id": row.id,
        "name": row.name,
        "enabled": row.enabled,
        "description": row.description,
        "created_at": row.created_at,
    }
