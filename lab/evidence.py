"""What a lab cloud knows of itself: to be read beside a test that failed on it, when the cloud itself is gone."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from lab import cloud as lab_cloud
from lab import process

_ROWS = 60
_LOG_LINES = 40
_JOBS = (
    "SELECT jobs.id, ganeti_id, instances.name, action, opcode, jobs.status, attempts, error_class, error_text,"
    " jobs.created_at, submitted_at, heard_at, finished_at"
    f" FROM jobs JOIN instances ON instances.id = jobs.instance_id ORDER BY jobs.id DESC LIMIT {_ROWS}"
)
_GANETI_JOBS = ("gnt-job", "list", "-o", "id,status,received_ts,start_ts,end_ts,summary")


def of(cloud: lab_cloud.LabCloud) -> Sequence[tuple[str, str]]:
    """The newest jobs as the database and as Ganeti has them, and the programs' last complaints: title and text.

    What can't be had is said in its place; nothing is raised.
    """
    found = [("jobs, of the database", _database_jobs(cloud)), ("jobs, of Ganeti", _ganeti_jobs(cloud))]
    found += [(log.name, _complaints(log)) for log in sorted(cloud.logs.glob("*.log"))]
    return [(f"the cloud's {title}", text) for title, text in found if text]


def _database_jobs(cloud: lab_cloud.LabCloud) -> str:
    engine = sa.create_engine(cloud.postgres.url("syros"), poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            rows = connection.execute(sa.text(_JOBS)).all()
    except sa.exc.SQLAlchemyError as err:
        return str(err)
    return "\n".join(" ".join(str(value) for value in row) for row in reversed(rows))


def _ganeti_jobs(cloud: lab_cloud.LabCloud) -> str:
    try:
        ended = cloud.cluster.run(_GANETI_JOBS, timeout=30, check=False)
    except (OSError, subprocess.SubprocessError, process.LabError) as err:
        return str(err)
    return "\n".join((ended.stdout + ended.stderr).splitlines()[-_ROWS:])


def _complaints(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if " INFO " not in line]
    return "\n".join(lines[-_LOG_LINES:])
