"""When each NIC is sent its next router advertisement (RFC 4861 section 6.2.4)."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator

#: MAX_INITIAL_RTR_ADVERTISEMENTS and MAX_INITIAL_RTR_ADVERT_INTERVAL of RFC 4861 section 10
_INITIAL = 3
_INITIAL_SECONDS = 16.0
#: MinRtrAdvInterval, as a part of the most
_LEAST = 0.33


class Schedule:
    """Names that are due at times of a monotonic clock; times are spread at random."""

    def __init__(self, seconds: float, dice: random.Random) -> None:
        self._seconds = seconds
        self._dice = dice
        self._due: dict[str, float] = {}
        self._sent: dict[str, int] = {}
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._due)

    def begin(self, name: str, now: float) -> None:
        """Have a name due at once, and in quick succession at first; for one that is known, anew."""
        self._sent[name] = 0
        self._put(name, now)

    def end(self, name: str) -> None:
        """Have a name never due again."""
        self._due.pop(name, None)
        self._sent.pop(name, None)

    def take(self, now: float, most: int) -> Iterator[str]:
        """Give the names that are due, at most so many, and have each due again."""
        for _ in range(most):
            if not self._heap or self._heap[0][0] > now:
                return
            due, name = heapq.heappop(self._heap)
            if self._due.get(name) != due:
                # ended, or begun anew
                continue
            self._sent[name] += 1
            pause = self._dice.uniform(self._seconds * _LEAST, self._seconds)
            if self._sent[name] < _INITIAL:
                pause = min(pause, _INITIAL_SECONDS)
            self._put(name, now + pause)
            yield name

    def due_in(self, now: float) -> float | None:
        """Tell in how many seconds the next is due; None if none is."""
        return max(0.0, self._heap[0][0] - now) if self._heap else None

    def _put(self, name: str, due: float) -> None:
        self._due[name] = due
        heapq.heappush(self._heap, (due, name))
