"""Addresses: who has one, and who had it at that time."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from cloud import address_history
from common.errors import Invalid, NotFound
from db.address_history import Holding
from manage import groups, output
from manage.commands import instance as instances
from manage.commands import network as networks
from manage.context import Context

pass_context = click.make_pass_decorator(Context)

_COLUMNS = ("since", "until", "project", "instance_id", "mac")


@click.group(cls=groups.Group)
def ip() -> None:
    """Addresses, and who had them when."""


@ip.command()
@click.argument("address")
@click.option("--at", metavar="TIME", help="who had it then, such as 2026-01-31T12:00:00Z; without a zone, UTC")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--marker", type=int, help="go on before the row with this number")
@pass_context
def show(context: Context, address: str, *, at: str | None, limit: int, marker: int | None) -> None:
    """Show who had an address, the latest first; what ended long ago is forgotten."""
    when = _time(at) if at is not None else None
    wanted = networks.parse_ip(address, "ADDRESS")
    rows = address_history.page(context.cloud, context.caller(), wanted, limit=limit + 1, at=when, marker=marker)
    if not rows and marker is None:
        then = f" at {output.text(when)}" if when is not None else ""
        raise NotFound(
            f"nobody had {wanted}{then}, as far as is known: what ended is kept for "
            f"{context.settings.address_history_days} days"
        )
    labels = instances.Labels.of(context)
    context.output.rows([_item(row, labels) for row in rows[:limit]], _COLUMNS)
    if len(rows) > limit:
        output.note(f"there are more: --marker {rows[limit - 1].id}")


def _item(row: Holding, labels: instances.Labels) -> output.Item:
    return {
        "id": row.id,
        "ip": row.ip,
        "since": row.since,
        "until": row.until,
        "project": labels.projects.get(row.project_id, row.project_id),
        "project_id": row.project_id,
        "instance_id": row.instance_id,
        "mac": row.mac,
        "port": row.port_id,
        "subnet": row.subnet_id,
        "network": row.network_id,
    }


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as err:
        raise Invalid(f"--at: {text} is no time such as 2026-01-31T12:00:00Z") from err
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
