"""Bridges and MAC prefixes that are set aside for networks which projects make for themselves."""

from __future__ import annotations

from collections.abc import Sequence

import click

from cloud import segments
from common.errors import Invalid
from manage import asking, groups, output
from manage.context import Context

pass_context = click.make_pass_decorator(Context)

_COLUMNS = ("kind", "link", "mac_prefix", "network")
_KINDS = ("kind", "segments", "free")
_LIMIT = 10_000


@click.group(cls=groups.Group)
def pool() -> None:
    """Bridges and MAC prefixes set aside for projects' own networks."""


@pool.command()
@click.argument("links", nargs=-1, metavar="LINK...")
@click.option("--mac-filtered", "shared", metavar="BRIDGE", help="this bridge is of many networks, each with a prefix")
@click.option("--prefixes", multiple=True, metavar="FIRST-LAST", help="MAC prefixes on it, such as aa:00:00-aa:0f:ff")
@pass_context
def add(context: Context, links: tuple[str, ...], *, shared: str | None, prefixes: tuple[str, ...]) -> None:
    """Set bridges aside that are on every node, by name, or many as prv1-100; each becomes one network's own.

    With --mac-filtered and --prefixes, one bridge for as many networks as there are prefixes.
    """
    if bool(links) is (shared is not None) or bool(prefixes) is not (shared is not None):
        raise Invalid("either LINK..., or --mac-filtered with --prefixes, is expected")
    if shared is not None:
        found = [prefix for text in prefixes for prefix in segments.prefixes(text)]
        segments.add_prefixes(context.cloud, shared, found)
        context.output.say(f"{_counted(found)} added on {shared}", added=found)
        return
    names = [name for text in links for name in segments.spelled_out(text)]
    segments.add(context.cloud, names)
    context.output.say(f"{_counted(names)} added", added=names)


@pool.command(name="list")
@click.option("--free/--taken", default=None, help="only those that no network has, or that one has")
@pass_context
def list_(context: Context, *, free: bool | None) -> None:
    """List the segments, with the networks that have them."""
    found = segments.page(context.cloud, limit=_LIMIT, free=free)
    rows: list[output.Item] = [
        {"kind": row.kind, "link": row.link, "mac_prefix": row.mac_prefix, "network": row.network_id} for row in found
    ]
    context.output.rows(rows, _COLUMNS)


@pool.command()
@pass_context
def show(context: Context) -> None:
    """Show how many segments there are, and how many are free."""
    found = segments.count_kinds(context.cloud)
    total, free = (sum(each[index] for each in found.values()) for index in (0, 1))
    kinds: list[output.Item] = [{"kind": kind, "segments": n, "free": m} for kind, (n, m) in sorted(found.items())]
    context.output.item({"segments": total, "free": free, "kinds": kinds}, {"kinds": _KINDS})


@pool.command()
@click.argument("segment", metavar="LINK|PREFIX")
@asking.yes_option
@pass_context
def remove(context: Context, segment: str, *, yes: bool) -> None:
    """Take a bridge, or a MAC prefix, back that no network has."""
    asking.confirmed(f"Remove the segment {segment}?", yes=yes)
    segments.remove(context.cloud, segment)
    context.output.say(f"segment {segment} is removed", removed=segment)


def _counted(added: Sequence[str]) -> str:
    return "1 segment is" if len(added) == 1 else f"{len(added)} segments are"
