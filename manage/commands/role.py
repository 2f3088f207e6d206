"""Roles: what a user may do in a project."""

from __future__ import annotations

import click

from cloud import accounts
from db.users import Role
from manage import groups, output
from manage.context import Context

pass_context = click.make_pass_decorator(Context)

_ROLES = click.Choice([role.value for role in Role])


@click.group(cls=groups.Group)
def role() -> None:
    """What users may do in projects."""


@role.command()
@click.option("--user", required=True)
@click.option("--project", required=True)
@click.argument("name", metavar="ROLE", type=_ROLES)
@pass_context
def grant(context: Context, name: str, *, user: str, project: str) -> None:
    """Give a user a role in a project. ROLE is admin (everything, everywhere), member or reader."""
    accounts.grant(context.cloud, user=user, project=project, role=Role(name))
    context.output.say(f"user {user} has the role {name} in {project}", user=user, project=project, role=name)


@role.command()
@click.option("--user", required=True)
@click.option("--project", required=True)
@click.argument("name", metavar="ROLE", type=_ROLES)
@pass_context
def revoke(context: Context, name: str, *, user: str, project: str) -> None:
    """Take a role back."""
    accounts.withdraw(context.cloud, user=user, project=project, role=Role(name))
    context.output.say(f"user {user} has the role {name} in {project} no more", user=user, project=project, role=name)


@role.command(name="list")
@click.option("--user", help="of this user only")
@click.option("--project", help="in this project only")
@pass_context
def list_(context: Context, *, user: str | None, project: str | None) -> None:
    """List who has which role where."""
    context.output.rows(assignments(context, user=user, project=project), ("user", "project", "role"))


def assignments(context: Context, *, user: str | None = None, project: str | None = None) -> list[output.Item]:
    """List the roles of a user, or in a project, or all; raises NotFound for who is not there."""
    user_id = accounts.user(context.cloud, user).id if user else None
    project_id = accounts.project(context.cloud, project).id if project else None
    users = {row.id: row.name for row in accounts.all_users(context.cloud)}
    projects = project_names(context)
    held = [
        (users[of_user], projects[of_project], name)
        for of_user, of_project, name in accounts.all_assignments(context.cloud)
        if user_id in (None, of_user) and project_id in (None, of_project)
    ]
    return [{"user": who, "project": where, "role": name} for who, where, name in sorted(held)]


def project_names(context: Context) -> dict[str, str]:
    """Map the projects' ids to their names."""
    return {row.id: row.name for row in accounts.all_projects(context.cloud)}
