"""Consoles: who was at which server's, who is, and an end to it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from cloud import accounts, console_sessions
from db.console_sessions import ConsoleSession, Filter
from db.instances import Instance
from db.projects import Project
from db.users import User
from manage import asking, groups, output
from manage.context import Context
from manage.labels import Labels

pass_context = click.make_pass_decorator(Context)

_COLUMNS = ("id", "server", "user", "project", "view_only", "viewer", "granted_at", "ended_at", "reason")


@click.group(cls=groups.Group)
def console() -> None:
    """Who was at the consoles of servers."""


@console.command(name="list")
@click.option("--server", metavar="ID", help="of this server")
@click.option("--user", metavar="USER", help="of this user, by name or id, or by a link of theirs")
@click.option("--project", metavar="PROJECT", help="of this project, by name or id")
@click.option("--link", metavar="ID", help="by this view-only link")
@click.option("--open", "open_only", is_flag=True, help="only those that have not ended")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--marker", metavar="ID", help="go on after this session")
@pass_context
def list_(
    context: Context,
    *,
    server: str | None,
    user: str | None,
    project: str | None,
    link: str | None,
    open_only: bool,
    limit: int,
    marker: str | None,
) -> None:
    """List sessions at consoles, newest first, as the dispatcher last heard of them."""
    wanted = Filter(
        instance_id=server,
        user_id=accounts.user(context.cloud, user).id if user else None,
        project_id=accounts.project(context.cloud, project).id if project else None,
        link_id=link,
        open=True if open_only else None,
    )
    found = console_sessions.page(context.cloud, wanted, limit=limit, marker=marker)
    context.output.rows(_items(context, found), _COLUMNS)


@console.command()
@click.argument("session_id", metavar="ID")
@pass_context
def show(context: Context, session_id: str) -> None:
    """Show a session at a console."""
    (item,) = _items(context, [console_sessions.get(context.cloud, session_id)])
    context.output.item(item)


@console.command()
@click.argument("session_id", metavar="ID")
@asking.yes_option
@pass_context
def kill(context: Context, session_id: str, *, yes: bool) -> None:
    """End a session at a console; its user may open another, unless that is prevented."""
    (item,) = _items(context, [console_sessions.get(context.cloud, session_id)])
    asking.confirmed(f"End the session of user {item['user']} at server {item['server']}?", yes=yes)
    console_sessions.kill(context.cloud, context.console_proxies, session_id)
    context.output.say(f"session {session_id} is ended", killed=session_id)


def _items(context: Context, rows: Sequence[ConsoleSession]) -> list[output.Item]:
    servers = Labels(context, Instance, (row.instance_id for row in rows))
    users = Labels(context, User, (row.user_id for row in rows))
    projects = Labels(context, Project, (row.project_id for row in rows))
    named = [
        {
            "server": servers(row.instance_id),
            "server_id": row.instance_id,
            "user": users(row.user_id),
            "user_id": row.user_id,
            "project": projects(row.project_id),
            "project_id": row.project_id,
        }
        for row in rows
    ]
    return [{"id": row.id, **each, **_facts(row)} for row, each in zip(rows, named, strict=True)]


def _facts(row: ConsoleSession) -> output.Item:
    return {
        "link": row.link_id,
        "kind": row.kind,
        "protocol": row.protocol,
        "view_only": row.view_only,
        "viewer": row.viewer,
        "proxy": row.proxy,
        "request_id": row.request_id,
        "granted_at": row.granted_at,
        "opened_at": row.opened_at,
        "ended_at": row.ended_at,
        "reason": row.reason,
        "shown": row.shown,
        "typed": row.typed,
    }
