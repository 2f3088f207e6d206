"""When router advertisements are due."""

import itertools
import random

import pytest

from nfdhcpd.schedule import Schedule


class Dice(random.Random):
    """Always the most."""

    def uniform(self, a: float, b: float) -> float:
        return b


@pytest.fixture
def schedule() -> Schedule:
    return Schedule(600, Dice())


def test_nothing_is_due_of_nothing(schedule: Schedule) -> None:
    assert schedule.due_in(5) is None
    assert list(schedule.take(5, 9)) == []


def test_the_first_three_come_in_quick_succession_and_the_rest_slowly(schedule: Schedule) -> None:
    schedule.begin("tap1", 100)
    times, now = [], 100.0
    for _ in range(5):
        now += schedule.due_in(now) or 0
        assert list(schedule.take(now, 9)) == ["tap1"]
        times.append(now)
    assert times == [100, 116, 132, 732, 1332]


def test_pauses_are_from_a_third_of_the_most_to_the_most() -> None:
    schedule = Schedule(600, random.Random(7))
    schedule.begin("tap1", 0)
    now, times = 0.0, [0.0]
    for _ in range(200):
        list(schedule.take(now, 1))
        now += schedule.due_in(now) or 0
        times.append(now)
    pauses = [later - earlier for earlier, later in itertools.pairwise(times[3:])]
    assert 198 <= min(pauses) < 230
    assert 570 < max(pauses) <= 600


def test_what_is_not_due_stays(schedule: Schedule) -> None:
    schedule.begin("tap1", 100)
    list(schedule.take(100, 9))
    assert list(schedule.take(115.9, 9)) == []
    assert schedule.due_in(115) == 1
    assert schedule.due_in(200) == 0


def test_no_more_are_given_than_are_asked_for(schedule: Schedule) -> None:
    for number in range(5):
        schedule.begin(f"tap{number}", number)
    assert list(schedule.take(10, 2)) == ["tap0", "tap1"]
    assert list(schedule.take(10, 9)) == ["tap2", "tap3", "tap4"]


def test_what_ended_is_due_no_more(schedule: Schedule) -> None:
    schedule.begin("tap1", 0)
    schedule.begin("tap2", 0)
    schedule.end("tap1")
    schedule.end("unknown")
    assert list(schedule.take(9, 9)) == ["tap2"]
    assert len(schedule) == 1


def test_what_begins_anew_is_due_once_and_quickly_again(schedule: Schedule) -> None:
    schedule.begin("tap1", 0)
    for now in (0, 16, 32):
        list(schedule.take(now, 9))
    schedule.begin("tap1", 50)
    assert list(schedule.take(50, 9)) == ["tap1"]
    assert list(schedule.take(66, 9)) == ["tap1"]
    # what was planned before it began anew
    assert list(schedule.take(81, 1)) == []
