"""Times, always aware and UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """Tell the time; rules take a clock instead of calling this."""
    return datetime.now(tz=UTC)


def skew(told: datetime, began: datetime, ended: datetime, *, resolution: float = 0.0) -> float:
    """Give by how many seconds at least a clock is ahead (behind: less than 0) that was asked between two of our times.

    `resolution`: of how many seconds it tells no part.
    """
    ahead = (told - ended).total_seconds()
    behind = (told - began).total_seconds() + resolution
    return max(0.0, ahead) or min(0.0, behind)


def from_ganeti(stamp: object) -> datetime | None:
    """Read Ganeti's `[seconds, microseconds]`; anything else, or a time that no calendar has, is None."""
    if not isinstance(stamp, list | tuple) or len(stamp) != 2:
        return None
    seconds, micros = stamp
    if not isinstance(seconds, int) or not isinstance(micros, int):
        return None
    try:
        return _EPOCH + timedelta(seconds=seconds, microseconds=micros)
    except OverflowError:
        return None
