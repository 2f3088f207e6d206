"""What the kernel is told to let through."""

import ipaddress
import re

import pytest

from metadatad import link, rules
from metadatad.guests import Guest

GUEST = Guest("id", "tap1", "02:53:79:00:00:01", "br0", ipaddress.IPv4Address("10.0.0.2"))
OTHER = Guest("id2", "tap2", "02:53:79:00:00:02", "br1", ipaddress.IPv4Address("10.0.0.2"))


def elements(text: str, name: str) -> list[str]:
    found = re.search(rf"set {name} {{ type [^;]*; (?:elements = {{ (.*?) }}; )?}}", text)
    assert found
    return found[1].split(", ") if found[1] else []


def test_a_guest_is_tap_mac_and_address_together() -> None:
    text = rules.text([OTHER, GUEST], ["smd2", "smd1"])
    assert elements(text, "guests") == [
        '"tap1" . 02:53:79:00:00:01 . 10.0.0.2',
        '"tap2" . 02:53:79:00:00:02 . 10.0.0.2',
    ]
    assert elements(text, "taps") == ['"tap1"', '"tap2"']
    assert elements(text, "ports") == ['"smd1"', '"smd2"']


def test_without_guests_the_sets_are_empty_and_the_rules_stand() -> None:
    text = rules.text([], [])
    assert [elements(text, name) for name in ("ports", "taps", "guests")] == [[], [], []]
    assert "ip daddr 169.254.169.254 drop" in text


def test_the_same_guests_make_the_same_rules() -> None:
    assert rules.text([OTHER, GUEST], ["a", "b"]) == rules.text([GUEST, OTHER], ["b", "a"])


def test_the_rules_of_before_go_in_the_same_transaction() -> None:
    begin = "table bridge syros_metadata\ndelete table bridge syros_metadata\ntable bridge syros_metadata {"
    assert rules.text([GUEST], ["smd1"]).startswith(begin)


def test_its_mac_is_a_host_s_and_local_and_none_of_a_port_s() -> None:
    first = int(rules.MAC[:2], 16)
    assert (first & 1, first & 2) == (0, 2)
    assert not rules.MAC.startswith("02:53:79")


@pytest.mark.parametrize("bridge", ["br0", "a-bridge-of-15ch", "prv100"])
def test_a_port_s_name_fits_an_interface_and_is_its_bridge_s_alone(bridge: str) -> None:
    assert re.fullmatch(r"smd[0-9a-f]{12}", link.port_of(bridge))
    assert link.port_of(bridge) != link.port_of(bridge + "x")


def test_a_program_that_is_not_there_is_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(rules.Unloaded, match="nft"):
        rules.load([GUEST], [])
