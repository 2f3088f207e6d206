"""What tempest prints, line by line: the outcome of each test, and of each class that never came to its tests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

# "{0} tempest.api.compute.test_x.TestX.test_y [0.12s] ... ok", "{0} setUpClass (tempest.api.compute.test_x.TestX) ..."
_LINE = re.compile(
    r"\{\d+\} (?P<test>\S+(?: \([\w.]+\))?) (?:\[[\d.]+s\] )?\.\.\. (?P<word>ok|FAILED|SKIPPED)(?:: (?P<why>.*))?"
)
_TITLE = re.compile(r"^(?P<test>(?:setUpClass |tearDownClass )?\(?[\w.]+\)?)(?:\[[^\]]*\])?\n-{10,}\n", re.MULTILINE)


class Status(StrEnum):
    """How a test ended."""

    PASSED = "ok"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True)
class Outcome:
    """One line of the report; a class that fails or is skipped as a whole is one."""

    test: str
    status: Status
    why: str = ""

    @property
    def group(self) -> str:
        """The part of the API that the test is about: `compute.servers`."""
        path = re.sub(r"^tempest\.(api\.)?", "", self.path).split(".")
        end = next((number for number, part in enumerate(path) if part.startswith("test_")), len(path))
        return ".".join(path[:end])

    @property
    def path(self) -> str:
        """The dotted name of the test, or of the class."""
        return re.sub(r"^\w+ \((.*)\)$", r"\1", self.test)


def read(lines: Iterable[str]) -> list[Outcome]:
    """Find the outcomes; other lines mean nothing here."""
    found = (_LINE.match(line) for line in lines)
    return [Outcome(match["test"], Status(match["word"]), match["why"] or "") for match in found if match]


def trace(text: str, test: str) -> str:
    """Give what tempest printed of a test that failed, the log of its requests included."""
    titles = list(_TITLE.finditer(text))
    ends = [title.start() for title in titles[1:]] + [len(text)]
    for title, end in zip(titles, ends, strict=True):
        if title["test"] == test:
            return text[title.start() : end].strip()
    return ""
