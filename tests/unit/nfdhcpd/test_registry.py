"""Bindings, taps, and which NIC a packet is of."""

from dataclasses import replace
from pathlib import Path

import pytest

from common import bindings
from common.bindings import Binding
from nfdhcpd.nics import Nic, Surroundings
from nfdhcpd.registry import Registry
from tests.unit.nfdhcpd import guests

TAP1 = guests.BINDING
TAP2 = replace(TAP1, interface="tap2", instance="syros-2", mac="02:53:79:00:00:02")


class FakeKernel:
    """Taps by name, with their indices."""

    def __init__(self) -> None:
        self.taps: dict[str, int] = {"tap1": 7}
        self.mac = guests.NODE_MAC
        self.refreshed = 0

    def name(self, index: int) -> str | None:
        return next((name for name, each in self.taps.items() if each == index), None)

    def refresh(self) -> None:
        self.refreshed += 1

    def around(self, binding: Binding) -> Surroundings | None:
        index = self.taps.get(binding.interface)
        return None if index is None else Surroundings(index, self.mac, ())


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
def registry(tmp_path: Path, kernel: FakeKernel) -> Registry:
    bindings.write(tmp_path, TAP1)
    found = Registry(tmp_path, kernel, server_id=guests.SERVER)
    found.look()
    return found


def found(registry: Registry, index: int) -> Nic:
    nic = registry.find(index)
    assert nic is not None
    return nic


def test_a_packet_s_nic_is_found_by_its_tap(registry: Registry) -> None:
    assert found(registry, 7).binding == TAP1
    assert registry.find(8) is None
    assert (len(registry), registry.ready) == (1, 1)


def test_who_is_new_is_told_once(registry: Registry) -> None:
    assert registry.take_fresh() == {"tap1"}
    registry.look()
    assert registry.take_fresh() == set()


def test_a_binding_waits_for_its_tap(registry: Registry, tmp_path: Path, kernel: FakeKernel) -> None:
    bindings.write(tmp_path, TAP2)
    registry.load(["tap2"])
    assert (len(registry), registry.ready, registry.nic("tap2")) == (2, 1, None)
    kernel.taps["tap2"] = 9
    assert found(registry, 9).binding == TAP2
    assert registry.take_fresh() == {"tap1", "tap2"}


def test_a_changed_binding_is_answered_by_at_once(registry: Registry, tmp_path: Path) -> None:
    registry.take_fresh()
    bindings.write(tmp_path, replace(TAP1, mtu=1400))
    registry.load(["tap1"])
    assert found(registry, 7).binding.mtu == 1400
    assert registry.take_fresh() == {"tap1"}


def test_a_tap_that_came_again_has_another_index(registry: Registry, kernel: FakeKernel) -> None:
    kernel.taps["tap1"] = 12
    registry.look()
    assert registry.find(7) is None
    assert found(registry, 12).surroundings.index == 12


def test_a_bridge_whose_mac_changes_is_noticed_at_a_look(registry: Registry, kernel: FakeKernel) -> None:
    kernel.mac = bytes.fromhex("020000000002")
    registry.look()
    assert found(registry, 7).surroundings.mac == kernel.mac
    assert kernel.refreshed == 2


def test_a_removed_binding_is_nobody_s(registry: Registry, tmp_path: Path) -> None:
    bindings.remove(tmp_path, "tap1")
    registry.load(["tap1"])
    assert (registry.find(7), registry.nic("tap1"), len(registry), registry.ready) == (None, None, 0, 0)


def test_a_lost_tap_is_taken_up_when_it_is_seen(registry: Registry) -> None:
    registry.lost("tap1")
    registry.lost("unknown")
    assert (registry.nic("tap1"), registry.ready) == (None, 0)
    assert found(registry, 7).binding == TAP1


def test_an_index_that_went_to_another_tap_is_that_one_s(
    registry: Registry, tmp_path: Path, kernel: FakeKernel
) -> None:
    bindings.write(tmp_path, TAP2)
    kernel.taps = {"tap2": 7}
    registry.load(["tap2"])
    # tap1 is looked at no more; its end must not take tap2's place along
    registry.lost("tap1")
    assert found(registry, 7).binding == TAP2
