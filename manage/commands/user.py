"""Users: who may log in."""

from __future__ import annotations

from pathlib import Path

import click

from cloud import accounts
from db.users import Role, User
from manage import asking, groups, output
from manage.commands import role as roles
from manage.context import Context

pass_context = click.make_pass_decorator(Context)

_COLUMNS = ("id", "name", "email", "enabled", "default_project", "created_at")


@click.group(cls=groups.Group)
def user() -> None:
    """Who may log in."""


@user.command()
@click.argument("name")
@click.option("--project", help="the user's default project, in which the role is given")
@click.option("--role", "given", type=click.Choice([role.value for role in Role]), help="role there [default: member]")
@click.option("--email")
@asking.password_options
@pass_context
def add(
    context: Context,
    name: str,
    *,
    project: str | None,
    given: str | None,
    email: str | None,
    password_file: Path | None,
    generate_password: bool,
) -> None:
    """Add a user, with a role in a project."""
    if given is not None and project is None:
        raise click.UsageError("--role needs --project")
    if project is not None:
        accounts.project(context.cloud, project)
    password = asking.password(password_file, generate=generate_password)
    row = accounts.add_user(context.cloud, name, password=password, email=email, default_project=project)
    if project is not None:
        accounts.grant(context.cloud, user=row.id, project=project, role=Role(given or Role.MEMBER))
    _tell(context, row, password if generate_password else None)


@user.command(name="list")
@pass_context
def list_(context: Context) -> None:
    """List the users."""
    projects = roles.project_names(context)
    context.output.rows([_item(row, projects) for row in accounts.all_users(context.cloud)], _COLUMNS)


@user.command()
@click.argument("name")
@pass_context
def show(context: Context, name: str) -> None:
    """Show a user with the roles."""
    row = accounts.user(context.cloud, name)
    held = roles.assignments(context, user=name)
    context.output.item({**_item(row, roles.project_names(context)), "roles": held}, {"roles": ("project", "role")})


@user.command()
@click.argument("name")
@pass_context
def enable(context: Context, name: str) -> None:
    """Let a user in again."""
    _tell(context, accounts.set_user_enabled(context.cloud, name, enabled=True))


@user.command()
@click.argument("name")
@asking.yes_option
@pass_context
def disable(context: Context, name: str, *, yes: bool) -> None:
    """Lock a user out: every token ends at once."""
    asking.confirmed(f"Lock the user {name} out?", yes=yes)
    _tell(context, accounts.set_user_enabled(context.cloud, name, enabled=False))


@user.command()
@click.argument("name")
@asking.password_options
@pass_context
def password(context: Context, name: str, *, password_file: Path | None, generate_password: bool) -> None:
    """Set a user's password; every token of the old one ends."""
    row = accounts.user(context.cloud, name)
    new = asking.password(password_file, generate=generate_password)
    accounts.set_password(context.cloud, row.id, new)
    _tell(context, row, new if generate_password else None)


def _tell(context: Context, row: User, generated: str | None = None) -> None:
    secret = {"password": generated} if generated is not None else {}
    context.output.item({**_item(row, roles.project_names(context)), **secret})


def _item(row: User, projects: dict[str, str]) -> output.Item:
    return {
        "id": row.id,
        "name": row.name,
        "email": row.email,
        "enabled": row.enabled,
        "default_project": projects.get(row.default_project_id or ""),
        "default_project_id": row.default_project_id,
        "created_at": row.created_at,
    }
