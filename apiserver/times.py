"""Times as OpenStack's clients read them: two forms, which they insist on."""

from __future__ import annotations

from datetime import UTC, datetime

_TO_SECONDS = len("2026-01-31T12:00:00")
_TO_MICROSECONDS = len("2026-01-31T12:00:00.000000")


def zoned(at: datetime) -> str:
    """Write seconds and `Z`, as for `created` and `updated`."""
    return f"{_utc(at)[:_TO_SECONDS]}Z"


def bare(at: datetime | None) -> str | None:
    """Write microseconds and no zone, as for `OS-SRV-USG:launched_at` and actions."""
    return None if at is None else _utc(at)[:_TO_MICROSECONDS]


def _utc(at: datetime) -> str:
    # rows give UTC already, and lists write thousands of times
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat(timespec="microseconds")
