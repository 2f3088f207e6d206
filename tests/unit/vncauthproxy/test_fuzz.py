"""A short run of what `make fuzz` does at length: whatever is sent, it is refused in good order or understood."""

from __future__ import annotations

import pytest

from tests.fuzz import consoles


@pytest.mark.parametrize("name", consoles.TARGETS)
def test_nothing_that_is_sent_is_fatal_and_all_sorts_come_through(name: str) -> None:
    target = consoles.TARGETS[name]
    assert target.outcomes <= set(consoles.feed(target, 250, 20_261_127))
