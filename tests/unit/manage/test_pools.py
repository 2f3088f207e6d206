"""Bridges that are set aside for projects' own networks."""

import pytest

from tests.unit.manage.conftest import Operator


def test_bridges_are_set_aside_one_by_one_or_many(operator: Operator) -> None:
    assert operator.json("pool", "add", "backnet", "prv01-03") == {"added": ["backnet", "prv01", "prv02", "prv03"]}
    assert operator.json("pool", "show") == {"segments": 4, "free": 4}
    assert [row["link"] for row in operator.json("pool", "list", "--free")] == ["backnet", "prv01", "prv02", "prv03"]
    assert operator.json("pool", "list", "--taken") == []
    operator.run("pool", "add", "prv02-4", code=1)
    assert operator.json("pool", "remove", "prv02", "--yes") == {"removed": "prv02"}
    operator.run("pool", "remove", "prv02", "--yes", code=1)
    assert operator.json("pool", "show") == {"segments": 3, "free": 3}


@pytest.mark.parametrize("links", [["a bridge"], ["prv9-1"], ["prv1-99999"], ["prv1", "prv1"], ["a" * 16]])
def test_what_is_no_bridge_is_a_usage_error(operator: Operator, links: list[str]) -> None:
    operator.run("pool", "add", *links, code=2)
