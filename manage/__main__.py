"""`syros-manage`: the operator's command line. Reads the configuration when a command first needs it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from common import log
from manage import groups
from manage.commands import (
    backend,
    completion,
    console,
    database,
    event,
    flavor,
    image,
    instance,
    ip,
    job,
    key,
    network,
    node,
    pool,
    port,
    project,
    quota,
    reconcile,
    request,
    role,
    setup,
    status,
    stranger,
    user,
)
from manage.context import Context, Wiring
from manage.output import Format

NAME = "syros-manage"


@click.group(cls=groups.Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="syros", prog_name="syros-manage")
@click.option(
    "--config", "path", type=click.Path(path_type=Path), help="configuration file [default: SYROS_CONFIG, or the usual]"
)
@click.option("--format", "form", type=click.Choice([form.value for form in Format]), help="how to answer")
@click.option("--verbose", "-v", is_flag=True, help="log each step to standard error")
@click.pass_context
def cli(ctx: click.Context, path: Path | None, *, form: str | None, verbose: bool) -> None:
    """Run a Syros cloud: its backends, tenants, sizes and images; and see what happened, and why.

    Exit codes: 0 good; 1 something is wrong, or not there; 2 the command or the configuration can't be meant;
    3 the database, the bus or a cluster can't be reached.
    """
    log.set_up(level="INFO" if verbose else "ERROR")
    stack = contextlib.ExitStack()
    ctx.call_on_close(stack.close)
    wiring = ctx.obj if isinstance(ctx.obj, Wiring) else Wiring()
    founds = ctx.invoked_subcommand == setup.setup.name
    ctx.obj = Context(wiring=wiring, path=path, form=Format(form) if form else None, stack=stack, founds=founds)


for command in (
    backend.backend,
    completion.completion,
    console.console,
    database.db,
    event.event,
    flavor.flavor,
    image.image,
    instance.instance,
    ip.ip,
    job.job,
    key.key,
    network.network,
    node.node,
    pool.pool,
    port.port,
    project.project,
    quota.quota,
    reconcile.reconcile,
    request.request,
    role.role,
    setup.setup,
    status.status,
    stranger.stranger,
    user.user,
):
    cli.add_command(command)


def main() -> None:
    """Run one command."""
    cli(prog_name=NAME)


if __name__ == "__main__":
    main()
