"""What a command has found, as it answers."""

from __future__ import annotations

from collections.abc import Sequence

import click

from manage.context import Context
from manage.failures import Exit
from manage.finding import Finding, is_trouble


def show(context: Context, found: Sequence[Finding], *, called: str = "check") -> None:
    """Show what was found, `called` being the first column's name; exit 1 if anything is in trouble."""
    rows = [{called: each.check, "state": each.state, "detail": each.detail, "remedy": each.remedy} for each in found]
    context.output.rows(rows, (called, "state", "detail", "remedy"))
    if is_trouble(found):
        raise click.exceptions.Exit(Exit.WRONG)
