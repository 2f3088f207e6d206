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
    was = schema.standing(engine)
    with context.output.progress("upgrading the schema"):
        schema.upgrade(engine)
    sentence = f"the schema is at {was.wanted}" + (f", it was at {was.found or 'nothing'}" if was.behind else "")
    context.output.say(sentence, before=was.found, version=was.wanted)


@db.command()
@pass_context
def version(context: Context) -> None:
    """Show the database's schema version and this program's; exit 1 if they differ."""
    found = schema.standing(context.sessions.engine)
    context.output.item({"version": found.found, "wanted": found.wanted, "current": found.current})
    if not found.current:
        raise click.exceptions.Exit(Exit.WRONG)


@db.command()
@pass_context
def check(context: Context) -> None:
    """Compare the tables with what this program expects; exit 1 if anything differs."""
    found = schema.standing(context.sessions.engine)
    with context.output.progress("comparing"):
        differences = [{"difference": str(each)} for each in schema.differences(context.sessions.engine)]
    context.output.item(
        {"version": found.found, "wanted": found.wanted, "agrees": not differences, "differences": differences},
        {"differences": ("difference",)},
    )
    if differences or not found.current:
        raise click.exceptions.Exit(Exit.WRONG)
