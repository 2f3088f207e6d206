"""One step of setting up: what it is about, how it is, and how it comes to be well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from manage import failures, finding
from manage.finding import Finding


class Undone(Exception):
    """A step can't be done here; the text says why, and `remedy` what to do instead."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.remedy = remedy


@dataclass(frozen=True)
class Step:
    """`look` changes nothing. `make` makes it well, and tells what it did; either raises Undone."""

    name: str
    look: Callable[[], Finding]
    make: Callable[[], str]

    def tried(self, how: Callable[[], Finding]) -> Finding:
        """Look, or make: what goes wrong meanwhile is the finding."""
        try:
            return how()
        except Undone as err:
            return finding.wrong(self.name, str(err), err.remedy)
        except failures.KNOWN as err:
            return finding.wrong(self.name, failures.explain(err, None)[0], "")
