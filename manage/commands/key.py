"""Keys that seal what the database has to keep secret."""

from __future__ import annotations

import click

from cloud import vault
from manage import groups
from manage.context import Context


@click.group(cls=groups.Group)
def key() -> None:
    """Keys of the installation."""


@key.command()
@click.make_pass_decorator(Context)
def new(context: Context) -> None:
    """Make a key for [secrets] key, or for the file that its key_file names."""
    made = vault.new_key()
    context.output.say(made, key=made)
