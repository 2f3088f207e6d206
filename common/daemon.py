"""What every long-running program needs: a stop signal, and loops that outlive the failures of their peers."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType

log = logging.getLogger(__name__)

_BACKOFF_START = 0.5
_BACKOFF_MAX = 30.0


class Loop:
    """A named thread that calls `step` again and again: after `interval` seconds, or at once when woken.

    A step that raises is logged and tried again after a growing pause; the thread ends only with `stop`.
    """

    def __init__(self, name: str, step: Callable[[], object], *, interval: float) -> None:
        self._name = name
        self._step = step
        self._interval = interval
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Have the next step begin now."""
        self._wake.set()

    def stop(self, timeout: float = 20.0) -> None:
        """Let the step under way end, then end the thread."""
        self.signal_stop()
        self._thread.join(timeout)

    def signal_stop(self) -> None:
        self._stop.set()
        self._wake.set()

    def _run(self) -> None:
        backoff = _BACKOFF_START
        while not self._stop.is_set():
            self._wake.clear()
            try:
                self._step()
            except Exception:
                log.exception("loop.failed", extra={"loop": self._name, "retry_in": backoff})
                self._stop.wait(backoff)
                backoff = min(backoff * 2, _BACKOFF_MAX)
                continue
            backoff = _BACKOFF_START
            if not self._stop.is_set():
                self._wake.wait(self._interval)


def stop_all(loops: Sequence[Loop]) -> None:
    """Tell every loop to stop, then wait for each."""
    for loop in loops:
        loop.signal_stop()
    for loop in loops:
        loop.stop()


def stop_on_signals() -> threading.Event:
    """Give an event that SIGTERM or SIGINT sets; call this in the main thread."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return stop


def stopping() -> asyncio.Event:
    """Give an event that SIGTERM or SIGINT sets; call this in the running loop of the main thread."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def allow_many_files() -> None:
    """Let the process have as many open files as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
