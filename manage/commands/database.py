"""The database's schema."""

from __future__ import annotations

import dataclasses

import click

from db import schema
from manage import groups
from manage.context import Context
from manage.failures import Exit

pass_context = click.make_pass_decorator(Context)


@click.group(cls=groups.Group)
def db() -> None:
    """The database's schema."""


@db.command()
@pass_context
def upgrade(context: Context) -> None:
    """Bring the schema to this program's version, and make the database where it is a file; safe to repeat."""
    engine = dataclasses.replace(context, founds=True).sessions.engine
    before, wanted = schema.current(engine), schema.head()
    with context.output.progress("upgrading the schema"):
        schema.upgrade(engine)
    sentence = f"the schema is at {wanted}" + ("" if before == wanted else f", it was at {before or 'nothing'}")
    context.output.say(sentence, before=before, version=wanted)


@db.command()
@pass_context
def version(context: Context) -> None:
    """Show the database's schema version and this program's; exit 1 if they differ."""
    current, wanted = schema.current(context.sessions.engine), schema.head()
    context.output.item({"version": current, "wanted": wanted, "current": current == wanted})
    if current != wanted:
        raise click.exceptions.Exit(Exit.WRONG)


@db.command()
@pass_context
def check(context: Context) -> None:
    """Compare the tables with what this program expects; exit 1 if anything differs."""
    current, wanted = schema.current(context.sessions.engine), schema.head()
    with context.output.progress("comparing"):
        differences = [{"difference": str(found)} for found in schema.differences(context.sessions.engine)]
    context.output.item(
        {"version": current, "wanted": wanted, "agrees": not differences, "differences": differences},
        {"differences": ("difference",)},
    )
    if differences or current != wanted:
        raise click.exceptions.Exit(Exit.WRONG)
