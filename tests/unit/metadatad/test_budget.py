"""How often a guest may ask."""

import pytest

from metadatad.budget import Budget


def taken(budget: Budget, key: str, now: float, times: int) -> int:
    return sum(budget.take(key, now) for _ in range(times))


def test_some_at_once_and_then_so_many_a_second() -> None:
    budget = Budget(10)
    assert taken(budget, "tap1", 100, 99) == 50
    assert taken(budget, "tap1", 101, 99) == 10
    assert taken(budget, "tap1", 101.15, 99) == 1


def test_who_was_quiet_for_long_has_no_more_than_at_first() -> None:
    budget = Budget(10)
    taken(budget, "tap1", 100, 99)
    assert taken(budget, "tap1", 10_000, 99) == 50


def test_each_has_its_own() -> None:
    budget = Budget(10)
    taken(budget, "tap1", 100, 99)
    assert taken(budget, "tap2", 100, 99) == 50


def test_asking_in_vain_costs_nothing() -> None:
    budget = Budget(1)
    assert taken(budget, "tap1", 100, 1000) == 5
    assert budget.take("tap1", 101)


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_a_slow_rate_still_lets_one_through(rate: float) -> None:
    budget = Budget(rate)
    assert taken(budget, "tap1", 0, 9) == 1
    assert not budget.take("tap1", 0.9 / rate)
    assert budget.take("tap1", 1.1 / rate)


def test_who_has_gone_is_forgotten() -> None:
    budget = Budget(10)
    taken(budget, "tap1", 100, 99)
    taken(budget, "tap2", 100, 99)
    budget.keep({"tap2"})
    assert budget.take("tap1", 100)
    assert not budget.take("tap2", 100)
