"""inotify on the folder of Ganeti's control sockets. What comes out is a hint to look, never content."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Callable
from pathlib import Path

with warnings.catch_warnings():
    # pyinotify imports asyncore, which Python 3.11 warns of
    warnings.simplefilter("ignore", DeprecationWarning)
    import pyinotify

log = logging.getLogger(__name__)

_GONE = pyinotify.IN_DELETE_SELF | pyinotify.IN_MOVE_SELF | pyinotify.IN_UNMOUNT | pyinotify.IN_IGNORED
_MASK = pyinotify.IN_CREATE | pyinotify.IN_MOVED_TO | pyinotify.IN_DELETE_SELF | pyinotify.IN_MOVE_SELF


class Watcher:
    """Calls `hint` when something may have appeared in the folder; `watch` again takes up one that was not there."""

    def __init__(self, folder: Path, hint: Callable[[], None]) -> None:
        logging.getLogger("pyinotify").handlers.clear()
        logging.getLogger("pyinotify").setLevel(logging.CRITICAL)
        self._folder = folder
        self._hint = hint
        self._manager = pyinotify.WatchManager()
        self._notifier = pyinotify.Notifier(self._manager, default_proc_fun=self._on_event)
        self._watched: int | None = None
        asyncio.get_running_loop().add_reader(self._manager.get_fd(), self._read)

    def watch(self) -> None:
        """Watch the folder, if it exists and is not watched yet."""
        if self._watched is None:
            wd = self._manager.add_watch(str(self._folder), _MASK | pyinotify.IN_ONLYDIR).get(str(self._folder), -1)
            self._watched = wd if wd >= 0 else None

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._manager.get_fd())
        self._notifier.stop()

    def _read(self) -> None:
        try:
            self._notifier.read_events()
            self._notifier.process_events()
        except (UnicodeDecodeError, pyinotify.PyinotifyError):
            # a name that is not text: a look finds what the rest of its batch told
            log.exception("watch.unreadable")
        self._hint()

    def _on_event(self, event: pyinotify.Event) -> None:
        if event.mask & _GONE and self._watched is not None:
            # a folder that was moved away is still watched where it went
            self._manager.rm_watch(self._watched, quiet=True)
            self._watched = None
