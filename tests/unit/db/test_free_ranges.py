"""Free ranges: whatever is taken and given back, they are what a set of numbers would be, in as few rows as can be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db import free_ranges
from db.free_ranges import FreeRange, key
from db.sessions import Sessions
from tests.support import clouds, networks
from tests.support.clouds import World

FIRST, LAST = 0x0A000001, 0x0A00001E


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = clouds.world(clouds.sqlite_sessions(tmp_path))
    yield made
    made.cloud.sessions.close()


@pytest.fixture
def subnet(world: World) -> str:
    network = networks.add(world.cloud)
    return networks.add_subnet(world.cloud, network, "10.0.0.0/27", pools=[("10.0.0.2", "10.0.0.30")]).id


def rows(sessions: Sessions, subnet_id: str) -> list[tuple[int, int]]:
    with sessions.read() as db:
        found = db.scalars(sa.select(FreeRange).where(FreeRange.subnet_id == subnet_id).order_by(FreeRange.first))
        return [(int(row.first, 16), int(row.last, 16)) for row in found]


def runs(numbers: set[int]) -> list[tuple[int, int]]:
    """The fewest ranges that have these numbers."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


steps = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(FIRST - 2, LAST + 2)),
        st.tuples(st.just("exactly"), st.integers(FIRST - 2, LAST + 2)),
        st.tuples(st.just("back"), st.integers(0, 40)),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_they_are_what_a_set_would_be_in_the_fewest_rows(
    world: World, subnet: str, steps: list[tuple[str, int]]
) -> None:
    sessions = world.cloud.sessions
    with sessions.begin() as db:
        db.execute(sa.delete(FreeRange))
        free_ranges.fill(db, subnet, [(FIRST, LAST)])
    free, taken = set(range(FIRST, LAST + 1)), []
    for what, number in steps:
        with sessions.begin() as db:
            if what == "take":
                later = [each for each in sorted(free) if each >= number]
                expected = (later or sorted(free) or [None])[0]
                assert free_ranges.take(db, subnet, since=key(number)) == expected
                if expected is not None:
                    free.discard(expected)
                    taken.append(expected)
            elif what == "exactly":
                assert free_ranges.take_exactly(db, subnet, number) is (number in free)
                if number in free:
                    free.discard(number)
                    taken.append(number)
            elif taken:
                back = taken.pop(number % len(taken))
                free_ranges.give_back(db, subnet, back)
                free.add(back)
    assert rows(sessions, subnet) == runs(free)


def test_giving_back_what_is_free_changes_nothing(world: World, subnet: str) -> None:
    before = rows(world.cloud.sessions, subnet)
    with world.cloud.sessions.begin() as db:
        free_ranges.give_back(db, subnet, before[0][0] + 3)
    assert rows(world.cloud.sessions, subnet) == before


def test_taking_one_address_of_a_nearly_full_prefix_takes_as_many_statements_as_of_an_empty_one(
    world: World,
) -> None:
    network = networks.add(world.cloud)
    subnet = networks.add_subnet(world.cloud, network, "11.0.0.0/8").id
    counts = []
    for gaps in (0, 500):
        with world.cloud.sessions.begin() as db:
            for gap in range(gaps):
                free_ranges.take_exactly(db, subnet, 0x0B000100 + 2 * gap)

        def take() -> None:
            with world.cloud.sessions.begin() as db:
                assert free_ranges.take(db, subnet, since=key(0x0B000101)) is not None

        counts.append(len(clouds.count_statements(world.cloud.sessions, take)))
    assert counts[1] <= counts[0] <= 3
