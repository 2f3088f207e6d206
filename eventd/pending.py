"""Which jobs still have to be looked at: ids only, so that an outage of any length costs next to no memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_RETRY_START = 0.2
_RETRY_MAX = 60.0


@dataclass(frozen=True)
class _Retry:
    due: float
    attempts: int


class Pending:
    """Job ids in the order to publish them: what changed just now before what a scan found.

    Times are a monotonic clock's, in seconds.
    """

    def __init__(self) -> None:
        self._fresh: dict[int, None] = {}
        self._backlog: dict[int, None] = {}
        self._retries: dict[int, _Retry] = {}

    def __len__(self) -> int:
        return len(self._fresh) + len(self._backlog) + len(self._retries)

    def add_fresh(self, job_ids: Iterable[int]) -> None:
        """Add jobs that have just changed."""
        for job_id in job_ids:
            self._fresh[job_id] = None

    def add_backlog(self, job_ids: Iterable[int]) -> None:
        """Add jobs that a scan found."""
        for job_id in job_ids:
            self._backlog[job_id] = None

    def take(self, limit: int, now: float) -> list[int]:
        """Remove and give at most `limit` jobs that may be looked at now."""
        for job_id, retry in list(self._retries.items()):
            if retry.due <= now and job_id not in self._fresh:
                self._backlog[job_id] = None
        taken: list[int] = []
        for source in (self._fresh, self._backlog):
            while source and len(taken) < limit:
                job_id = next(iter(source))
                del source[job_id]
                if job_id not in taken:
                    taken.append(job_id)
        return taken

    def give_back(self, job_ids: Iterable[int]) -> None:
        """Put jobs back to the front: they were taken, and not published."""
        self._fresh = dict.fromkeys(job_ids) | self._fresh

    def retry(self, job_id: int, now: float) -> float:
        """Look at a job again after a pause that grows with each call; gives the pause."""
        attempts = self._retries[job_id].attempts + 1 if job_id in self._retries else 0
        pause = min(_RETRY_START * 2.0**attempts, _RETRY_MAX)
        self._retries[job_id] = _Retry(now + pause, min(attempts, 10))
        return pause

    def done(self, job_id: int) -> None:
        """Forget that a job had to be retried."""
        self._retries.pop(job_id, None)

    def clear(self) -> None:
        self._fresh.clear()
        self._backlog.clear()
        self._retries.clear()

    def due_in(self, now: float) -> float | None:
        """Tell in how many seconds `take` will give something; None if never."""
        if self._fresh or self._backlog:
            return 0.0
        if not self._retries:
            return None
        return max(0.0, min(retry.due for retry in self._retries.values()) - now)
