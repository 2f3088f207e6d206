"""What Ganeti's object of a network is to be, and the jobs that lead to it or away from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cloud import ganeti_networks
from cloud.ganeti_networks import Do, Step, Wanted

WANTED = Wanted(
    name="syros-net-1",
    subnet="10.0.0.0/24",
    gateway="10.0.0.1",
    network6=None,
    gateway6=None,
    mac_prefix=None,
    mode="bridged",
    link="br0",
    tags=("syros", "flat"),
)
SHOWN: dict[str, Any] = {
    "network": "10.0.0.0/24",
    "gateway": "10.0.0.1",
    "network6": None,
    "tags": ["mine", "flat", "syros"],
    "group_list": [["default", "bridged", "br0", ""], ["second", "bridged", "br0", ""]],
}
GROUPS = ["default", "second"]


@pytest.mark.parametrize(
    ("shown", "steps"),
    [
        (SHOWN, []),
        (None, [Step(Do.ADD), Step(Do.CONNECT, "default", follows=True), Step(Do.CONNECT, "second", follows=True)]),
        ({**SHOWN, "group_list": SHOWN["group_list"][:1]}, [Step(Do.CONNECT, "second")]),
        (
            {**SHOWN, "group_list": [["default", "bridged", "br1", ""], ["second", "bridged", "br0", ""]]},
            [Step(Do.DISCONNECT, "default"), Step(Do.CONNECT, "default", follows=True)],
        ),
        ({**SHOWN, "gateway": None}, [Step(Do.MODIFY, changes={"gateway": "10.0.0.1"})]),
        ({**SHOWN, "tags": ["flat"]}, [Step(Do.TAG, tags=("syros",))]),
        # there is no word for none
        ({**SHOWN, "network6": "2001:db8::/64", "mac_prefix": "aa:00:01"}, []),
        # of another group's connection nothing is said: the group is gone, or new
        ({**SHOWN, "group_list": [*SHOWN["group_list"], ["third", "routed", "1", ""]]}, []),
    ],
)
def test_every_difference_has_its_steps(shown: dict[str, Any] | None, steps: list[Step]) -> None:
    assert ganeti_networks.steps_to(WANTED, shown, GROUPS) == steps


def test_a_network_is_disconnected_and_then_removed() -> None:
    assert ganeti_networks.steps_away(SHOWN) == [Step(Do.DISCONNECT, "default"), Step(Do.DISCONNECT, "second")]
    assert ganeti_networks.steps_away({**SHOWN, "group_list": []}) == [Step(Do.REMOVE)]
    assert ganeti_networks.steps_away(None) == []


def test_what_can_be_said_and_what_can_not_differ_alike() -> None:
    what = replace(WANTED, gateway=None, mac_prefix="aa:00:01")
    assert ganeti_networks.differences(what, SHOWN) == {"gateway": None, "mac_prefix": "aa:00:01"}
