"""Click's groups and commands with what all of ours share: `--format`, and failures as one line and an exit code."""

from __future__ import annotations

import dataclasses

import click
import sqlalchemy as sa

from common import config
from common.errors import Unavailable
from db.sessions import Sessions
from manage import failures, output
from manage.context import Context
from manage.output import Format


class Command(click.Command):
    """A command that takes `--format`, wherever the operator writes it."""

    # Any is click's own: its constructor takes whatever its decorators collect.
    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.params.append(_format_option())

    def invoke(self, ctx: click.Context) -> object:
        if ctx.params.get("check") and isinstance(ctx.obj, Context):
            # who is to change nothing makes nothing by looking
            ctx.obj = dataclasses.replace(ctx.obj, founds=False)
        return super().invoke(ctx)


class Group(click.Group):
    """A group whose commands and groups are of these kinds."""

    command_class = Command
    group_class = type


class Root(Group):
    """The outermost group: errors of known kinds end here."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except failures.KNOWN as err:
            line, code = failures.explain(err, _database(ctx, err))
            output.note(f"syros-manage: {line}")
            ctx.exit(code)


def _format_option() -> click.Option:
    return click.Option(
        ["--format"],
        type=click.Choice([form.value for form in Format]),
        expose_value=False,
        callback=_set_format,
        help="how to answer [default: table on a terminal, plain elsewhere]",
    )


def _set_format(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None and isinstance(ctx.obj, Context):
        ctx.obj = dataclasses.replace(ctx.obj, form=Format(value))


def _database(ctx: click.Context, error: Exception) -> Sessions | None:
    """Give the database that an error of the database's came from."""
    if not isinstance(error, sa.exc.SQLAlchemyError) or not isinstance(ctx.obj, Context):
        return None
    try:
        return ctx.obj.sessions
    except (config.ConfigError, Unavailable, OSError):
        return None
