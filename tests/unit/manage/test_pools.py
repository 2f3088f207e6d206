"""Bridges that are set aside for projects' own networks."""

import pytest

from tests.unit.manage.conftest import Operator


def test_bridges_are_set_aside_one_by_one_or_many(operator: Operator) -> None:
    assert operator.json("pool", "add", "backnet", "prv01-03") == {"added": ["backnet", "prv01", "prv02", "prv03"]}
    assert operator.json("pool", "show") == counted(4, 4)
    assert [row["link"] for row in operator.json("pool", "list", "--free")] == ["backnet", "prv01", "prv02", "prv03"]
    assert operator.json("pool", "list", "--taken") == []
    operator.run("pool", "add", "prv02-4", code=1)
    assert operator.json("pool", "remove", "prv02", "--yes") == {"removed": "prv02"}
    operator.run("pool", "remove", "prv02", "--yes", code=1)
    assert operator.json("pool", "show") == counted(3, 3)


def counted(segments: int, free: int) -> dict[str, object]:
    kinds = [{"kind": "bridge", "segments": segments, "free": free}]
    return {"segments": segments, "free": free, "kinds": kinds}


def test_mac_prefixes_of_one_bridge_are_set_aside_and_taken_by_networks(operator: Operator) -> None:
    assert operator.run("pool", "add", "prv1").out == "1 segment is added\n"
    added = operator.json("pool", "add", "--mac-filtered", "br-prv", "--prefixes", "AA:00:0e-aa:00:10")
    assert added == {"added": ["aa:00:0e", "aa:00:0f", "aa:00:10"]}
    made = operator.json("network", "add", "back", "--kind", "mac-filtered")
    assert (made["kind"], made["link"], made["mac_prefix"]) == ("mac-filtered", "br-prv", "aa:00:0e")
    assert operator.json("pool", "show")["kinds"] == [
        {"kind": "bridge", "segments": 1, "free": 1},
        {"kind": "mac-filtered", "segments": 3, "free": 2},
    ]
    (taken,) = operator.json("pool", "list", "--taken")
    assert taken == {"kind": "mac-filtered", "link": "br-prv", "mac_prefix": "aa:00:0e", "network": made["id"]}
    operator.run("pool", "remove", "aa:00:0e", "--yes", code=1)
    assert operator.json("pool", "remove", "AA:00:0F", "--yes") == {"removed": "AA:00:0F"}
    operator.run("pool", "remove", "br-prv", "--yes", code=1)
    operator.run("network", "remove", "back", "--yes")
    assert len(operator.json("pool", "list", "--free")) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["--mac-filtered", "br-prv"],
        ["--prefixes", "aa:00:00"],
        ["prv1", "--mac-filtered", "br-prv", "--prefixes", "aa:00:00"],
        ["--mac-filtered", "a bridge", "--prefixes", "aa:00:00"],
        ["--mac-filtered", "br-prv", "--prefixes", "aa:00"],
        ["--mac-filtered", "br-prv", "--prefixes", "aa:00:01-aa:00:00"],
        ["--mac-filtered", "br-prv", "--prefixes", "aa:00:00-aa:10:00"],
        # of a group; of a manufacturer; of all other ports
        ["--mac-filtered", "br-prv", "--prefixes", "ab:00:00"],
        ["--mac-filtered", "br-prv", "--prefixes", "a8:00:00"],
        ["--mac-filtered", "br-prv", "--prefixes", "02:53:00-02:53:ff"],
        ["--mac-filtered", "br-prv", "--prefixes", "aa:00:00", "--prefixes", "aa:00:00"],
        [],
    ],
)
def test_what_is_no_mac_prefix_is_a_usage_error(operator: Operator, arguments: list[str]) -> None:
    operator.run("pool", "add", *arguments, code=2)
    assert operator.json("pool", "show")["segments"] == 0


def test_a_bridge_is_of_one_network_or_of_many(operator: Operator) -> None:
    operator.run("pool", "add", "prv1")
    operator.run("pool", "add", "--mac-filtered", "prv1", "--prefixes", "aa:00:00", code=1)
    operator.run("network", "add", "flat", "--link", "br0")
    operator.run("pool", "add", "--mac-filtered", "br0", "--prefixes", "aa:00:00", code=1)
    operator.run("pool", "add", "--mac-filtered", "br-prv", "--prefixes", "aa:00:00")
    operator.run("pool", "add", "br-prv", code=1)
    operator.run("pool", "add", "--mac-filtered", "br-two", "--prefixes", "aa:00:00", code=1)
    operator.run("network", "add", "outside", "--link", "br-prv", code=1)
    operator.run("network", "add", "outside", "--link", "br-prv", "--kind", "bridge", code=2)
    operator.run("network", "add", "outside", "--kind", "routed", code=2)
    assert operator.json("network", "add", "outside", "--link", "gw", "--kind", "routed")["kind"] == "routed"


@pytest.mark.parametrize("links", [["a bridge"], ["prv9-1"], ["prv1-99999"], ["prv1", "prv1"], ["a" * 16]])
def test_what_is_no_bridge_is_a_usage_error(operator: Operator, links: list[str]) -> None:
    operator.run("pool", "add", *links, code=2)


@pytest.mark.parametrize(
    "arguments", [["a" * 16], ["a" * 13 + "1-999"], ["--mac-filtered", "a" * 16, "--prefixes", "aa:00:00"]]
)
def test_the_name_of_a_bridge_that_is_too_long_is_told(operator: Operator, arguments: list[str]) -> None:
    assert "15 at most" in operator.run("pool", "add", *arguments, code=2).err
    assert operator.json("pool", "show")["segments"] == 0
