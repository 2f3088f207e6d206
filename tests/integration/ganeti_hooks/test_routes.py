"""Routed guests in namespaces: a real DHCP client behind a tap, nodes that are routers, and a network outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ganeti_hooks import install
from lab import process
from tests.integration.ganeti_hooks import nodes
from tests.integration.nfdhcpd.clients import Client
from tests.support import taps

TABLE = "100"
#: puts on what a lease of one address says, with the routes that it needs
_SCRIPT = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip address add "$ip/$mask" dev eth0
set -- $staticroutes
while [ $# -gt 1 ]; do
    if [ "$2" = 0.0.0.0 ]; then ip route add "$1" dev eth0; else ip route add "$1" via "$2"; fi
    shift 2
done
echo "told $ip/$mask"
"""


class Outside:
    """A router with a link that nodes are on, and something behind it."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        taps._ip("netns", "add", namespace)
        for name in ("lan", "beyond"):
            self.ip("link", "add", name, "type", "bridge")
            self.ip("link", "set", name, "up")
        for address in ("192.0.2.1/24", "2001:db8::1/64"):
            self.ip("address", "add", address, "dev", "lan", *(["nodad"] if ":" in address else []))
        for address in ("198.51.100.1/32", "2001:db8:1::1/128"):
            self.ip("address", "add", address, "dev", "beyond", *(["nodad"] if ":" in address else []))

    def ip(self, *arguments: str) -> None:
        taps._ip("-n", self.namespace, *arguments)

    def join(self, node: nodes.Node, name: str) -> None:
        """Give a node a way out: a link, a table that leads there, and what comes by the link goes by the table."""
        bed = node.bed
        bed.ip("link", "add", "up0", "type", "veth", "peer", "name", name, "netns", self.namespace)
        self.ip("link", "set", name, "master", "lan", "up")
        for setting in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"):
            taps.run(bed.node, ["sysctl", "-q", "-w", setting])
        bed.ip("link", "set", "up0", "up")
        bed.ip("route", "add", "default", "via", "192.0.2.1", "dev", "up0", "onlink", "table", TABLE)
        bed.ip("-6", "route", "add", "default", "via", "2001:db8::1", "dev", "up0", "onlink", "table", TABLE)
        for version in ("-4", "-6"):
            bed.ip(version, "rule", "add", "iif", "up0", "table", TABLE)

    def reaches(self, target: str) -> bool:
        """Tell whether a target answers; what is remembered of MACs stays remembered."""
        done = taps.run(self.namespace, ["ping", "-c", "1", "-W", "1", target], check=False)
        return "1 received" in done.stdout

    def wait_reached(self, target: str) -> None:
        process.wait_until(lambda: self.reaches(target), what=f"{target} is reached", timeout=nodes.PATIENCE, every=0.2)


@pytest.fixture
def outside(node: nodes.Node) -> Iterator[Outside]:
    found = Outside(f"{node.bed.node}-outside")
    try:
        found.join(node, "node1")
        yield found
    finally:
        taps._ip("netns", "delete", found.namespace)


@pytest.fixture
def second(node: nodes.Node, outside: Outside, tmp_path: Path) -> Iterator[nodes.Node]:
    """Another node of the same link."""
    folder = tmp_path / "second"
    folder.mkdir()
    bed = taps.Bed(folder)
    try:
        bed.start()
        other = nodes.Node(bed, folder / "ganeti")
        outside.join(other, "node2")
        yield other
    finally:
        bed.stop()


def set_up(node: nodes.Node, guest: taps.Guest) -> None:
    node.set_up(guest, f"192.0.2.{guest.tap.removeprefix('tap')}", facts=["gw6:2001:db8::1"], MODE="routed", LINK=TABLE)


def leased(guest: taps.Guest) -> None:
    """Have real clients get the guest's addresses: one of IPv4 alone, one of IPv6, and the way out."""
    script = guest.folder / "told"
    script.write_text(_SCRIPT)
    script.chmod(0o755)
    guest.run("sysctl", "-q", "-w", "net.ipv6.conf.eth0.accept_ra=2")
    guest.popen("udhcpc", "-f", "-i", "eth0", "-O", "staticroutes", "-s", str(script), "-t", "40", "-T", "1")
    guest.wait_for_log(f"told 192.0.2.{guest.tap.removeprefix('tap')}/32")
    settled = ("ip", "-6", "address", "show", "dev", "eth0", "scope", "link", "-tentative")
    process.wait_until(lambda: "fe80" in guest.run(*settled), what="a link-local address", timeout=nodes.PATIENCE)
    client = Client(guest)
    client.dhclient("-6")
    client.wait_for("BOUND6")
    process.wait_until(
        lambda: "default" in guest.run("ip", "-6", "route"), what="an advertisement", timeout=nodes.PATIENCE, every=0.2
    )


def left(node: nodes.Node) -> str:
    """What a node has that is ours."""
    found = []
    for version in ("-4", "-6"):
        found += [
            taps.run(node.bed.node, ["ip", version, "neigh", "show", "proxy"]).stdout,
            taps.run(node.bed.node, ["ip", version, "-details", "rule", "show"]).stdout,
            taps.run(node.bed.node, ["ip", version, "route", "show", "table", "all", "proto", "83"]).stdout,
        ]
    return "".join(line + "\n" for text in found for line in text.splitlines() if "83" in line or "tap" in line)


def test_a_guest_with_one_leased_address_reaches_the_outside_and_is_reached(node: nodes.Node, outside: Outside) -> None:
    guest, other = node.bed.guest(10, routed=True), node.bed.guest(11, routed=True)
    for each in (guest, other):
        set_up(node, each)
        leased(each)
    for target in ("192.0.2.1", "198.51.100.1", "192.0.2.11", "2001:db8::1", "2001:db8:1::1", "2001:db8::11"):
        nodes.wait_reached(guest, target)
    for target in ("192.0.2.10", "2001:db8::10"):
        outside.wait_reached(target)
    # it speaks in its own name, here too
    guest.run("ip", "address", "add", "192.0.2.99/32", "dev", "eth0")
    assert not nodes.reaches(guest, "192.0.2.1", "-I", "192.0.2.99")
    assert not outside.reaches("192.0.2.99")


def test_it_may_run_again_with_the_same_result(node: nodes.Node, outside: Outside) -> None:
    guest = node.bed.guest(10, routed=True)
    set_up(node, guest)
    before = left(node)
    assert before.count("192.0.2.10") == before.count("2001:db8::10") == 2
    set_up(node, guest)
    assert left(node) == before
    node.set_up(guest, "192.0.2.10", instance="mail.example", MODE="bridged", LINK="br0")
    assert left(node) == ""


def test_a_guest_that_moved_away_is_reached_at_its_new_node(
    node: nodes.Node, second: nodes.Node, outside: Outside
) -> None:
    guest, stays = node.bed.guest(10, routed=True), node.bed.guest(11, routed=True)
    for each in (guest, stays):
        set_up(node, each)
    for address in ("192.0.2.{}/32", "2001:db8::{}/128"):
        for each, number in ((guest, 10), (stays, 11)):
            options = ["nodad"] if ":" in address else []
            each.run("ip", "address", "add", address.format(number), "dev", "eth0", *options)
    away = ("192.0.2.10", "2001:db8::10")

    def routes_of(which: taps.Guest) -> None:
        which.run("ip", "route", "add", "default", "dev", "eth0")
        which.run("ip", "-6", "route", "add", "default", "via", "fe80::1", "dev", "eth0", "metric", "1")

    for each in (guest, stays):
        node.bed.ip("address", "add", "fe80::1/64", "dev", each.tap, "nodad")
        routes_of(each)
    for target in (*away, "192.0.2.11", "2001:db8::11"):
        outside.wait_reached(target)

    node.bed.unplug(guest)
    second.bed.plug(guest, routed=True)
    set_up(second, guest)
    second.bed.ip("address", "add", "fe80::1/64", "dev", guest.tap, "nodad")
    guest.run("ip", "address", "add", "192.0.2.10/32", "dev", "eth0")
    guest.run("ip", "address", "add", "2001:db8::10/128", "dev", "eth0", "nodad")
    routes_of(guest)
    node.run_hook("instance-migrate", install.SWEEP_NAME)

    assert "192.0.2.10" not in left(node)
    assert "2001:db8::10" not in left(node)
    assert guest.tap not in left(node)
    for target in (*away, "192.0.2.11", "2001:db8::11"):
        outside.wait_reached(target)


def test_a_node_that_is_no_router_says_so(node: nodes.Node, outside: Outside) -> None:
    guest = node.bed.guest(10, routed=True)
    for setting, word in (("net.ipv4.ip_forward", "IPv4"), ("net.ipv6.conf.all.forwarding", "IPv6")):
        taps.run(node.bed.node, ["sysctl", "-q", "-w", f"{setting}=0"])
        with pytest.raises(AssertionError, match=rf"{word}.*{setting}=1"):
            set_up(node, guest)
        taps.run(node.bed.node, ["sysctl", "-q", "-w", f"{setting}=1"])
    set_up(node, guest)
