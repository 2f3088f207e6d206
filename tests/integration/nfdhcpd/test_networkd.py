"""systemd-networkd as a guest's client, with no systemd around it: what Debian's, Fedora's and others' images run."""

from __future__ import annotations

import pytest

from common.bindings import Ipv6Mode, Mode
from lab import process
from tests.integration.nfdhcpd.conftest import binding, ipv4, ipv6
from tests.support import taps

_PROGRAM = "/lib/systemd/systemd-networkd"
_ACKS = 'syros_nfdhcpd_answered_total{kind="ack",queue="dhcp4"}'
#: it takes every interface of a system whose /sys can't be written to for one that udev is done with
_SCRIPT = """
mount -t tmpfs none /run
mount -t tmpfs none /etc/systemd/network
mount -o bind,ro /sys /sys
mkdir -p /run/systemd/network /run/systemd/netif/leases /run/systemd/netif/links /run/systemd/netif/lldp
printf '[Match]\\nName=eth0\\n[Network]\\n%s\\n' "$1" > /run/systemd/network/10-all.network
chown -R systemd-network: /run/systemd
SYSTEMD_LOG_TARGET=console exec {program}
"""


def begins(guest: taps.Guest, *settings: str) -> None:
    """Start it in a guest, with these settings of its interface."""
    script = _SCRIPT.format(program=_PROGRAM)
    guest.popen("unshare", "--mount", "sh", "-c", script, "networkd", "\n".join(settings))


def wait_shown(guest: taps.Guest, *words: str, command: tuple[str, ...]) -> None:
    def shown() -> bool:
        told = guest.run("ip", *command)
        return all(word in told for word in words)

    process.wait_until(shown, what=f"{words}: {guest.log}", timeout=taps.PATIENCE, every=0.2)


def test_it_is_leased_its_address(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v4=ipv4()))
    begins(guest, "DHCP=ipv4", "IPv6AcceptRA=no")
    wait_shown(guest, "192.0.2.10/24", command=("-4", "address", "show", "dev", "eth0"))
    wait_shown(guest, "default via 192.0.2.1", command=("-4", "route"))
    assert bed.metric(_ACKS) == 1


def test_a_routed_guest_is_leased_one_address_and_the_way_over_its_gateway(bed: taps.Bed) -> None:
    guest = bed.guest(1, routed=True)
    bed.bind(binding(guest, v4=ipv4(), mode=Mode.ROUTED))
    begins(guest, "DHCP=ipv4", "IPv6AcceptRA=no")
    wait_shown(guest, "192.0.2.10/32", command=("-4", "address", "show", "dev", "eth0"))
    wait_shown(guest, "192.0.2.1 dev eth0", "default via 192.0.2.1", command=("-4", "route"))


@pytest.mark.parametrize(
    ("mode", "address"),
    [(Ipv6Mode.SLAAC, "2001:db8::53:79ff:fe00:1/64"), (Ipv6Mode.STATEFUL, "2001:db8::10/128")],
)
def test_it_has_the_ipv6_address_of_its_network_s_mode(bed: taps.Bed, mode: Ipv6Mode, address: str) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v6=ipv6(mode)))
    # of an advertisement; the kernel's own answers to it are off
    begins(guest, "DHCP=no", "IPv6AcceptRA=yes")
    wait_shown(guest, address, command=("-6", "address", "show", "dev", "eth0"))
    wait_shown(guest, "default", "fe80::1", command=("-6", "route"))
