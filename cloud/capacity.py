"""What each backend can still take: last known from Ganeti, less what is promised since."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from cloud import placement
from cloud.context import Cloud
from db import backends, instances, jobs


def rooms(db: Session, cloud: Cloud) -> list[placement.Room]:
    """List the backends that may take new instances; one whose figures are too old takes none.

    Four statements, however many instances there are.
    """
    oldest = cloud.clock() - timedelta(seconds=cloud.settings.capacity_age)
    promised = instances.promised(db)
    counts = instances.counts_by_backend(db)
    flying = jobs.in_flight_by_backend(db)
    found = []
    for backend in backends.usable(db):
        if backend.drained or backend.cluster is None or backend.refreshed_at is None or backend.refreshed_at < oldest:
            continue
        memory, disk = promised.get(backend.id, (0, 0))
        found.append(
            placement.Room(
                backend_id=backend.id,
                name=backend.name,
                memory_free=backend.memory_free - memory,
                memory_total=backend.memory_total,
                disk_free=backend.disk_free - disk,
                disk_total=backend.disk_total,
                memory_largest=backend.memory_largest,
                disk_largest=backend.disk_largest,
                cpus=backend.cpus,
                instances=counts.get(backend.id, 0),
                jobs=flying.get(backend.id, 0),
                max_jobs=backend.max_jobs,
            )
        )
    return found
