"""Bindings of NICs: what is written is read back, and what can't be meant is told by the field's name."""

import ipaddress
import logging
from pathlib import Path
from typing import Any

import orjson
import pytest

from common import bindings
from common.bindings import BadBinding, Binding, Ipv4, Ipv6, Ipv6Mode, Mode, Route

FULL = Binding(
    interface="tap0",
    instance="syros-1",
    mac="02:53:79:00:00:01",
    mode=Mode.ROUTED,
    link="br0",
    hostname="web1",
    domain="example.org",
    mtu=1450,
    lease=3600,
    ipv4=Ipv4(
        address=ipaddress.IPv4Address("192.0.2.10"),
        subnet=ipaddress.IPv4Network("192.0.2.0/24"),
        gateway=ipaddress.IPv4Address("192.0.2.1"),
        nameservers=(ipaddress.IPv4Address("192.0.2.53"),),
        ntp_servers=(ipaddress.IPv4Address("192.0.2.123"),),
        routes=(Route(ipaddress.IPv4Network("198.51.100.0/24"), ipaddress.IPv4Address("192.0.2.2")),),
    ),
    ipv6=Ipv6(
        subnet=ipaddress.IPv6Network("2001:db8::/64"),
        mode=Ipv6Mode.STATEFUL,
        address=ipaddress.IPv6Address("2001:db8::10"),
        gateway=ipaddress.IPv6Address("fe80::1"),
        nameservers=(ipaddress.IPv6Address("2001:db8::53"),),
    ),
)


def changed(**values: Any) -> bytes:
    """FULL's file with some fields changed; `ipv4__subnet` is one of a part."""
    document = orjson.loads(bindings.encode(FULL))
    for key, value in values.items():
        *parts, last = key.split("__")
        place = document
        for part in parts:
            place = place[part]
        place[last] = value
    return orjson.dumps(document)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    bindings.write(tmp_path, FULL)
    assert bindings.read(tmp_path, "tap0") == FULL
    assert bindings.names(tmp_path) == ["tap0"]


def test_a_binding_of_few_words_is_one(tmp_path: Path) -> None:
    (tmp_path / "tap1").write_text('{"interface": "tap1", "instance": "i", "mac": "02:53:79:00:00:02"}')
    assert bindings.read(tmp_path, "tap1") == Binding(interface="tap1", instance="i", mac="02:53:79:00:00:02")


def test_a_rewrite_leaves_no_other_file(tmp_path: Path) -> None:
    bindings.write(tmp_path, FULL)
    bindings.write(tmp_path, FULL)
    assert [path.name for path in tmp_path.iterdir()] == ["tap0"]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "tap0").mkdir()
    with pytest.raises(OSError, match="directory"):
        bindings.write(tmp_path, FULL)
    assert [path.name for path in tmp_path.iterdir()] == ["tap0"]


def test_removing_twice_is_no_error(tmp_path: Path) -> None:
    bindings.write(tmp_path, FULL)
    bindings.remove(tmp_path, "tap0")
    bindings.remove(tmp_path, "tap0")
    assert bindings.read(tmp_path, "tap0") is None


def test_a_path_is_no_interface(tmp_path: Path) -> None:
    with pytest.raises(BadBinding):
        bindings.remove(tmp_path, "../tap0")


def test_files_that_are_being_written_are_not_listed(tmp_path: Path) -> None:
    (tmp_path / ".half").write_text("{")
    assert bindings.names(tmp_path) == []


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("no JSON", b"{"),
        ("the file", b"[]"),
        ("interface", changed(interface="tap/0")),
        ("interface", changed(interface="a" * 16)),
        ("instance", changed(instance="")),
        ("instance", changed(instance=7)),
        ("mac", changed(mac="02:53:79")),
        ("mac", changed(mac="01:53:79:00:00:01")),
        ("mac", changed(mac="00:00:00:00:00:00")),
        ("mode", changed(mode="openvswitch")),
        ("link", changed(link="a b")),
        ("hostname", changed(hostname="web_1")),
        ("domain", changed(domain="a..b")),
        ("mtu", changed(mtu=True)),
        ("mtu", changed(mtu=1000)),
        ("lease", changed(lease=1)),
        ("gizmo", changed(gizmo=1)),
        ("ipv4", changed(ipv4="192.0.2.1")),
        ("ipv4.address", changed(ipv4__address="192.0.2.300")),
        ("ipv4.address", changed(ipv4__address="198.51.100.1")),
        ("ipv4.address", changed(ipv4__address=None)),
        ("ipv4.subnet", changed(ipv4__subnet="192.0.2.1/24")),
        ("ipv4.gateway", changed(ipv4__gateway="192.0.2.10")),
        ("ipv4.nameservers", changed(ipv4__nameservers="192.0.2.53")),
        ("ipv4.nameservers", changed(ipv4__nameservers=["2001:db8::1"])),
        ("ipv4.nameservers", changed(ipv4__nameservers=["192.0.2.53"] * 17)),
        ("ipv4.routes[0].via", changed(ipv4__routes=[{"destination": "198.51.100.0/24"}])),
        ("ipv4.routes[0]", changed(ipv4__routes=["198.51.100.0/24"])),
        ("ipv6.mode", changed(ipv6__mode="dhcp")),
        ("ipv6.address", changed(ipv6__address=None)),
        ("ipv6.address", changed(ipv6__address="2001:db8:1::1")),
        ("ipv6.gateway", changed(ipv6__gateway="fe80::1%eth0")),
        ("ipv6.gateway", changed(ipv6__gateway="ff02::1")),
    ],
)
def test_what_can_not_be_meant_is_told_by_its_field(field: str, text: bytes) -> None:
    with pytest.raises(BadBinding) as raised:
        bindings.decode(text)
    assert str(raised.value).startswith(field)


def test_a_bad_file_is_skipped_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "tap0").write_bytes(changed(mtu=1))
    with caplog.at_level(logging.WARNING):
        assert bindings.read(tmp_path, "tap0") is None
    assert "binding.bad" in caplog.text


def test_a_binding_of_another_tap_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "tap7").write_bytes(bindings.encode(FULL))
    assert bindings.read(tmp_path, "tap7") is None


def test_a_file_too_long_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "tap0").write_bytes(bindings.encode(FULL) + b" " * 70_000)
    assert bindings.read(tmp_path, "tap0") is None
