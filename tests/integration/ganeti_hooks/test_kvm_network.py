"""The network script, run as Ganeti runs it, before guests that send what is not theirs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganeti_hooks import install
from lab import process
from tests.conftest import missing
from tests.support import taps

PATIENCE = 60.0
_RA = """
import socket
sender = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
here = socket.if_nametoindex("eth0")
sender.bind(("fe80::bad", 0, 0, here))
# a router for 1800 s (RFC 4861, 4.2)
sender.sendto(bytes([134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]), ("ff02::1", 0, 0, here))
"""


class Node:
    """A bed whose taps are set up by the installed script."""

    def __init__(self, bed: taps.Bed, folder: Path) -> None:
        self.bed = bed
        install.install_network(folder, bindings=bed.bindings)
        self.script = folder / install.NETWORK_NAME

    def set_up(self, guest: taps.Guest, address: str, *, instance: str = "", **more: str) -> None:
        """Run the script for a guest's tap."""
        name = f"port-{guest.tap}"
        tags = [f"syros:host:{guest.tap}", f"syros:{name}:ip4:{address}/24", f"syros:{name}:gw4:192.0.2.1"]
        tags += [f"syros:{name}:ip6:2001:db8::{address.rpartition('.')[2]}/64", f"syros:{name}:mode6:dhcpv6-stateful"]
        environ = {
            "PATH": os.environ["PATH"],
            "INSTANCE": instance or f"syros-{guest.tap}",
            "INTERFACE": guest.tap,
            "INTERFACE_NAME": name,
            "MAC": guest.mac,
            "IP": address,
            "MODE": "bridged",
            "LINK": "br0",
            "TAGS": " ".join(tags),
            **more,
        }
        command = ["ip", "netns", "exec", self.bed.node, str(self.script)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    def rules(self) -> str:
        return taps.run(self.bed.node, ["nft", "list", "ruleset"]).stdout


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    reason = taps.unavailable()
    if reason is None and not Path("/usr/lib/ganeti/net-common").exists():
        reason = "not installed: ganeti"
    if reason:
        missing(reason)
    bed = taps.Bed(tmp_path)
    try:
        bed.start()
        yield Node(bed, tmp_path / "ganeti")
    finally:
        bed.stop()


def plugged(node: Node, number: int) -> taps.Guest:
    """A guest with its addresses, set up by the script."""
    guest = node.bed.guest(number)
    node.bed.ip("link", "set", guest.tap, "nomaster")
    node.set_up(guest, f"192.0.2.{number}")
    for address in (f"192.0.2.{number}/24", f"2001:db8::{number}/64"):
        guest.run("ip", "address", "add", address, "dev", "eth0", "nodad")
    return guest


def reaches(guest: taps.Guest, target: str, *options: str) -> bool:
    guest.run("ip", "neigh", "flush", "dev", "eth0")
    return "1 received" in guest.run("ping", "-c", "1", "-W", "1", *options, target, check=False)


def wait_reached(guest: taps.Guest, target: str, *options: str) -> None:
    process.wait_until(
        lambda: reaches(guest, target, *options), what=f"{target} is reached", timeout=PATIENCE, every=0.2
    )


def test_a_guest_is_connected_and_speaks_in_its_own_name_alone(node: Node) -> None:
    good, other = plugged(node, 10), plugged(node, 11)
    wait_reached(good, "192.0.2.11")
    wait_reached(good, "2001:db8::11")

    good.run("ip", "address", "add", "192.0.2.99/24", "dev", "eth0")
    good.run("ip", "address", "add", "2001:db8::99/64", "dev", "eth0", "nodad")
    assert not reaches(good, "192.0.2.11", "-I", "192.0.2.99")
    assert not reaches(good, "2001:db8::11", "-I", "2001:db8::99")
    assert not reaches(other, "192.0.2.99")
    assert not reaches(other, "2001:db8::99")
    wait_reached(good, "192.0.2.11", "-I", "192.0.2.10")

    good.run("ip", "link", "set", "eth0", "address", "02:53:79:00:00:66")
    assert not reaches(good, "192.0.2.11", "-I", "192.0.2.10")
    good.run("ip", "link", "set", "eth0", "address", good.mac)
    wait_reached(good, "192.0.2.11", "-I", "192.0.2.10")


def test_a_guest_is_no_router(node: Node) -> None:
    rogue, other = plugged(node, 10), plugged(node, 11)
    rogue.run("ip", "address", "add", "fe80::bad/64", "dev", "eth0", "nodad")
    other.run("sysctl", "-q", "-w", "net.ipv6.conf.eth0.accept_ra=2")

    def advertised() -> bool:
        rogue.run("python3", "-c", _RA)
        return "fe80::bad" in other.run("ip", "-6", "route", "show", "default")

    for _ in range(5):
        assert not advertised()
    # the same, from a tap that is not guarded: it is the guard that keeps it back
    node.set_up(rogue, "192.0.2.10", instance="mail.example")
    process.wait_until(advertised, what="the advertisement arrives", timeout=PATIENCE, every=0.2)


def test_nfdhcpd_answers_by_what_the_script_left(node: Node) -> None:
    guest = node.bed.guest(10)
    node.set_up(guest, "192.0.2.10")
    script = guest.folder / "told"
    script.write_text('#!/bin/sh\n[ "$1" = bound ] && echo "told $ip/$mask $router $hostname"\nexit 0\n')
    script.chmod(0o755)
    guest.popen("udhcpc", "-f", "-i", "eth0", "-s", str(script), "-t", "20", "-T", "1")
    guest.wait_for_log("told 192.0.2.10/24 192.0.2.1 tap10")


def test_it_may_run_again_and_a_tap_that_is_anothers_now_keeps_nothing(node: Node) -> None:
    guest = node.bed.guest(10)
    node.set_up(guest, "192.0.2.10")
    before = node.rules()
    assert "192.0.2.10" in before
    assert (node.bed.bindings / guest.tap).exists()
    node.set_up(guest, "192.0.2.10")
    assert node.rules() == before

    node.set_up(guest, "192.0.2.10", instance="mail.example")
    assert "192.0.2.10" not in node.rules()
    assert not (node.bed.bindings / guest.tap).exists()


def test_the_script_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / install.NETWORK_NAME).write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(FileExistsError, match="another program"):
        install.install_network(tmp_path, bindings=tmp_path / "bindings")
    (tmp_path / install.NETWORK_NAME).unlink()
    install.install_network(tmp_path, bindings=tmp_path / "bindings")
    install.install_network(tmp_path, prefix="cloud2-", bindings=tmp_path / "bindings")
    assert "PREFIX = 'cloud2-'" in (tmp_path / install.NETWORK_NAME).read_text()
