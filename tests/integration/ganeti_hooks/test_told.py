"""What guests are told changes while they run: Ganeti's hook leaves it to nfdhcpd, and real clients hear it."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping

from lab import process
from tests.integration.ganeti_hooks import nodes
from tests.integration.nfdhcpd.clients import Client
from tests.support import taps

_OWN = ("ip4:192.0.2.10/24", "ip6:2001:db8::/64", "mode6:slaac")


def _plugged(node: nodes.Node, *, facts: tuple[str, ...]) -> taps.Guest:
    guest = node.bed.guest(10)
    node.bed.ip("link", "set", guest.tap, "nomaster")
    node.set_up(guest, "192.0.2.10", facts=facts)
    return guest


def _told(number: int, *facts: str) -> tuple[str, ...]:
    return tuple(f"told:{number}:{fact}" for fact in ("on", *facts))


def _read(node: nodes.Node) -> int:
    return node.bed.log.count("binding.read")


def _binding(node: nodes.Node, guest: taps.Guest) -> Mapping[str, Mapping[str, object]]:
    found: Mapping[str, Mapping[str, object]] = json.loads((node.bed.bindings / guest.tap).read_text())
    return found


def test_a_renewal_has_the_new_name_server_and_route_and_the_address_stays(node: nodes.Node) -> None:
    guest = _plugged(node, facts=("dns4:192.0.2.53",))
    client = Client(guest)
    client.udhcpc("-O", "staticroutes", "-O", "mtu")
    told = client.wait_for("bound")
    assert (told["ip"], told["dns"], told["router"]) == ("192.0.2.10", "192.0.2.53", "192.0.2.1")

    read = _read(node)
    new = _told(1, *_OWN[:1], "gw4:192.0.2.254", "dns4:192.0.2.54", "route4:198.51.100.0/24@192.0.2.9", "mtu:1400")
    node.modified(guest, "192.0.2.10", facts=("dns4:192.0.2.53", *new))
    process.wait_until(lambda: _read(node) > read, what="nfdhcpd has read it", timeout=taps.PATIENCE)
    assert client.running is not None
    client.running.send_signal(signal.SIGUSR1)
    told = client.wait_for("renew")
    assert (told["ip"], told["dns"], told["router"]) == ("192.0.2.10", "192.0.2.54", "192.0.2.254")
    assert "198.51.100.0/24 192.0.2.9" in told["staticroutes"]
    assert told["mtu"] == "1400"


def test_the_highest_generation_counts_as_a_whole(node: nodes.Node) -> None:
    guest = _plugged(node, facts=("dns4:192.0.2.53",))
    older, newer = _told(9, *_OWN[:1], "dns4:192.0.2.54"), _told(10, *_OWN[:1])
    node.modified(guest, "192.0.2.10", facts=(*newer, *older))
    assert _binding(node, guest)["ipv4"]["nameservers"] == []
    assert _binding(node, guest)["ipv4"]["gateway"] is None
    node.modified(guest, "192.0.2.10", facts=(*newer, *older, *_told(11, *_OWN[:1], "silent4:yes")))
    assert not (node.bed.bindings / guest.tap).exists()


def test_the_next_advertisement_has_the_new_name_server(node: nodes.Node) -> None:
    guest = _plugged(node, facts=())
    guest.popen("tcpdump", "-l", "-n", "-v", "-i", "eth0", "icmp6")
    guest.wait_for_log("router advertisement")
    slaac = ("ip6:2001:db8::5054:ff:fe00:10/64", "mode6:slaac", "gw6:fe80::1", "dns6:2001:db8::54")
    node.modified(guest, "192.0.2.10", facts=_told(1, *slaac))
    guest.wait_for_log("2001:db8::54")


def test_a_nic_of_which_nothing_has_changed_is_left_alone(node: nodes.Node) -> None:
    guest = _plugged(node, facts=("dns4:192.0.2.53",))
    path = node.bed.bindings / guest.tap
    before = path.stat().st_ino
    node.modified(guest, "192.0.2.10", facts=("dns4:192.0.2.53",))
    assert path.stat().st_ino == before
