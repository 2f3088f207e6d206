"""Shell completion."""

from __future__ import annotations

import click
from click import shell_completion

from manage import groups

_VARIABLE = "_SYROS_MANAGE_COMPLETE"


@click.command(cls=groups.Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete our commands: for bash, `source <(syros-manage completion bash)`."""
    kind = shell_completion.get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click can't complete for {shell}")
    root = ctx.find_root()
    click.echo(kind(root.command, {}, "syros-manage", _VARIABLE).source())
