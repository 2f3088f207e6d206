"""What a check has found: how one thing is, in words, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a thing is."""

    OK = "ok"
    #: it works, or nobody can tell from here; somebody should know
    WARNING = "warning"
    #: something does not work, or will not
    TROUBLE = "trouble"
    #: it was made just now
    MADE = "made"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `remedy` is empty where there is nothing to do."""

    check: str
    state: State
    detail: str
    remedy: str = ""


def well(check: str, detail: str) -> Finding:
    """Give a finding that all is well."""
    return Finding(check, State.OK, detail)


def doubtful(check: str, detail: str, remedy: str) -> Finding:
    """Give a warning."""
    return Finding(check, State.WARNING, detail, remedy)


def wrong(check: str, detail: str, remedy: str) -> Finding:
    """Give a finding of trouble."""
    return Finding(check, State.TROUBLE, detail, remedy)


def is_trouble(found: Sequence[Finding]) -> bool:
    """Tell whether anything is in trouble."""
    return any(each.state is State.TROUBLE for each in found)


def some(names: Sequence[str], *, most: int = 4) -> str:
    """List names for a sentence: the first ones, and how many more there are."""
    listed = ", ".join(names[:most])
    return listed if len(names) <= most else f"{listed} and {len(names) - most} more"
