"""What the kernel is told to let through."""

import ipaddress
import re
from dataclasses import replace

import pytest

from metadatad import rules
from metadatad.guests import Guest, Lan

GUEST = Guest("id", "tap1", "02:53:79:00:00:01", "br0", ipaddress.IPv4Address("10.0.0.2"))
OTHER = Guest("id2", "tap2", "aa:00:07:00:00:02", "br0", ipaddress.IPv4Address("10.0.0.2"))
PORT, OTHERS = f'"{rules.port_of(GUEST.lan)}"', f'"{rules.port_of(OTHER.lan)}"'


def elements(text: str, name: str) -> set[str]:
    found = re.search(rf"(?:set|map) {name} {{ type [^;]*; (?:elements = {{ (.*?) }}; )?}}", text)
    assert found
    return set(found[1].split(", ")) if found[1] else set()


def test_a_guest_is_tap_mac_and_address_together_and_heard_by_its_lan_s_port() -> None:
    text = rules.text([OTHER, GUEST])
    assert elements(text, "guests") == {
        f'{PORT} . "tap1" . 02:53:79:00:00:01 . 10.0.0.2',
        f'{OTHERS} . "tap2" . aa:00:07:00:00:02 . 10.0.0.2',
    }
    assert elements(text, "taps") == {f'{PORT} . "tap1"', f'{OTHERS} . "tap2"'}
    assert elements(text, "ports") == {PORT, OTHERS}


def test_what_goes_to_a_router_is_brought_to_the_service_of_the_guest_s_lan() -> None:
    assert elements(rules.text([OTHER, GUEST]), "services") == {
        '"tap1" . 02:53:79:00:00:01 . 10.0.0.2 : 02:53:79:a9:fe:fe',
        '"tap2" . aa:00:07:00:00:02 . 10.0.0.2 : aa:00:07:a9:fe:fe',
    }


def test_guests_of_one_lan_have_one_port() -> None:
    neighbour = replace(GUEST, tap="tap3", mac="02:53:79:00:00:03", address=ipaddress.IPv4Address("10.0.0.3"))
    assert elements(rules.text([GUEST, neighbour]), "ports") == {PORT}


def test_without_guests_the_sets_are_empty_and_the_rules_stand() -> None:
    text = rules.text([])
    assert [elements(text, name) for name in ("ports", "taps", "guests", "services")] == [set()] * 4
    assert "ip daddr 169.254.169.254 drop" in text


def test_the_same_guests_make_the_same_rules() -> None:
    assert rules.text([OTHER, GUEST]) == rules.text([GUEST, OTHER])


def test_the_rules_of_before_go_in_the_same_transaction() -> None:
    begin = "table bridge syros_metadata\ndelete table bridge syros_metadata\ntable bridge syros_metadata {"
    assert rules.text([GUEST]).startswith(begin)


@pytest.mark.parametrize("bridge", ["br0", "a-bridge-of-15ch", "prv100"])
def test_a_port_s_name_fits_an_interface_and_is_its_lan_s_alone(bridge: str) -> None:
    names = {rules.port_of(Lan(bridge + more, prefix)) for more in ("", "x") for prefix in ("02:53:79", "aa:00:07")}
    assert len(names) == 4
    assert all(re.fullmatch(r"smd[0-9a-f]{12}", name) for name in names)


def test_a_program_that_is_not_there_is_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(rules.Unloaded, match="nft"):
        rules.load([GUEST])
