"""A Ganeti data directory that tests write to as Ganeti does, and a broker that can be told to fail."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import orjson

from common import bus, jobs, messages

EPOCH = 1_795_000_000
MASTER = "node1.gnt.test"


class DataDir:
    """/var/lib/ganeti of one node."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.queue = path / "queue"
        self._temporary = itertools.count(1)

    def init(self, uuid: str = "cluster-a", *, ctime: int = EPOCH, master: str = MASTER) -> None:
        (self.queue / "archive").mkdir(parents=True, exist_ok=True)
        self.write("config.data", orjson.dumps({"cluster": {"uuid": uuid, "ctime": float(ctime)}, "nodes": {}}))
        self.serial(0)
        self.master(master)

    def destroy(self) -> None:
        """Remove what `gnt-cluster destroy` removes: everything but the archive."""
        for file in [*self.queue.glob("job-*"), self.queue / "serial"]:
            file.unlink()
        (self.path / "config.data").unlink()
        (self.path / "ssconf_master_node").unlink()

    def master(self, name: str) -> None:
        self.write("ssconf_master_node", f"{name}\n".encode())

    def serial(self, value: int) -> None:
        self.write("queue/serial", f"{value}\n".encode())

    def job(self, job_id: int, *statuses: str, received: int = EPOCH + 10, logs: int = 0) -> None:
        """Write a version of a job with one operation per status."""
        self.job_document(document(job_id, *statuses, received=received, logs=logs))

    def job_document(self, doc: dict[str, object]) -> None:
        self.write(f"queue/job-{doc['id']}", orjson.dumps(doc))

    def job_bytes(self, job_id: int, body: bytes) -> None:
        self.write(f"queue/job-{job_id}", body)

    def archive(self, job_id: int) -> None:
        folder = self.queue / "archive" / str(job_id // 10000)
        folder.mkdir(parents=True, exist_ok=True)
        (self.queue / f"job-{job_id}").rename(folder / f"job-{job_id}")

    def age(self, job_id: int, seconds_since_epoch: float) -> None:
        """Make an archived job's file look as old as that."""
        file = self.queue / "archive" / str(job_id // 10000) / f"job-{job_id}"
        os.utime(file, (seconds_since_epoch, seconds_since_epoch))

    def replace_queue(self) -> None:
        shutil.rmtree(self.queue)
        (self.queue / "archive").mkdir(parents=True)

    def overflow(self) -> None:
        """Make more events than the kernel keeps; those that come after are lost."""
        limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        name = self.queue / "x0.tmp"
        name.touch()
        for number in range(1, limit + 2):
            name = name.rename(self.queue / f"x{number % 2}{number % 3}.tmp")
        name.unlink()

    def write(self, name: str, body: bytes) -> None:
        target = self.path / name
        temporary = target.with_name(f"{target.name}-{os.getpid()}-{next(self._temporary)}.tmp")
        temporary.write_bytes(body)
        temporary.rename(target)


def document(job_id: int, *statuses: str, received: int = EPOCH + 10, logs: int = 0) -> dict[str, object]:
    """Give a job's JSON, in the shape of the recorded ones."""
    ended = all(status in ("success", "error", "canceled") for status in statuses)
    return {
        "id": job_id,
        "ops": [
            {
                "input": {
                    "OP_ID": "OP_INSTANCE_STARTUP",
                    "instance_name": "inst1",
                    "reason": [["gnt:user", "req-00000000-0000-4000-8000-000000000001", 1], ["gnt:opcode:x", "", 2]],
                },
                "status": status,
                "result": ["OpExecError", ["it failed"]] if status == "error" else None,
                "log": [[n, [received, n], "message", "…"] for n in range(logs)],
                "end_timestamp": [received + 5, 0] if status in ("success", "error") else None,
            }
            for status in statuses
        ],
        "received_timestamp": [received, 0],
        "start_timestamp": None if statuses[0] == "queued" else [received + 1, 0],
        "end_timestamp": [received + 5, 0] if ended else None,
    }


class FlakyBus:
    """A broker that records what it confirms, and refuses everything while `down`."""

    def __init__(self) -> None:
        self.down = False
        self.batches: list[list[messages.Event]] = []

    @property
    def events(self) -> list[messages.Event]:
        return [event for batch in self.batches for event in batch]

    def statuses(self) -> list[tuple[int, str]]:
        """List the (id, status) of all job events, as confirmed."""
        return [(event.job.id, event.job.status.value) for event in self.events if isinstance(event, messages.JobEvent)]

    def final(self, cluster: str = "cluster-a") -> dict[int, jobs.JobStatus]:
        return {
            event.job.id: event.job.status
            for event in self.events
            if isinstance(event, messages.JobEvent) and event.cluster == cluster and event.job.status.final
        }

    def publisher(self) -> bus.Publisher:
        return _FlakyPublisher(self)

    def consume(self, handle: bus.Handler, *, stop: threading.Event) -> None:
        raise NotImplementedError

    def ready(self) -> bool:
        return not self.down

    def dead_letters(self, limit: int) -> list[bus.DeadLetter]:
        return []

    def replay(self, letter_id: str) -> bool:
        return False

    def drop(self, letter_id: str) -> bool:
        return False


class _FlakyPublisher:
    def __init__(self, owner: FlakyBus) -> None:
        self._owner = owner

    def publish(self, bodies: Sequence[bytes]) -> None:
        if self._owner.down:
            raise bus.BusUnreachable("down, as told")
        self._owner.batches.append([messages.decode(body) for body in bodies])

    def close(self) -> None:
        """Nothing is held."""
