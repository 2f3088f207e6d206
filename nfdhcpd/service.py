"""nfdhcpd itself: one thread that waits for packets, changed bindings and the next advertisement."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import logging
import os
import random
import select
import time
from collections.abc import Callable

from common import daemon
from common.watcher import Watcher
from nfdhcpd import icmp6_answers, responder
from nfdhcpd.frames import Malformed
from nfdhcpd.interfaces import Interfaces
from nfdhcpd.metrics import Metrics
from nfdhcpd.nfqueue import Queue, Queued
from nfdhcpd.outcomes import Silence
from nfdhcpd.registry import Registry
from nfdhcpd.responder import Wanted
from nfdhcpd.schedule import Schedule
from nfdhcpd.sender import Sender
from nfdhcpd.settings import NfdhcpdSettings

log = logging.getLogger(__name__)

#: packets of one queue, and advertisements, before the others have their turn
_BATCH = 64
#: between looks for a folder that is not there
_FOLDER_PAUSE = 1.0
#: what a tap that is gone, or goes, answers
_GONE = frozenset((errno.ENODEV, errno.ENXIO, errno.ENETDOWN))


class Nfdhcpd:
    """Call `start`, then `stop`. Raises OSError where the kernel gives no queue or no raw socket."""

    def __init__(self, settings: NfdhcpdSettings, *, timer: Callable[[], float] = time.monotonic) -> None:
        self.metrics = Metrics()
        self._settings = settings
        self._timer = timer
        with contextlib.ExitStack() as opened:
            self._interfaces = Interfaces()
            opened.callback(self._interfaces.close)
            self._sender = Sender()
            opened.callback(self._sender.close)
            self._watcher = Watcher(settings.bindings_dir)
            opened.callback(self._watcher.close)
            self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            opened.callback(os.close, self._wake)
            self._queues: dict[int, tuple[Wanted, Queue]] = {}
            for wanted, number in zip(Wanted, settings.queues.values(), strict=True):
                if number >= 0:
                    queue = Queue(number, length=settings.queue_length)
                    opened.callback(queue.close)
                    self._queues[queue.fileno()] = (wanted, queue)
            self._opened = opened.pop_all()
        self._registry = Registry(
            settings.bindings_dir,
            self._interfaces,
            server_id=ipaddress.IPv4Address(settings.server_address).packed,
            metadata=settings.metadata,
        )
        self._schedule = Schedule(settings.ra_seconds, random.Random())
        self._look_at = 0.0
        self._poll = select.poll()
        for fd in (self._watcher.fileno(), self._wake, *self._queues):
            self._poll.register(fd, select.POLLIN)
        self._loop = daemon.Loop("nfdhcpd", self.step, interval=0)

    def start(self) -> None:
        """Answer in a thread of its own until `stop`."""
        self._look()
        log.info("nfdhcpd.started", extra={"bindings": len(self._registry), "nics": self._registry.ready})
        self._loop.start()

    def stop(self) -> None:
        """Answer what was read, give the queues back, and end the thread."""
        self._loop.signal_stop()
        os.eventfd_write(self._wake, 1)
        self._loop.stop()
        self._opened.close()
        log.info("nfdhcpd.stopped")

    def step(self) -> None:
        """Wait for something to do, and do it."""
        for fd, _events in self._poll.poll(self._patience() * 1000):
            if fd in self._queues:
                self._answer(*self._queues[fd])
            elif fd == self._wake:
                os.eventfd_read(self._wake)
            else:
                self._changed()
        now = self._timer()
        if now >= self._look_at:
            self._look()
        for name in self._registry.take_fresh():
            self._schedule.begin(name, now)
        for name in self._schedule.take(now, _BATCH):
            self._advertise(name)

    def _patience(self) -> float:
        now = self._timer()
        waits = [max(0.0, self._look_at - now)]
        due = self._schedule.due_in(now)
        if due is not None:
            waits.append(due)
        return min(waits)

    def _answer(self, wanted: Wanted, queue: Queue) -> None:
        received = self.metrics.received[wanted]
        for packet in queue.read(_BATCH):
            received.inc()
            if self._passes(wanted, packet):
                queue.accept(packet)
            else:
                queue.drop(packet)

    def _passes(self, wanted: Wanted, packet: Queued) -> bool:
        """Answer a packet; True if it was not, and goes on."""
        nic = self._registry.find(packet.interface)
        if nic is None:
            self.metrics.passed.labels(wanted.value, "no binding").inc()
            return True
        try:
            outcome = responder.respond(
                wanted, nic, packet.source, packet.payload, ra_seconds=self._settings.ra_seconds
            )
        except Malformed as err:
            self.metrics.dropped.labels(wanted.value, str(err)).inc()
            return False
        except Exception:
            # one guest's packet, and nobody else's trouble
            log.exception("packet.failed", extra={"interface": nic.binding.interface, "queue": wanted.value})
            self.metrics.dropped.labels(wanted.value, "failure").inc()
            return False
        if isinstance(outcome, Silence):
            self.metrics.passed.labels(wanted.value, outcome.reason).inc()
            return True
        if self._send(nic.binding.interface, outcome.frame):
            self.metrics.answered.labels(wanted.value, outcome.kind).inc()
        return False

    def _send(self, name: str, frame: bytes) -> bool:
        try:
            self._sender.send(name, frame)
        except OSError as err:
            self.metrics.unsent.labels(errno.errorcode.get(err.errno or 0, "other")).inc()
            if err.errno in _GONE:
                self._registry.lost(name)
                self._count()
            return False
        return True

    def _advertise(self, name: str) -> None:
        nic = self._registry.nic(name)
        if nic is None:
            # it begins anew with its tap
            self._schedule.end(name)
            return
        told = icmp6_answers.unsolicited(nic, ra_seconds=self._settings.ra_seconds)
        if told is not None and self._send(name, told.frame):
            self.metrics.advertised.inc()

    def _changed(self) -> None:
        changes = self._watcher.read()
        if changes.rescan:
            self._look()
        elif changes.names:
            self._registry.load(sorted(changes.names))
            self._count()

    def _look(self) -> None:
        """Look at the whole folder, and at every tap."""
        self._look_at = self._timer() + self._settings.rescan_seconds
        self._watcher.watch()
        try:
            self._registry.look()
        except OSError as err:
            log.warning("bindings.unreadable", extra={"path": str(self._settings.bindings_dir), "reason": str(err)})
        if not self._watcher.watching:
            self._look_at = self._timer() + min(_FOLDER_PAUSE, self._settings.rescan_seconds)
        self._count()

    def _count(self) -> None:
        self.metrics.bindings.set(len(self._registry))
        self.metrics.nics.set(self._registry.ready)
