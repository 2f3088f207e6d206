"""Several calls at once, of which each may take for ever: nobody waits longer than told."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

K = TypeVar("K")
T = TypeVar("T")


def answers(calls: Mapping[K, Callable[[], T]], *, seconds: float) -> dict[K, T | Exception]:
    """Make the calls, each in a thread; give what they gave or raised, of those that have ended in time.

    The others go on, and end with the process at the latest.
    """
    ended: queue.SimpleQueue[tuple[K, T | Exception]] = queue.SimpleQueue()

    def make(key: K, call: Callable[[], T]) -> None:
        try:
            ended.put((key, call()))
        except Exception as err:  # it is the caller's to judge
            ended.put((key, err))

    for key, call in calls.items():
        threading.Thread(target=make, args=(key, call), daemon=True).start()
    found: dict[K, T | Exception] = {}
    deadline = time.monotonic() + seconds
    while len(found) < len(calls):
        try:
            key, answer = ended.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        found[key] = answer
    return found
