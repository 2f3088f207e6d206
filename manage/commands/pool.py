"""Bridges that are set aside for networks which projects make for themselves."""

from __future__ import annotations

import click

from cloud import segments
from manage import asking, groups, output
from manage.context import Context

pass_context = click.make_pass_decorator(Context)

_COLUMNS = ("link", "network")
_LIMIT = 10_000


@click.group(cls=groups.Group)
def pool() -> None:
    """Bridges set aside for projects' own networks."""


@pool.command()
@click.argument("links", nargs=-1, required=True, metavar="LINK...")
@pass_context
def add(context: Context, links: tuple[str, ...]) -> None:
    """Set bridges aside that are on every node, by name, or many as prv1-100; each becomes one network's own."""
    names = [name for text in links for name in segments.spelled_out(text)]
    segments.add(context.cloud, names)
    context.output.say(f"{len(names)} segments are added", added=names)


@pool.command(name="list")
@click.option("--free/--taken", default=None, help="only those that no network has, or that one has")
@pass_context
def list_(context: Context, *, free: bool | None) -> None:
    """List the segments, with the networks that have them."""
    found = segments.page(context.cloud, limit=_LIMIT, free=free)
    rows: list[output.Item] = [{"link": row.link, "network": row.network_id} for row in found]
    context.output.rows(rows, _COLUMNS)


@pool.command()
@pass_context
def show(context: Context) -> None:
    """Show how many segments there are, and how many are free."""
    total, free = segments.count(context.cloud)
    context.output.item({"segments": total, "free": free})


@pool.command()
@click.argument("link")
@asking.yes_option
@pass_context
def remove(context: Context, link: str, *, yes: bool) -> None:
    """Take a bridge back that no network has."""
    asking.confirmed(f"Remove the segment {link}?", yes=yes)
    segments.remove(context.cloud, link)
    context.output.say(f"segment {link} is removed", removed=link)
