"""One step of setting up: what it is about, how it is, and how it comes to be well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class Undone(Exception):
    """A step can't be done here; the text says why, and what to do instead."""


@dataclass(frozen=True)
class Found:
    """How things are: `well` or not, and in words."""

    well: bool
    detail: str


@dataclass(frozen=True)
class Step:
    """`look` changes nothing. `make` makes it well, and tells what it did; it raises Undone."""

    name: str
    look: Callable[[], Found]
    make: Callable[[], str]
