"""What projects used within a period, for those who pay and those who bill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cloud import policy
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common.errors import NotFound
from db import usage
from db.instances import Instance
from db.usage import Total


@dataclass(frozen=True)
class Report:
    """A project's use within a period, and the servers it is of."""

    total: Total
    servers: Sequence[Instance]


def everybody(cloud: Cloud, caller: Caller, *, start: datetime, end: datetime, detailed: bool) -> Sequence[Report]:
    """Report on every project that used something; with its servers if `detailed`. Two statements."""
    policy.require(caller, Operation.QUOTA_READ_ALL)
    with cloud.sessions.read() as db:
        totals = usage.totals(db, start=start, end=end)
        rows = usage.instances(db, start=start, end=end) if detailed else ()
    servers: dict[str, list[Instance]] = {}
    for row in rows:
        servers.setdefault(row.project_id, []).append(row)
    return [Report(total, servers.get(total.project_id, ())) for total in totals]


def of_project(cloud: Cloud, caller: Caller, project_id: str, *, start: datetime, end: datetime) -> Report | None:
    """Report on one project; None if it used nothing. Raises NotFound for another's, unless an admin asks."""
    if project_id != caller.project_id and not policy.allows(caller.roles, Operation.QUOTA_READ_ALL):
        raise NotFound(f"there is no project {project_id}")
    with cloud.sessions.read() as db:
        totals = usage.totals(db, start=start, end=end, project_id=project_id)
        if not totals:
            return None
        return Report(totals[0], usage.instances(db, start=start, end=end, project_id=project_id))
