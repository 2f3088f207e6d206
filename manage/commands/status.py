"""The installation's health, on one screen."""

from __future__ import annotations

from datetime import timedelta

import click

from manage import groups, health, output
from manage.commands import backend as backends
from manage.context import Context
from manage.failures import Exit

_BACKENDS = (
    "name", "condition", "version", "refreshed_at", "instances", "jobs_in_flight", "max_jobs", "silent_jobs",
    "memory_free", "memory_total",
)  # fmt: skip


@click.command(cls=groups.Command)
@click.option("--patience", default=60.0, show_default=True, help="seconds without an event that make a job silent")
@click.make_pass_decorator(Context)
def status(context: Context, *, patience: float) -> None:
    """Show the health of database, schema, bus, secrets and backends. Exit 0 only if all is well."""
    with context.output.progress("looking"):
        checks, loads = health.whole(context, patience=timedelta(seconds=patience))
    worst = max(check.exit for check in checks)
    context.output.item(
        {
            "healthy": worst is Exit.OK,
            "checks": [{"check": check.name, "state": check.word, "detail": check.detail} for check in checks],
            "backends": [_item(load) for load in loads],
        },
        {"checks": ("check", "state", "detail"), "backends": _BACKENDS},
    )
    if worst is not Exit.OK:
        raise click.exceptions.Exit(worst)


def _item(load: health.Load) -> output.Item:
    row = load.backend
    return {
        "name": row.name,
        "condition": backends.condition(row),
        "trouble": row.trouble,
        "version": row.version,
        "refreshed_at": row.refreshed_at,
        "stale": load.stale,
        "instances": load.instances,
        "jobs_in_flight": load.in_flight,
        "max_jobs": row.max_jobs,
        "silent_jobs": load.silent,
        "memory_free": row.memory_free,
        "memory_total": row.memory_total,
        "disk_free": row.disk_free,
        "disk_total": row.disk_total,
    }
