"""Who may ask, of bindings and taps."""

import ipaddress
from dataclasses import replace

import pytest

from common.bindings import Binding, Ipv4, Mode
from metadatad import guests
from metadatad.guests import Guest, Lan

ID = "6f1b8bd0-1d3a-4a37-9c51-3a3f5f3ce001"
OTHER = "6f1b8bd0-1d3a-4a37-9c51-3a3f5f3ce002"
ADDRESS = ipaddress.IPv4Address("10.0.0.2")
IPV4 = Ipv4(ADDRESS, ipaddress.IPv4Network("10.0.0.0/24"))
BINDING = Binding("tap1", f"syros-{ID}", "02:53:79:00:00:01", link="br0", ipv4=IPV4)
SECOND = replace(BINDING, interface="tap2", instance=f"syros-{OTHER}", mac="02:53:79:00:00:02")

LAN = Lan("br0", "02:53:79")
BRIDGES = {"tap1": "br0", "tap2": "br0"}


def test_a_guest_is_known_by_lan_and_address() -> None:
    found = guests.of([BINDING], BRIDGES.get)
    assert found == {(LAN, "10.0.0.2"): Guest(ID, "tap1", "02:53:79:00:00:01", "br0", ADDRESS)}


def test_the_same_address_at_another_bridge_is_another_guest() -> None:
    elsewhere = replace(SECOND, link="br1")
    found = guests.of([BINDING, elsewhere], {"tap1": "br0", "tap2": "br1"}.get)
    assert {key: guest.instance_id for key, guest in found.items()} == {
        (LAN, "10.0.0.2"): ID,
        (Lan("br1", "02:53:79"), "10.0.0.2"): OTHER,
    }


def test_networks_that_share_a_bridge_are_told_apart_by_their_macs() -> None:
    found = guests.of([BINDING, replace(SECOND, mac="aa:00:07:00:00:02")], BRIDGES.get)
    assert {key: guest.instance_id for key, guest in found.items()} == {
        (LAN, "10.0.0.2"): ID,
        (Lan("br0", "aa:00:07"), "10.0.0.2"): OTHER,
    }


@pytest.mark.parametrize("bridges", [{"tap2": "br0"}, {"tap1": "br7", "tap2": "br0"}])
def test_of_two_with_one_address_who_is_there_counts(bridges: dict[str, str]) -> None:
    assert guests.of([BINDING, SECOND], bridges.get)[LAN, "10.0.0.2"].instance_id == OTHER


def test_where_two_have_one_address_nobody_is_told_anything(caplog: pytest.LogCaptureFixture) -> None:
    third = replace(SECOND, interface="tap3", mac="02:53:79:00:00:03")
    assert guests.of([BINDING, SECOND, third], {**BRIDGES, "tap3": "br0"}.get) == {}
    assert [record.message for record in caplog.records] == ["guest.ambiguous"]


@pytest.mark.parametrize(
    "binding",
    [
        replace(BINDING, ipv4=None),
        replace(BINDING, link=""),
        replace(BINDING, mode=Mode.ROUTED),
        replace(BINDING, instance="web1.example.org"),
        replace(BINDING, instance="syros-1"),
    ],
)
def test_who_has_no_address_at_a_bridge_or_is_not_of_the_cloud_can_t_ask(binding: Binding) -> None:
    assert guests.of([binding], BRIDGES.get) == {}


def test_the_bridge_of_what_is_no_interface_is_none() -> None:
    assert guests.bridge_of("no-such-tap") is None
    assert guests.bridge_of("lo") is None
