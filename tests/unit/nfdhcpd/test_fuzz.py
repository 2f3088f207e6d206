"""A short run of what `make fuzz` does at length: whatever a guest sends, nothing but Malformed is raised."""

from __future__ import annotations

import random

import pytest

from nfdhcpd.nics import Nic
from tests.fuzz import packets
from tests.unit.nfdhcpd import guests


@pytest.mark.parametrize("nic", [guests.nic(), guests.routed()], ids=["bridged", "routed"])
def test_no_packet_is_fatal_and_all_sorts_come_through(nic: Nic) -> None:
    seen = packets.feed(nic, random.Random(20_261_127), 3000)
    kinds = {what.partition(":")[0] for what in seen}
    assert kinds == {"malformed", "silence", "answer"}
    assert len(seen) > 15, seen
