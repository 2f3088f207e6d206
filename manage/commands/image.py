"""Images: files of the image store, registered for tenants."""

from __future__ import annotations

import click

from cloud import accounts, images
from cloud.images import ImageSpec
from common.errors import Conflict, NotFound
from db import images as image_rows
from db.images import DiskFormat, Filter, Image, Visibility
from manage import asking, groups, output
from manage.commands import role as roles
from manage.context import Context

pass_context = click.make_pass_decorator(Context)

_COLUMNS = ("id", "name", "status", "visibility", "project", "file", "disk_format", "size", "min_disk", "min_ram")
_LIMIT = 10_000


@click.group(cls=groups.Group)
def image() -> None:
    """What a server's disk starts as."""


@image.command()
@click.argument("name")
@click.option("--file", help="name of the file in the image store of the clusters' nodes")
@click.option("--no-file", is_flag=True, help="nothing is deployed: the guest brings its own disk")
@click.option(
    "--disk-format",
    type=click.Choice([form.value for form in DiskFormat]),
    help="[default: qcow2 for a file named so, raw for others]",
)
@click.option("--size", type=click.IntRange(min=0), default=0, help="bytes, as shown to tenants")
@click.option("--min-disk", type=click.IntRange(min=0), default=0, help="GiB that a server needs")
@click.option("--min-ram", type=click.IntRange(min=0), default=0, help="MiB that a server needs")
@click.option("--project", help="only this project sees it [default: everybody]")
@click.option("--property", "properties", multiple=True, callback=asking.pairs, help="KEY=VALUE, repeatable")
@pass_context
def add(
    context: Context,
    name: str,
    *,
    file: str | None,
    no_file: bool,
    disk_format: str | None,
    size: int,
    min_disk: int,
    min_ram: int,
    project: str | None,
    properties: dict[str, str],
) -> None:
    """Register a file that lies in the image store already."""
    if (file is None) is not no_file:
        raise click.UsageError("give either --file or --no-file")
    spec = ImageSpec(
        name=name,
        file=file,
        disk_format=DiskFormat(disk_format) if disk_format else _format_of(file),
        size=size,
        min_disk=min_disk,
        min_ram=min_ram,
        visibility=Visibility.PRIVATE if project else Visibility.PUBLIC,
        project_id=accounts.project(context.cloud, project).id if project else None,
        properties=properties,
    )
    context.output.item(_item(images.add(context.cloud, spec), roles.project_names(context)))


@image.command(name="list")
@pass_context
def list_(context: Context) -> None:
    """List the images of all projects; size in bytes, min_disk in GiB, min_ram in MiB."""
    projects = roles.project_names(context)
    rows = images.page(context.cloud, context.caller(), Filter(hidden=None), limit=_LIMIT)
    context.output.rows([_item(row, projects) for row in rows], _COLUMNS)


@image.command()
@click.argument("name")
@asking.yes_option
@pass_context
def remove(context: Context, name: str, *, yes: bool) -> None:
    """Take an image, by id or name, off the list; servers made from it keep running.

    A file that you registered stays; one that was uploaded by the API is removed from the store.
    """
    row = _find(context, name)
    asking.confirmed(f"Take the image {row.name} ({row.id}) off the list?", yes=yes)
    images.remove(context.cloud, row.id)
    context.output.say(f"image {row.id} is removed", removed=row.id)


def _find(context: Context, name: str) -> Image:
    with context.cloud.sessions.read() as db:
        row = image_rows.get(db, name)
        named = image_rows.by_name(db, name)
    if row is not None and row.deleted_at is None:
        return row
    if len(named) > 1:
        raise Conflict(f"{len(named)} images are named {name}: give an id")
    if not named:
        raise NotFound(f"there is no image {name}")
    return named[0]


def _format_of(file: str | None) -> DiskFormat:
    return DiskFormat.QCOW2 if file is not None and file.endswith(".qcow2") else DiskFormat.RAW


def _item(row: Image, projects: dict[str, str]) -> output.Item:
    return {
        "id": row.id,
        "name": row.name,
        "status": row.status,
        "visibility": row.visibility,
        "project": projects.get(row.project_id or ""),
        "project_id": row.project_id,
        "file": row.file,
        "disk_format": row.disk_format,
        "size": row.size,
        "min_disk": row.min_disk,
        "min_ram": row.min_ram,
        "properties": dict(row.properties),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
