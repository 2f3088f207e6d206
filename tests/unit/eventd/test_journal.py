"""The memory of what was confirmed."""

from __future__ import annotations

import itertools
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from eventd import journal


@given(st.lists(st.integers(min_value=1, max_value=60)))
def test_ranges_hold_exactly_what_was_added(numbers: list[int]) -> None:
    ranges = journal.IdRanges()
    for number in numbers:
        ranges.add(number)
    assert [number for number in range(62) if number in ranges] == sorted(set(numbers))


@given(st.lists(st.integers(min_value=1, max_value=60)))
def test_ranges_never_touch_and_can_be_read_back(numbers: list[int]) -> None:
    ranges = journal.IdRanges((number, number) for number in numbers)
    kept = ranges.ranges()
    assert all(end + 1 < start for (_, end), (start, _) in itertools.pairwise(kept))
    assert journal.IdRanges(reversed(kept)).ranges() == kept


def test_a_long_history_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    book = journal.Journal(path)
    book.open("cluster-a")
    for job_id in range(1, 20_000):
        book.confirm(job_id)
    book.save()
    assert path.stat().st_size < 100


def test_each_cluster_has_a_memory_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    book = journal.Journal(path)
    assert book.open("cluster-a") is False
    book.confirm(1)
    assert book.open("cluster-b") is False
    assert not book.confirmed(1)
    book.save()
    again = journal.Journal(path)
    assert again.open("cluster-a") is True
    assert again.confirmed(1)
    assert not again.confirmed(2)


def test_clusters_of_long_ago_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    book = journal.Journal(path)
    for number in range(6):
        book.open(f"cluster-{number}")
        book.confirm(1)
    book.save()
    assert journal.Journal(path).open("cluster-0") is False
    assert journal.Journal(path).open("cluster-5") is True
    assert journal.Journal(path).open("cluster-2") is True


def test_a_first_start_on_a_candidate_leaves_no_memory(tmp_path: Path) -> None:
    book = journal.Journal(tmp_path / "state.json")
    book.open("cluster-a")
    assert not book.dirty
