"""Flavors: the sizes that a server may have."""

from __future__ import annotations

import click

from cloud import flavors
from cloud.flavors import FlavorSpec
from common import names
from common.errors import NotFound
from db import flavors as flavor_rows
from db.flavors import Flavor
from manage import asking, groups, output
from manage.context import Context

pass_context = click.make_pass_decorator(Context)

_COLUMNS = ("id", "name", "vcpus", "ram", "disk", "public")
_LIMIT = 10_000


@click.group(cls=groups.Group)
def flavor() -> None:
    """Sizes of servers."""


@flavor.command()
@click.argument("name")
@click.option("--vcpus", type=int, required=True)
@click.option("--ram", type=int, required=True, help="MiB")
@click.option("--disk", type=int, required=True, help="GiB")
@click.option("--id", "flavor_id", help="[default: made]")
@click.option("--private", is_flag=True, help="for administrators only")
@pass_context
def add(context: Context, name: str, *, vcpus: int, ram: int, disk: int, flavor_id: str | None, private: bool) -> None:
    """Add a flavor."""
    spec = FlavorSpec(id=flavor_id or names.new_id(), name=name, vcpus=vcpus, ram=ram, disk=disk, public=not private)
    context.output.item(_item(flavors.add(context.cloud, spec)))


@flavor.command(name="list")
@pass_context
def list_(context: Context) -> None:
    """List the flavors; ram in MiB, disk in GiB."""
    rows = flavors.page(context.cloud, context.caller(), limit=_LIMIT, public=None)
    context.output.rows([_item(row) for row in rows], _COLUMNS)


@flavor.command()
@click.argument("name")
@asking.yes_option
@pass_context
def remove(context: Context, name: str, *, yes: bool) -> None:
    """Take a flavor, by id or name, off the list; servers that have it keep it."""
    row = find(context, name)
    asking.confirmed(f"Take the flavor {row.name} off the list?", yes=yes)
    flavors.remove(context.cloud, row.id)
    context.output.say(f"flavor {row.name} is removed", removed=row.id)


def find(context: Context, name: str) -> Flavor:
    """Give a flavor by id or name; raises NotFound."""
    with context.cloud.sessions.read() as db:
        row = flavor_rows.get(db, name) or flavor_rows.by_name(db, name)
    if row is None or not row.enabled:
        raise NotFound(f"there is no flavor {name}")
    return row


def _item(row: Flavor) -> output.Item:
    return {
        "id": row.id,
        "name": row.name,
        "vcpus": row.vcpus,
        "ram": row.ram,
        "disk": row.disk,
        "public": row.public,
        "created_at": row.created_at,
    }
