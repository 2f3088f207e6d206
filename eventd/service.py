"""eventd itself: one thread that waits for changes, reads what changed, and publishes it until it is confirmed.

The job queue on disk is the journal. Everything here is a hint to read a file (again); a job counts as published only
when the broker has confirmed its final state, and whatever is not confirmed is found by the next scan.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from common import bus, clock, daemon, jobs, messages
from eventd import cluster, jobqueue, journal, metrics, pending, seen, settings, spool, watcher

log = logging.getLogger(__name__)

_BATCH = 100
_INCOMPLETE_PAUSE = 1.0
_BROKER_PAUSE = 0.2
_BROKER_PAUSE_MAX = 2.0
#: file times are compared with the cluster's only roughly; a job's own timestamps decide
_SLACK = timedelta(hours=1)


@dataclass(frozen=True)
class _Parcel:
    """An event on its way, with where it came from."""

    event: messages.Event
    file: Path | None = None


class Eventd:
    """Publishes one cluster's events on `broker` while this node is its master."""

    def __init__(
        self,
        config: settings.EventdSettings,
        broker: bus.Bus,
        *,
        now: clock.Clock = clock.now,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.metrics = metrics.Metrics()
        self._config = config
        self._node = settings.node_name(config)
        self._now = now
        self._timer = timer
        self._publisher = broker.publisher()
        self._queue = jobqueue.JobQueue(config.ganeti_dir)
        self._identities = cluster.IdentityFile(config.ganeti_dir)
        self._journal = journal.Journal(config.state_file)
        self._watcher = watcher.Watcher(config.ganeti_dir, config.spool_dir)
        self._spool = spool.Spool(config.spool_dir)
        self._pending = pending.Pending()
        self._seen = seen.Seen()
        self._cluster: cluster.Identity | None = None
        self._opened: str | None = None
        self._was_master: bool | None = None
        self._publishing = False
        self._looked = False
        self._spool_changed = False
        self._serial = 0
        self._rescan_at = 0.0
        self._save_at = 0.0
        self._broker_at = 0.0
        self._broker_pause = _BROKER_PAUSE
        self._loop = daemon.Loop("eventd", self.step, interval=0)

    def start(self) -> None:
        """Publish in a thread of its own until `stop`."""
        try:
            self._config.spool_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as err:
            log.warning("spool.missing", extra={"path": str(self._config.spool_dir), "reason": repr(err)})
        log.info("eventd.started", extra={"node": self._node, "ganeti_dir": str(self._config.ganeti_dir)})
        self._loop.start()

    def stop(self) -> None:
        """Let the publishing under way end, save what is confirmed, and end the thread."""
        self._loop.signal_stop()
        self._watcher.wake()
        self._loop.stop()
        self.close()
        log.info("eventd.stopped", extra={"node": self._node})

    def close(self) -> None:
        """Give back everything that is held; for an eventd that was stepped by hand."""
        self._save()
        self._watcher.close()
        self._publisher.close()

    def step(self, timeout: float = 60.0) -> None:
        """Wait for changes for at most `timeout` seconds, then publish what can be."""
        self._look(self._watcher.wait(min(timeout, self._patience())))
        if self._publishing and self._timer() >= self._broker_at:
            self._publish()
        if self._journal.dirty and self._timer() >= self._save_at:
            self._save()
        self.metrics.pending.set(len(self._pending))
        self._looked = True

    @property
    def idle(self) -> bool:
        """Tell whether it has looked, and nothing that it found waits to be published."""
        return self._looked and not len(self._pending) and not self._spool_changed

    def _patience(self) -> float:
        """Tell for how long nothing has to be done unless something changes."""
        now = self._timer()
        waits = [self._rescan_at - now]
        if not self._watcher.complete or self._cluster is None:
            waits.append(_INCOMPLETE_PAUSE)
        if self._journal.dirty:
            waits.append(self._save_at - now)
        due = 0.0 if self._spool_changed else self._pending.due_in(now)
        if self._publishing and due is not None:
            waits.append(max(due, self._broker_at - now))
        return max(0.0, min(waits))

    def _look(self, changes: watcher.Changes) -> None:
        periodic = self._timer() >= self._rescan_at
        scanned = False
        # config.data is long: it is read only when there may be another cluster, not once a minute
        fell = (changes.serial or changes.rescan or periodic) and self._serial_fell()
        suspicious = changes.rescan or changes.master or fell
        if suspicious or periodic or self._cluster is None:
            scanned = self._find_our_place(anew=suspicious or self._cluster is None)
        if not self._publishing:
            if periodic:
                self._rescan_at = self._timer() + self._config.rescan_seconds
            return
        self._pending.add_fresh(changes.jobs)
        self._spool_changed |= changes.spool
        if changes.rescan and not scanned:
            self._scan(archive=True)
        elif periodic and not scanned:
            self._scan(archive=False)

    def _serial_fell(self) -> bool:
        """Tell whether job ids began anew: the cluster was destroyed and made again."""
        serial = self._queue.serial()
        if serial is None:
            return False
        fell = serial < self._serial
        self._serial = serial
        return fell

    def _find_our_place(self, *, anew: bool) -> bool:
        """Read which cluster this is and whether we are its master; True if that asked for a scan, which was made."""
        identity = self._identities.read() if anew else self._cluster
        known = True
        changed = False
        if identity is not None and identity.uuid != self._opened:
            changed = True
            log.info("cluster.found", extra={"cluster": identity.uuid})
            known = self._journal.open(identity.uuid)
            self._opened = identity.uuid
            self._forget()
        self._cluster = identity
        self._publishing = identity is not None and cluster.master_node(self._config.ganeti_dir) == self._node
        self.metrics.publishing.set(self._publishing)
        gained = self._publishing and self._was_master is not True
        if self._was_master is not self._publishing:
            log.info("mastership.gained" if gained else "mastership.absent", extra={"node": self._node})
        if not self._publishing:
            self._forget()
        # another master has published meanwhile; a restart, on the contrary, goes on where it was
        long_away = gained and self._was_master is False
        if identity is not None:
            self._was_master = self._publishing
        if not self._publishing or not (changed or gained):
            return False
        self._scan(archive=True, recent_only=long_away or not known)
        return True

    def _forget(self) -> None:
        self._pending.clear()
        self._seen.clear()

    def _scan(self, *, archive: bool, recent_only: bool = False) -> None:
        """Put every job into the backlog whose final state is not confirmed; without `recent_only`, of any age."""
        self.metrics.rescans.inc()
        self._rescan_at = self._timer() + self._config.rescan_seconds
        self._spool_changed = True
        found = [job_id for job_id in self._queue.live_ids() if not self._journal.confirmed(job_id)]
        # one that is not live any more has ended and was archived
        found += self._seen.unfinished()
        if archive:
            found = self._unconfirmed_in_archive(recent_only=recent_only) + found
            log.info("queue.scanned", extra={"unconfirmed": len(found)})
        self._pending.add_backlog(found)

    def _unconfirmed_in_archive(self, *, recent_only: bool) -> list[int]:
        recent = (self._now() - timedelta(days=self._config.archive_days)).timestamp()
        created_at = self._cluster.created_at if self._cluster else None
        oldest = (created_at - _SLACK).timestamp() if created_at else 0.0
        found: list[int] = []
        for archived in self._queue.archived(lambda job_id: not self._journal.confirmed(job_id)):
            if archived.written_at < oldest:
                # left over by the cluster that was here before; its id will be given to another job
                continue
            if recent_only and archived.written_at < recent:
                self._journal.confirm(archived.id)
                continue
            found.append(archived.id)
        return found

    def _publish(self) -> None:
        parcels = self._collect_spool()
        taken = self._pending.take(_BATCH - len(parcels), self._timer())
        parcels += [_Parcel(event) for event in map(self._read_job, taken) if event is not None]
        if not parcels:
            return
        try:
            self._publisher.publish([messages.encode(parcel.event) for parcel in parcels])
        except bus.BusUnreachable as err:
            self._pending.give_back(taken)
            self._spool_changed = True
            self._broker_at = self._timer() + self._broker_pause
            self.metrics.errors.labels("broker").inc()
            log.warning("publish.failed", extra={"reason": str(err), "retry_in": self._broker_pause})
            self._broker_pause = min(self._broker_pause * 2, _BROKER_PAUSE_MAX)
            return
        self._broker_pause = _BROKER_PAUSE
        for parcel in parcels:
            self._settle(parcel)

    def _collect_spool(self) -> list[_Parcel]:
        if not self._spool_changed or self._cluster is None:
            return []
        files = self._spool.files(_BATCH)
        self._spool_changed = len(files) == _BATCH
        parcels: list[_Parcel] = []
        for file in files:
            try:
                event = spool.read(file, self._cluster.uuid)
            except FileNotFoundError:
                continue
            except (spool.BadFile, OSError) as err:
                self.metrics.errors.labels("spool").inc()
                self._spool.reject(file, str(err))
                continue
            if self._cluster.created_at and event.at < self._cluster.created_at:
                # of the cluster that was here before
                self._spool.done(file)
                continue
            parcels.append(_Parcel(event, file))
        return parcels

    def _read_job(self, job_id: int) -> messages.JobEvent | None:
        """Read a job that may have changed; None if there is nothing new to say of it."""
        if self._cluster is None:
            return None
        try:
            job = self._queue.read(job_id)
        except (jobs.Malformed, OSError) as err:
            pause = self._pending.retry(job_id, self._timer())
            self.metrics.errors.labels("job").inc()
            log.warning("job.unreadable", extra={"job": job_id, "reason": str(err), "retry_in": pause})
            return None
        self._pending.done(job_id)
        if job is None:
            self._seen.forget(job_id)
            return None
        if job.received_at and self._cluster.created_at and job.received_at < self._cluster.created_at:
            return None
        if self._seen.has(job):
            return None
        return messages.JobEvent(cluster=self._cluster.uuid, job=job, seen_at=self._now())

    def _settle(self, parcel: _Parcel) -> None:
        """Note what the broker has confirmed."""
        event = parcel.event
        if parcel.file is not None:
            self._spool.done(parcel.file)
        if not isinstance(event, messages.JobEvent):
            self.metrics.published.labels("hook").inc()
            log.info("hook.published", extra={"opcode": event.opcode})
            return
        job = event.job
        self._seen.add(job)
        self.metrics.published.labels("job").inc()
        log.info(
            "job.published",
            extra={
                "job": job.id,
                "status": job.status.value,
                "opcode": job.ops[0].opcode,
                "instance": job.ops[0].instance,
                "request_id": job.request_id,
            },
        )
        if job.status.final:
            self._journal.confirm(job.id)
            if job.ended_at:
                self.metrics.lag.observe(max(0.0, (self._now() - job.ended_at).total_seconds()))

    def _save(self) -> None:
        self._save_at = self._timer() + self._config.save_seconds
        if not self._journal.dirty:
            return
        try:
            self._journal.save()
        except OSError as err:
            self.metrics.errors.labels("state").inc()
            log.warning("journal.unwritable", extra={"path": str(self._config.state_file), "reason": repr(err)})
