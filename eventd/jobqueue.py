"""Ganeti's job queue as it lies on disk: live files in queue/, finished ones moved to queue/archive/<id div 10000>/."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from common import jobs

_JOB = re.compile(r"job-([0-9]+)")
_PER_ARCHIVE_DIR = 10_000


@dataclass(frozen=True)
class Archived:
    """An archived job's id, and when its file was last written (seconds since the epoch)."""

    id: int
    written_at: float


class JobQueue:
    """The queue below Ganeti's data directory; it is only ever read."""

    def __init__(self, ganeti_dir: Path) -> None:
        self._dir = ganeti_dir / "queue"
        self._archive = self._dir / "archive"

    def read(self, job_id: int) -> jobs.Job | None:
        """Read a job, live or archived; None if there is no such file.

        Raises jobs.Malformed for what is not (yet) a job, and OSError.
        """
        body = self._body(job_id)
        if body is None:
            return None
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as err:
            raise jobs.Malformed(f"not JSON: {err}") from err
        job = jobs.parse(document)
        if job.id != job_id:
            raise jobs.Malformed(f"the file of job {job_id} holds job {job.id}")
        return job

    def serial(self) -> int | None:
        """Give the last job id that was handed out; None if it can't be told."""
        try:
            return int((self._dir / "serial").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def live_ids(self) -> list[int]:
        """List the jobs that are not archived, oldest first."""
        return sorted(_ids_in(self._dir))

    def archived(self, wanted: Callable[[int], bool]) -> Iterator[Archived]:
        """List the archived jobs whose id is wanted, oldest first; other files are not even looked at."""
        try:
            folders = sorted((entry for entry in self._archive.iterdir() if entry.name.isdigit()), key=_number)
        except FileNotFoundError:
            return
        for folder in folders:
            for job_id in sorted(filter(wanted, _ids_in(folder))):
                try:
                    yield Archived(job_id, (folder / f"job-{job_id}").stat().st_mtime)
                except FileNotFoundError:
                    # the cleaner took it
                    continue

    def _body(self, job_id: int) -> bytes | None:
        live = self._dir / f"job-{job_id}"
        archived = self._archive / str(job_id // _PER_ARCHIVE_DIR) / live.name
        for path in (live, archived):
            try:
                return path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                continue
        return None


def _number(path: Path) -> int:
    return int(path.name)


def _ids_in(folder: Path) -> list[int]:
    try:
        names = [entry.name for entry in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [int(match[1]) for match in map(_JOB.fullmatch, names) if match]
