"""luxid's part: accepts jobs, starts them when their dependencies and the limit allow, cancels and buries them."""

import bisect
import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent import futures

import orjson

from gntsim import cluster, hooks, jobs, knobs, locks, queue, settings, worker

log = logging.getLogger(__name__)

CANCEL_TIMEOUT = 5.0
WATCH_EVERY = 300.0  # how often ganeti-watcher comes by
LIVELOCKS = "/var/run/ganeti/livelocks"


class QueueDrained(Exception):
    """The operator closed the queue: no job is accepted."""


class Scheduler:
    """All live jobs of one queue."""

    def __init__(
        self, config: settings.Settings, state: cluster.Cluster, disk: queue.JobQueue, faults: knobs.Knobs
    ) -> None:
        self._settings = config
        self._cluster = state
        self._disk = disk
        self._knobs = faults
        self._locks = locks.LockManager()
        lock = threading.RLock()
        # One lock, two audiences: the loop below, and whoever waits for a job to change.
        self._wake = threading.Condition(lock)
        self._changed = threading.Condition(lock)
        self._stopping = threading.Event()
        self._jobs: dict[int, jobs.Job] = {}
        self._files: dict[int, bytes] = {}
        # Jobs whose final state is on disk; a job's own status says so a moment too early.
        self._ended: set[int] = set()
        # After a re-init an old archived job hides the new one of its number from whoever asks Ganeti.
        self._shadowed: set[int] = set()
        self._controls: dict[int, worker.Control] = {}
        self._pending: list[tuple[int, int]] = []
        self._starting: list[tuple[float, int]] = []
        self._funerals: list[tuple[float, int]] = []
        self._running = 0
        self._watch_at = time.monotonic() + WATCH_EVERY
        self._started = int(time.time())
        self._process_ids = itertools.count(self._started % 30000 + 1000)
        self._pool = futures.ThreadPoolExecutor(config.max_running_jobs, thread_name_prefix="gntsim-job")
        self._world = worker.World(
            cluster=state,
            settings=config,
            knobs=faults,
            locks=self._locks,
            hooks=hooks.HookRunner(config.hooks_dir, state),
            write=lambda job: self._publish(job, self._disk.write_as_process(job)),
            submit=self.submit,
            stopping=self._stopping,
        )
        self._thread = threading.Thread(target=self._loop, name="gntsim-scheduler", daemon=True)

    # -- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up the queue: what was queued goes on, what was running has died."""
        self._shadowed = self._disk.archived_ids()
        for job in self._disk.load_live():
            self._jobs[job.id] = job
            self._files[job.id] = orjson.dumps(job.by_luxid())
            if job.status.final:
                self._ended.add(job.id)
            if job.status is jobs.Status.QUEUED:
                self._enqueue(job)
            elif not job.status.final:
                heapq.heappush(self._funerals, (time.monotonic() + self._settings.death_delay, job.id))
        self._thread.start()

    def stop(self) -> None:
        """Let running jobs finish at once, and leave queued ones for the next start."""
        self._stopping.set()
        for control in list(self._controls.values()):
            control.tell()
        with self._wake:
            self._wake.notify_all()
            self._changed.notify_all()
        self._thread.join()
        for _, job_id in self._funerals:
            self._bury(job_id)
        self._pool.shutdown(wait=True)

    # -- what RAPI asks for -----------------------------------------------------------------------------------------

    def submit(self, ops: list[jobs.Op]) -> int:
        """Accept a job: its file is on disk when this returns."""
        if self._disk.drained:
            raise QueueDrained
        job_id = self._disk.next_id()
        received = jobs.now()
        nanoseconds = received[0] * 1_000_000_000 + received[1] * 1000
        for index, op in enumerate(ops):
            name = op.opcode.removeprefix("OP_").lower()
            op.common["reason"] = [
                *op.common["reason"],
                [f"gnt:opcode:{name}", f"job={job_id};index={index}", nanoseconds],
            ]
        job = jobs.Job(id=job_id, ops=ops, received=received)
        self._publish(job, self._disk.write_as_luxid(job))
        with self._wake:
            self._jobs[job_id] = job
            self._enqueue(job)
            self._wake.notify_all()
        return job_id

    def cancel(self, job_id: int) -> tuple[bool, str]:
        """Cancel a job if it is not running yet; waits for a job that waits for locks."""
        with self._wake:
            job = self._jobs.get(job_id)
            if job is None or job_id in self._ended:
                return False, f"Job {job_id} not found in queue"
            if self._dequeue(job):
                return True, f"Dequeued job {job_id}"
        control = self._controls.get(job_id)
        if control is None or job.status is jobs.Status.RUNNING:
            return False, "Job no longer waiting, can't cancel (informed it anyway)"
        control.tell(canceled=True)
        self._locks.wake()
        self.wait_for(lambda: job_id in self._ended or job.status is jobs.Status.RUNNING, CANCEL_TIMEOUT)
        match job.status:
            case jobs.Status.CANCELED:
                return True, "Job successfully cancelled"
            case jobs.Status.SUCCESS | jobs.Status.ERROR:
                outcome = job.status.upper()
                return False, f"Job exited before it could have been canceled, status JOB_STATUS_{outcome}"
            case _:
                return False, "Job no longer waiting, can't cancel (informed it anyway)"

    def live_ids(self) -> list[int]:
        with self._wake:
            return sorted(self._jobs)

    def file(self, job_id: int) -> bytes | None:
        """The job's file as last written, live or archived."""
        content = self._files.get(job_id)
        if content is not None and job_id not in self._shadowed:
            return content
        try:
            return self._disk.archived_path(job_id).read_bytes()
        except FileNotFoundError:
            return None

    def is_live(self, job_id: int) -> bool:
        return job_id in self._jobs

    def wait_for(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until some job's file changed such that the condition holds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._stopping.is_set() or condition(), timeout) and condition()

    # -- what the fault knobs do to jobs ----------------------------------------------------------------------------

    def kill(self, job_id: int, *, detect_after: float | None = None) -> bool:
        """Kill a started job's process; its death is noticed after a while."""
        control = self._controls.get(job_id)
        job = self._jobs.get(job_id)
        if control is None or job is None or job_id in self._ended:
            return False
        delay = self._settings.death_delay if detect_after is None else detect_after
        with self._wake:
            heapq.heappush(self._funerals, (time.monotonic() + delay, job_id))
            control.tell(killed=True)
            self._wake.notify_all()
        self._locks.wake()
        return True

    def release(self, job_id: int) -> bool:
        """Let a stuck job go on."""
        control = self._controls.get(job_id)
        if control is None:
            return False
        control.tell(released=True)
        return True

    def nudge(self) -> None:
        """Look at the queue again: a knob was turned."""
        with self._wake:
            self._wake.notify_all()

    def archive(self, ids: Iterable[int] | None = None, *, older_than: float = 0.0) -> int:
        """Archive finished jobs: the given ones, or all that ended long enough ago."""
        limit = time.time() - older_than
        archived = 0
        with self._wake:
            for job_id in list(self._jobs) if ids is None else list(ids):
                job = self._jobs.get(job_id)
                if job is None or job_id not in self._ended or job.end is None or job.end[0] > limit:
                    continue
                self._disk.archive(job_id)
                del self._jobs[job_id], self._files[job_id]
                self._ended.discard(job_id)
                archived += 1
        return archived

    def purge(self) -> None:
        """Delete every archived job, as the cleaner does in time."""
        self._disk.purge_archive()
        self._shadowed.clear()

    def forget_all(self) -> None:
        """Empty the live queue and start at job 1 again; the archive stays, as after a re-init."""
        with self._wake:
            for job_id, control in list(self._controls.items()):
                control.tell(killed=True, canceled=True)
                self._controls.pop(job_id, None)
            self._locks.wake()
            self._changed.wait_for(lambda: self._running == 0, CANCEL_TIMEOUT)
            for job_id in list(self._jobs):
                self._disk.purge_live(job_id)
            self._jobs.clear()
            self._files.clear()
            self._ended.clear()
            self._pending.clear()
            self._starting.clear()
            self._funerals.clear()
            self._disk.reset_serial()
            self._shadowed = self._disk.archived_ids()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _publish(self, job: jobs.Job, content: bytes) -> None:
        with self._wake:
            self._files[job.id] = content
            if job.status.final:
                self._ended.add(job.id)
                self._wake.notify_all()
            self._changed.notify_all()

    def _enqueue(self, job: jobs.Job) -> None:
        if self._knobs.dials.start_delay > 0:
            heapq.heappush(self._starting, (time.monotonic() + self._knobs.dials.start_delay, job.id))
        else:
            bisect.insort(self._pending, (job.ops[0].priority, job.id))

    def _dequeue(self, job: jobs.Job) -> bool:
        entry = (job.ops[0].priority, job.id)
        if entry in self._pending:
            self._pending.remove(entry)
        elif any(waiting == job.id for _, waiting in self._starting):
            self._starting = [item for item in self._starting if item[1] != job.id]
            heapq.heapify(self._starting)
        else:
            return False
        job.end = jobs.now()
        for op in job.ops:
            op.status = jobs.Status.CANCELED
            op.end = job.end
        self._publish(job, self._disk.write_as_luxid(job))
        return True

    def _loop(self) -> None:
        with self._wake:
            while not self._stopping.is_set():
                now = time.monotonic()
                while self._starting and self._starting[0][0] <= now:
                    _, job_id = heapq.heappop(self._starting)
                    bisect.insort(self._pending, (self._jobs[job_id].ops[0].priority, job_id))
                while self._funerals and self._funerals[0][0] <= now:
                    self._bury(heapq.heappop(self._funerals)[1])
                self._start_ready()
                if self._watch_at <= now:
                    self._watch_at = now + WATCH_EVERY
                    self.archive(older_than=self._settings.archive_after)
                due = [item[0][0] for item in (self._starting, self._funerals) if item]
                self._wake.wait(max(0.0, min([self._watch_at, *due]) - now))

    def _start_ready(self) -> None:
        if self._knobs.dials.paused or self._running >= self._settings.max_running_jobs:
            return
        for entry in list(self._pending):
            if self._running >= self._settings.max_running_jobs:
                return
            job = self._jobs[entry[1]]
            ready, error = self._dependencies(job)
            if ready:
                self._pending.remove(entry)
                self._start(job, error)

    def _dependencies(self, job: jobs.Job) -> tuple[bool, str | None]:
        for needed, statuses in job.ops[0].common.get("depends") or []:
            other = self._jobs.get(needed)
            if other is not None and needed not in self._ended:
                return False, None
            other = other or self._disk.load_archived(needed)
            if other is None:
                return True, f"Dependency error: Job {needed} not found"
            if other.status is jobs.Status.CANCELED and other.status not in statuses:
                return True, worker.DEPENDENCY_CANCELED
            if statuses and other.status not in statuses:
                listed = ", ".join(statuses)
                text = (
                    f"Dependency job {needed} finished with status '{other.status}', not one of '{listed}' as required"
                )
                return True, text
        return True, None

    def _start(self, job: jobs.Job, dependency_error: str | None) -> None:
        job.livelock = f"{LIVELOCKS}/luxi-daemon_{self._started}"
        self._publish(job, self._disk.write_as_luxid(job))
        job.livelock = f"{LIVELOCKS}/job_{job.id:06d}_{int(time.time())}"
        self._publish(job, self._disk.write_as_luxid(job))
        if self._cluster.identity.poisoned:
            # A configuration with non-ASCII text cannot be read by any job process: each dies at its start.
            heapq.heappush(self._funerals, (time.monotonic() + self._settings.death_delay, job.id))
            return
        job.process_id = next(self._process_ids)
        control = self._controls[job.id] = worker.Control()
        self._running += 1
        self._pool.submit(self._work, job, control, dependency_error)

    def _work(self, job: jobs.Job, control: worker.Control, dependency_error: str | None) -> None:
        try:
            worker.Worker(self._world, job, control).run(dependency_error)
        except worker.JobDied:
            with self._wake:
                if control.killed and not any(job_id == job.id for _, job_id in self._funerals):
                    heapq.heappush(self._funerals, (time.monotonic() + self._settings.death_delay, job.id))
        except Exception:
            log.exception("job worker crashed", extra={"job": job.id})
        finally:
            with self._wake:
                self._running -= 1
                if job.status.final:
                    self._controls.pop(job.id, None)
                self._wake.notify_all()
                self._changed.notify_all()

    def _bury(self, job_id: int) -> None:
        job = self._jobs.get(job_id)
        if job is None or job_id in self._ended:
            return
        text = f"detected death of job {job_id}"
        job.end = jobs.now()
        nanoseconds = job.end[0] * 1_000_000_000 + job.end[1] * 1000
        for op in job.ops:
            op.status = jobs.Status.ERROR
            op.result = text
            op.end = job.end
            op.common["reason"] = [*op.common["reason"], ["gnt:daemon:luxid:deathdetection", text, nanoseconds]]
        self._locks.release(job)
        self._controls.pop(job_id, None)
        self._publish(job, self._disk.write_as_luxid(job))
