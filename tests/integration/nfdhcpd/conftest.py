"""A node with guests in network namespaces, and a real nfdhcpd."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.bindings import Binding, Ipv4, Ipv6, Ipv6Mode, Mode
from tests.conftest import missing
from tests.support import taps


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Leave the tests out where they can't be run."""
    if reason := taps.unavailable():
        missing(reason)


@pytest.fixture
def bed(namespaces: None, tmp_path: Path) -> Iterator[taps.Bed]:
    bed = taps.Bed(tmp_path)
    try:
        bed.start()
        yield bed
    finally:
        bed.stop()


def ipv4(address: str = "192.0.2.10") -> Ipv4:
    """What DHCPv4 tells in these tests."""
    return Ipv4(
        address=ipaddress.IPv4Address(address),
        subnet=ipaddress.IPv4Network("192.0.2.0/24"),
        gateway=ipaddress.IPv4Address("192.0.2.1"),
        nameservers=(ipaddress.IPv4Address("192.0.2.53"),),
    )


def ipv6(mode: Ipv6Mode, gateway: str = "fe80::1") -> Ipv6:
    """What router advertisements and DHCPv6 tell in these tests."""
    return Ipv6(
        subnet=ipaddress.IPv6Network("2001:db8::/64"),
        mode=mode,
        address=ipaddress.IPv6Address("2001:db8::10"),
        gateway=ipaddress.IPv6Address(gateway),
        nameservers=(ipaddress.IPv6Address("2001:db8::53"),),
    )


def binding(
    guest: taps.Guest,
    *,
    v4: Ipv4 | None = None,
    v6: Ipv6 | None = None,
    mode: Mode = Mode.BRIDGED,
    lease: int = 120,
) -> Binding:
    """A guest's binding."""
    return Binding(
        interface=guest.tap,
        instance=f"syros-{guest.tap}",
        mac=guest.mac,
        mode=mode,
        link="br0" if mode is Mode.BRIDGED else "",
        hostname="web1",
        domain="example.org",
        mtu=1450,
        lease=lease,
        ipv4=v4,
        ipv6=v6,
    )
