"""inotify on one folder. What comes out is a hint of what to read (again), never content."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, field
from pathlib import Path

with warnings.catch_warnings():
    # pyinotify imports asyncore, which Python 3.11 warns of
    warnings.simplefilter("ignore", DeprecationWarning)
    import pyinotify

log = logging.getLogger(__name__)

_GONE = pyinotify.IN_DELETE_SELF | pyinotify.IN_MOVE_SELF | pyinotify.IN_UNMOUNT
_FILES = pyinotify.IN_MOVED_TO | pyinotify.IN_MOVED_FROM | pyinotify.IN_CLOSE_WRITE | pyinotify.IN_DELETE
_MASK = _FILES | _GONE | pyinotify.IN_ONLYDIR


@dataclass
class Changes:
    """What may have changed since the last read."""

    names: set[str] = field(default_factory=set)
    #: something may have been missed: look at everything
    rescan: bool = False


class Watcher:
    """Watches the folder; `watch` again takes up one that was not there."""

    def __init__(self, folder: Path) -> None:
        # pyinotify brings its own console handler; what matters is logged here
        logging.getLogger("pyinotify").handlers.clear()
        logging.getLogger("pyinotify").setLevel(logging.CRITICAL)
        self._folder = folder
        self._manager = pyinotify.WatchManager()
        self._notifier = pyinotify.Notifier(self._manager, default_proc_fun=self._on_event)
        self._watched: int | None = None
        self._changes = Changes()

    def fileno(self) -> int:
        return int(self._manager.get_fd())

    @property
    def watching(self) -> bool:
        """Tell whether the folder is being watched."""
        return self._watched is not None

    def watch(self) -> bool:
        """Watch the folder if it exists; True if it was not watched before, and all of it has to be read."""
        if self._watched is not None:
            return False
        wd = self._manager.add_watch(str(self._folder), _MASK).get(str(self._folder), -1)
        if wd < 0:
            return False
        log.info("watch.added", extra={"path": str(self._folder)})
        self._watched = wd
        return True

    def read(self) -> Changes:
        """Give what has changed; call it when the descriptor is readable."""
        try:
            self._notifier.read_events()
            self._notifier.process_events()
        except (UnicodeDecodeError, pyinotify.PyinotifyError):
            # a name that is not text loses the rest of its batch
            log.exception("watch.unreadable")
            self._changes.rescan = True
        changes, self._changes = self._changes, Changes()
        return changes

    def close(self) -> None:
        self._notifier.stop()

    def _on_event(self, event: pyinotify.Event) -> None:
        if event.mask & pyinotify.IN_Q_OVERFLOW:
            log.warning("watch.overflow")
            self._changes.rescan = True
        elif event.wd != self._watched:
            return
        elif event.mask & (_GONE | pyinotify.IN_IGNORED):
            log.warning("watch.lost", extra={"path": str(self._folder)})
            # a folder that was moved away is still watched where it went
            self._manager.rm_watch(self._watched, quiet=True)
            self._watched = None
            self._changes.rescan = True
        else:
            self._changes.names.add(event.name)
