"""docs/compatibility.md, as text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from tests.tempest import known
from tests.tempest.clients import FACTS
from tests.tempest.features import FEATURES
from tests.tempest.results import Outcome, Status

_HEAD = """# Compatibility

How the API stands against [tempest](https://docs.openstack.org/tempest/latest/), OpenStack's own test suite, and what
clients need of it. This page is written by

```
make tempest
```

which installs tempest into a virtualenv of its own (`.venv-tempest`), starts a sandbox with fresh state on a free port,
runs the tests of the Identity and the Compute API without microversions, for tenants and for admins, and those of the
other APIs that tempest calls smoke tests, with two workers, and stops the sandbox. It takes a few minutes, and fails if
a test fails that is not listed here. The lists are data in `tests/tempest/`.

The sandbox's Ganeti is simulated: the tests say that the API is as clients expect it, not that a guest runs. That is
for `tests/lab` to say, with real Ganeti and QEMU.
"""


def render(outcomes: Sequence[Outcome], *, version: str) -> str:
    """Write the page."""
    parts = [
        _HEAD,
        f"## Results with {version}",
        "A class that is skipped or fails before its first test counts as one.",
        _groups(outcomes),
        "## What fails, and why",
        _failures(outcomes),
        "## What is skipped, and why",
        _skips(outcomes),
        "## What tempest is told",
        _features(),
        "## What clients need",
        "Found by running each client against a stub from which one thing after the other was left out.",
        _table(("client", "what it needs", "served"), [(fact.client, fact.need, fact.served) for fact in FACTS]),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def counts(outcomes: Iterable[Outcome]) -> tuple[int, int, int]:
    """Count the passed, the failed and the skipped."""
    found = Counter(outcome.status for outcome in outcomes)
    return found[Status.PASSED], found[Status.FAILED], found[Status.SKIPPED]


def _groups(outcomes: Sequence[Outcome]) -> str:
    by_group = defaultdict(list)
    for outcome in outcomes:
        by_group[outcome.group].append(outcome)
    rows = [(f"`{name}`", *counts(found)) for name, found in sorted(by_group.items())]
    return _table(("group", "passed", "failed", "skipped"), [*rows, ("all", *counts(outcomes))])


def _failures(outcomes: Sequence[Outcome]) -> str:
    failed = sorted(outcome.path for outcome in outcomes if outcome.status is Status.FAILED)
    rows = [(f"`{_short(path)}`", known.reason_of_failure(path) or "**not known**") for path in failed]
    return _table(("test, or class", "reason"), rows)


def _skips(outcomes: Sequence[Outcome]) -> str:
    by_reason = defaultdict(list)
    for outcome in outcomes:
        if outcome.status is Status.SKIPPED:
            by_reason[known.reason_of_skip(outcome.why)].append(outcome.group)
    rows = [
        (reason, len(groups), ", ".join(f"`{group}`" for group in sorted(set(groups))))
        for reason, groups in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    return _table(("reason", "skipped", "groups"), rows)


def _features() -> str:
    rows = [
        (f"`[{feature.section}]`", f"`{feature.name}`", "on" if feature.on else f"off: {feature.why}")
        for feature in FEATURES
    ]
    return _table(("section", "switch", ""), rows)


def _short(path: str) -> str:
    return path.removeprefix("tempest.api.").removeprefix("tempest.")


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
