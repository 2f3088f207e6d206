"""inotify on the job queue, the hook spool and the name of the master; the one module that knows pyinotify.

What comes out is a hint of where to look, never content: two quick writes may be seen as one, and a missed one is
found by the full look that a `rescan` asks for.
"""

from __future__ import annotations

import logging
import os
import re
import select
import warnings
from dataclasses import dataclass, field
from pathlib import Path

with warnings.catch_warnings():
    # pyinotify imports asyncore, which Python 3.11 warns of
    warnings.simplefilter("ignore", DeprecationWarning)
    import pyinotify

log = logging.getLogger(__name__)

_JOB = re.compile(r"job-([0-9]+)")

_GONE = pyinotify.IN_DELETE_SELF | pyinotify.IN_MOVE_SELF | pyinotify.IN_UNMOUNT
_DATA_MASK = pyinotify.IN_MOVED_TO | pyinotify.IN_MOVED_FROM | pyinotify.IN_CREATE | pyinotify.IN_DELETE | _GONE
_DROP_MASK = pyinotify.IN_MOVED_TO | _GONE
_MASTER_FILE = "ssconf_master_node"
_QUEUE_DIR = "queue"
_SERIAL_FILE = "serial"


@dataclass
class Changes:
    """What may have changed since the last look; `jobs` in the order seen."""

    jobs: dict[int, None] = field(default_factory=dict)
    serial: bool = False
    master: bool = False
    spool: bool = False
    #: something may have been missed: look at everything
    rescan: bool = False


class Watcher:
    """Watches the directories that exist and takes up the others as they appear."""

    def __init__(self, ganeti_dir: Path, spool_dir: Path) -> None:
        # pyinotify brings its own console handler; what matters is logged here
        logging.getLogger("pyinotify").handlers.clear()
        logging.getLogger("pyinotify").setLevel(logging.CRITICAL)
        self._data = ganeti_dir
        self._queue = ganeti_dir / _QUEUE_DIR
        self._spool = spool_dir
        self._manager = pyinotify.WatchManager()
        self._notifier = pyinotify.Notifier(self._manager, default_proc_fun=self._on_event)
        self._watches: dict[Path, int] = {}
        self._changes = Changes()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._manager.get_fd(), select.POLLIN)
        self._poll.register(self._wake, select.POLLIN)

    def wait(self, timeout: float) -> Changes:
        """Give the changes; wait up to `timeout` seconds for the first, or for `wake`."""
        self._watch_what_exists()
        if self._changes.rescan:
            timeout = 0
        ready = {fd for fd, _mask in self._poll.poll(max(0, timeout) * 1000)}
        if self._wake in ready:
            os.eventfd_read(self._wake)
        if self._manager.get_fd() in ready:
            self._read()
        changes, self._changes = self._changes, Changes()
        return changes

    @property
    def complete(self) -> bool:
        """Tell whether every directory is being watched."""
        return len(self._watches) == len(self._wanted())

    def wake(self) -> None:
        """End a `wait` now; the one method that other threads may call."""
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        self._notifier.stop()
        os.close(self._wake)

    def _wanted(self) -> dict[Path, int]:
        return {self._data: _DATA_MASK, self._queue: _DROP_MASK, self._spool: _DROP_MASK}

    def _watch_what_exists(self) -> None:
        for path, mask in self._wanted().items():
            if path in self._watches:
                continue
            wd = self._manager.add_watch(str(path), mask | pyinotify.IN_ONLYDIR).get(str(path), -1)
            if wd < 0:
                continue
            log.info("watch.added", extra={"path": str(path)})
            self._watches[path] = wd
            # what was there before the watch makes no event
            self._changes.rescan = True

    def _read(self) -> None:
        try:
            self._notifier.read_events()
            self._notifier.process_events()
        except (UnicodeDecodeError, pyinotify.PyinotifyError):
            # a name that is not text loses the rest of its batch
            log.exception("watch.unreadable")
            self._changes.rescan = True

    def _on_event(self, event: pyinotify.Event) -> None:
        if event.mask & pyinotify.IN_Q_OVERFLOW:
            log.warning("watch.overflow")
            self._changes.rescan = True
            return
        path = next((path for path, wd in self._watches.items() if wd == event.wd), None)
        if path is None:
            return
        if event.mask & (_GONE | pyinotify.IN_IGNORED):
            self._unwatch(path)
        elif path == self._queue:
            self._on_queue(event.name)
        elif path == self._spool:
            self._changes.spool = True
        elif event.name == _MASTER_FILE:
            self._changes.master = True
        elif event.name == _QUEUE_DIR:
            self._unwatch(self._queue)

    def _on_queue(self, name: str) -> None:
        job = _JOB.fullmatch(name)
        if job:
            self._changes.jobs[int(job[1])] = None
        elif name == _SERIAL_FILE:
            self._changes.serial = True

    def _unwatch(self, path: Path) -> None:
        wd = self._watches.pop(path, None)
        if wd is None:
            return
        log.info("watch.lost", extra={"path": str(path)})
        # a directory that was moved away is still watched where it went
        self._manager.rm_watch(wd, quiet=True)
        self._changes.rescan = True
