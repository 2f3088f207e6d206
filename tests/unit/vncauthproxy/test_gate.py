"""How many strangers there may be."""

from __future__ import annotations

import pytest

from vncauthproxy.gate import Crowded, Gate


def test_there_are_so_many_places_and_who_leaves_makes_room() -> None:
    gate = Gate(2, 0)
    first = gate.enter("192.0.2.1")
    gate.enter("192.0.2.1")
    with pytest.raises(Crowded, match=r"^crowded$"):
        gate.enter("192.0.2.2")
    first.leave()
    first.leave()
    gate.enter("192.0.2.2")
    with pytest.raises(Crowded, match=r"^crowded$"):
        gate.enter("192.0.2.2")


@pytest.mark.parametrize(
    ("same", "other"),
    [
        (("192.0.2.1", "192.0.2.1"), "192.0.2.2"),
        (("2001:db8::1", "2001:db8::ffff:1"), "2001:db8:0:1::1"),
        (("fe80::1%eth0", "fe80::2%eth0"), "2001:db8::1"),
        (("", ""), "192.0.2.1"),
    ],
)
def test_one_address_has_its_share(same: tuple[str, str], other: str) -> None:
    gate = Gate(10, 1)
    place = gate.enter(same[0])
    with pytest.raises(Crowded, match=r"^crowded_address$"):
        gate.enter(same[1])
    gate.enter(other)
    place.leave()
    gate.enter(same[1])
