"""The job queue on disk, written with the very file names and renames that Ganeti uses."""

import itertools
import os
import pathlib
import secrets
import string
import threading
from collections.abc import Iterator

import orjson

from gntsim import jobs

ARCHIVE_BUCKET = 10000
RANDOM_NAME = string.ascii_lowercase + string.digits + "_"


class JobQueue:
    """One queue directory; the only writer of it is this process."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._counter = itertools.count(1)
        self._pid = os.getpid()
        self._serial = 0

    def open(self) -> None:
        """Create what a fresh queue has, and read the serial of an old one."""
        (self.folder / "archive").mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o750)
        for name, content in (("version", "1\n"), ("lock", ""), ("serial", "0\n")):
            path = self.folder / name
            if not path.exists():
                path.write_text(content)
        self._serial = int((self.folder / "serial").read_text())

    def next_id(self) -> int:
        with self._lock:
            self._serial += 1
            self._replace(f"serial-{self._pid}-{next(self._counter)}.tmp", "serial", f"{self._serial}\n".encode())
            return self._serial

    def reset_serial(self) -> None:
        """Start again at job 1, as a re-initialised cluster does."""
        with self._lock:
            self._serial = 0
            self._replace(f"serial-{self._pid}-{next(self._counter)}.tmp", "serial", b"0\n")

    @property
    def serial(self) -> int:
        return self._serial

    def write_as_luxid(self, job: jobs.Job) -> bytes:
        content = orjson.dumps(job.by_luxid())
        self._replace(f"job-{job.id}-{self._pid}-{next(self._counter)}.tmp", f"job-{job.id}", content)
        return content

    def write_as_process(self, job: jobs.Job) -> bytes:
        content = orjson.dumps(job.by_process())
        suffix = "".join(secrets.choice(RANDOM_NAME) for _ in range(8))
        self._replace(f"job-{job.id}{suffix}.new", f"job-{job.id}", content)
        return content

    def archive(self, job_id: int) -> None:
        target = self.archived_path(job_id)
        target.parent.mkdir(parents=True, exist_ok=True)
        (self.folder / f"job-{job_id}").rename(target)

    def archived_path(self, job_id: int) -> pathlib.Path:
        return self.folder / "archive" / str(job_id // ARCHIVE_BUCKET) / f"job-{job_id}"

    def load_archived(self, job_id: int) -> jobs.Job | None:
        try:
            return jobs.parse(orjson.loads(self.archived_path(job_id).read_bytes()))
        except FileNotFoundError:
            return None

    def load_live(self) -> Iterator[jobs.Job]:
        """Every job of the live queue, in order of id."""
        names = (path.name for path in self.folder.iterdir())
        ids = sorted(int(name[4:]) for name in names if name.startswith("job-") and name[4:].isdigit())
        for job_id in ids:
            yield jobs.parse(orjson.loads((self.folder / f"job-{job_id}").read_bytes()))

    def archived_ids(self) -> set[int]:
        return {int(path.name[4:]) for path in (self.folder / "archive").glob("*/job-*")}

    def purge_live(self, job_id: int) -> None:
        (self.folder / f"job-{job_id}").unlink(missing_ok=True)

    def purge_archive(self) -> None:
        for path in (self.folder / "archive").glob("*/job-*"):
            path.unlink()

    @property
    def drained(self) -> bool:
        return (self.folder / "drain").exists()

    def drain(self, drained: bool) -> None:
        path = self.folder / "drain"
        if drained:
            path.write_text("")
        else:
            path.unlink(missing_ok=True)

    def _replace(self, temporary: str, name: str, content: bytes) -> None:
        path = self.folder / temporary
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        try:
            os.write(handle, content)
        finally:
            os.close(handle)
        path.rename(self.folder / name)
