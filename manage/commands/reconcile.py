"""Comparing clusters with the database, on demand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import click

from cloud import backends, reconciler
from common.errors import Unavailable
from db.backends import Backend
from manage import groups, output
from manage.context import Context
from manage.failures import Exit
from rapi.errors import RapiError, RapiUnreachable

pass_context = click.make_pass_decorator(Context)

_COLUMNS = ("backend", "kind", "subject", "recorded", "seen", "repaired")


@click.command(cls=groups.Command)
@click.option("--backend", "names", multiple=True, help="this one, repeatable [default: all that are not offline]")
@click.option("--repair/--dry-run", default=False, help="repair what is certain, or only report [default: report]")
@click.option("--grace", default=60.0, show_default=True, help="seconds after which an absence is believed")
@pass_context
def reconcile(context: Context, *, names: tuple[str, ...], repair: bool, grace: float) -> None:
    """Compare clusters with the database. Exit 1 if a difference stays. No instance is ever deleted from a cluster.

    With --repair, NICs follow the ports by jobs: what is missing is added, what differs is changed, and what a port
    that is gone has left is removed. Other NICs are only reported.
    """
    findings: list[output.Item] = []
    worst = Exit.OK
    for row in _chosen(context, names):
        try:
            found = _compare(context, row, repair=repair, grace=timedelta(seconds=grace))
        except RapiError as err:
            # the others are compared all the same
            output.note(f"syros-manage: backend {row.name}: {err}")
            worst = max(worst, Exit.UNREACHABLE if isinstance(err, RapiUnreachable) else Exit.WRONG)
            continue
        findings += [_item(finding) for finding in found]
    context.output.rows(findings, _COLUMNS)
    if any(not finding["repaired"] for finding in findings):
        worst = max(worst, Exit.WRONG)
    if worst is not Exit.OK:
        raise click.exceptions.Exit(worst)


def _chosen(context: Context, names: tuple[str, ...]) -> Sequence[Backend]:
    if not names:
        return backends.usable(context.cloud)
    rows = [backends.get(context.cloud, name) for name in names]
    for row in rows:
        if row.offline:
            raise Unavailable(f"backend {row.name} is offline: `syros-manage backend online {row.name}` first")
    return rows


def _compare(context: Context, row: Backend, *, repair: bool, grace: timedelta) -> list[reconciler.Finding]:
    with context.output.progress(f"comparing {row.name}"):
        return reconciler.reconcile(context.cloud, context.clients, row, repair=repair, repair_nics=repair, grace=grace)


def _item(finding: reconciler.Finding) -> output.Item:
    return {
        "backend": finding.backend,
        "kind": finding.kind,
        "subject": finding.subject,
        "recorded": finding.recorded,
        "seen": finding.seen,
        "repaired": finding.repaired,
    }
