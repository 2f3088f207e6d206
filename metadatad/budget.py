"""How often each guest may ask: some requests at once, and in the long run so many a second."""

from __future__ import annotations

from collections.abc import Container

#: seconds' worth of requests that a guest which was quiet may make at once
_BURST_SECONDS = 5.0


class Budget:
    """A bucket of tokens for each key, which fills at `rate` a second of a monotonic clock."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._most = max(1.0, rate * _BURST_SECONDS)
        #: what each had at which time; who is not here has everything
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, key: str, now: float) -> bool:
        """Take one token; False if there is none."""
        left, at = self._left.get(key, (self._most, now))
        left = min(self._most, left + (now - at) * self._rate)
        enough = left >= 1
        self._left[key] = left - 1 if enough else left, now
        return enough

    def keep(self, keys: Container[str]) -> None:
        """Forget everybody else."""
        for key in [key for key in self._left if key not in keys]:
            del self._left[key]
