"""A Ganeti node, from itself."""

from __future__ import annotations

import os
from pathlib import Path

import click

from manage import findings, groups
from manage.context import Context
from manage.node import look


@click.group(cls=groups.Group)
def node() -> None:
    """The Ganeti node that this runs on."""


@node.command()
@click.option("--bridge", "bridges", multiple=True, help="bridge that a network of the cloud needs here; repeatable")
@click.option("--routed", is_flag=True, help="networks of the cloud are routed by this node")
@click.make_pass_decorator(Context)
def check(context: Context, *, bridges: tuple[str, ...], routed: bool) -> None:
    """Say what this node lacks for the cloud's guests, and the remedy. Exit 1 if anything is in trouble.

    It wants root, needs no database, and changes nothing. Bridges come from --bridge, from nfdhcpd's bindings, and on
    master candidates from Ganeti's configuration.
    """
    host = context.wiring.host
    if host.root == Path("/") and os.geteuid() != 0:
        raise click.UsageError("run it as root: much of what it looks at is root's alone")
    with context.output.progress("looking"):
        found = look.whole(host, context.config, bridges=bridges, routed=routed)
    findings.show(context, found)
