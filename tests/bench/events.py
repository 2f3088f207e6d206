"""From a job's final status on disk to the committed row.

The disk's side is the job file's change time, which its rename into place sets; the database's side is PostgreSQL's
own time of the commit that finished the job's row (track_commit_timestamp). Both clocks are this machine's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa

from db.sessions import Sessions
from lab import process
from tests.bench import figures
from tests.e2e import client


def churn(tenant: client.Client, *, rounds: int, patience: float) -> None:
    """Create, stop, start and delete one server, again and again: four jobs a round."""
    for _ in range(rounds):
        server = tenant.create("bench")
        _wait(tenant, server, "ACTIVE", patience)
        tenant.call("POST", f"/servers/{server}/action", {"os-stop": None})
        _wait(tenant, server, "SHUTOFF", patience)
        tenant.call("POST", f"/servers/{server}/action", {"os-start": None})
        _wait(tenant, server, "ACTIVE", patience)
        tenant.call("DELETE", f"/servers/{server}")
        _wait(tenant, server, "GONE", patience)


def latencies(sessions: Sessions, written: Callable[[list[int]], Mapping[int, float]], what: str) -> figures.Figure:
    """Compare commit times with the job files' times, which `written` gives by Ganeti id."""
    query = "SELECT ganeti_id, extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM jobs WHERE status = 'success'"
    with sessions.read() as db:
        committed = {int(ganeti_id): float(at) for ganeti_id, at in db.execute(sa.text(query))}
    on_disk = written(sorted(committed))
    return figures.of(what, [committed[job] - at for job, at in on_disk.items()])


def _wait(tenant: client.Client, server: str, status: str, patience: float) -> None:
    def reached() -> bool:
        try:
            return str(tenant.call("GET", f"/servers/{server}")["server"]["status"]) == status
        except client.Refused as err:
            return err.status == 404 and status == "GONE"

    process.wait_until(reached, what=f"server {server} becomes {status}", timeout=patience, every=0.1)
