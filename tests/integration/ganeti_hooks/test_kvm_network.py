"""The network script, run as Ganeti runs it, before guests that send what is not theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganeti_hooks import install, kvm_network
from lab import process
from tests.integration.ganeti_hooks import nodes

_RA = """
import socket
sender = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
here = socket.if_nametoindex("eth0")
sender.bind(("fe80::bad", 0, 0, here))
# a router for 1800 s (RFC 4861, 4.2)
sender.sendto(bytes([134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]), ("ff02::1", 0, 0, here))
"""
_TAGGED = """
import socket
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind(("eth0", 0))
# to all, from the tap's own MAC, in VLAN 101
head = bytes.fromhex("ffffffffffff" "02537900000a" "8100" "0065" "88b5")
sender.send(head + bytes(64))
"""


def test_a_guest_is_connected_and_speaks_in_its_own_name_alone(node: nodes.Node) -> None:
    good, other = nodes.plugged(node, 10), nodes.plugged(node, 11)
    nodes.wait_reached(good, "192.0.2.11")
    nodes.wait_reached(good, "2001:db8::11")

    good.run("ip", "address", "add", "192.0.2.99/24", "dev", "eth0")
    good.run("ip", "address", "add", "2001:db8::99/64", "dev", "eth0", "nodad")
    assert not nodes.reaches(good, "192.0.2.11", "-I", "192.0.2.99")
    assert not nodes.reaches(good, "2001:db8::11", "-I", "2001:db8::99")
    assert not nodes.reaches(other, "192.0.2.99")
    assert not nodes.reaches(other, "2001:db8::99")
    nodes.wait_reached(good, "192.0.2.11", "-I", "192.0.2.10")

    good.run("ip", "link", "set", "eth0", "address", "02:53:79:00:00:66")
    assert not nodes.reaches(good, "192.0.2.11", "-I", "192.0.2.10")
    good.run("ip", "link", "set", "eth0", "address", good.mac)
    nodes.wait_reached(good, "192.0.2.11", "-I", "192.0.2.10")


def test_a_guest_speaks_in_other_names_that_its_port_is_allowed(node: nodes.Node) -> None:
    good, other = nodes.plugged(node, 10), nodes.plugged(node, 11)
    for address in ("192.0.2.99/24", "192.0.2.130/24", "2001:db8::99/64", "2001:db8::aa01/64"):
        good.run("ip", "address", "add", address, "dev", "eth0", *(("nodad",) if ":" in address else ()))
    allowed = (
        "pair:192.0.2.99",
        "pair:192.0.2.128/25",
        "pair:192.0.2.130",
        "pair:2001:db8::99",
        "pair:2001:db8::aa00/120",
    )
    own = ("told:1:on", "told:1:ip4:192.0.2.10/24", "told:1:ip6:2001:db8::10/64", "told:1:mode6:dhcpv6-stateful")

    node.modified(good, "192.0.2.10", facts=(*own, *(f"told:1:{each}" for each in allowed)))
    for address in ("192.0.2.10", "192.0.2.99", "192.0.2.130"):
        nodes.wait_reached(good, "192.0.2.11", "-I", address)
        nodes.wait_reached(other, address)
    for address in ("2001:db8::10", "2001:db8::99", "2001:db8::aa01"):
        nodes.wait_reached(good, "2001:db8::11", "-I", address)
        nodes.wait_reached(other, address)
    good.run("ip", "address", "add", "192.0.2.98/24", "dev", "eth0")
    assert not nodes.reaches(good, "192.0.2.11", "-I", "192.0.2.98")
    assert not nodes.reaches(other, "192.0.2.98")

    node.modified(good, "192.0.2.10", facts=[each.replace("told:1:", "told:2:") for each in own])
    for address in ("192.0.2.99", "192.0.2.130"):
        assert not nodes.reaches(good, "192.0.2.11", "-I", address)
    assert not nodes.reaches(other, "2001:db8::99")
    nodes.wait_reached(good, "192.0.2.11", "-I", "192.0.2.10")


def test_another_mac_goes_with_its_own_addresses_alone(node: nodes.Node) -> None:
    good, other = nodes.plugged(node, 10), nodes.plugged(node, 11)
    virtual = "02:00:5e:00:01:07"
    good.run("ip", "link", "add", "vrrp", "link", "eth0", "address", virtual, "type", "macvlan", "mode", "private")
    good.run("ip", "address", "add", "192.0.2.99/32", "dev", "vrrp")
    good.run("ip", "link", "set", "vrrp", "up")
    # what is asked for an address is answered by the interface that has it alone, from it
    for name in ("all", "eth0", "vrrp"):
        good.run("sysctl", "-q", "-w", f"net.ipv4.conf.{name}.arp_ignore=1", f"net.ipv4.conf.{name}.rp_filter=0")
    good.run("ip", "rule", "add", "from", "192.0.2.99", "table", "7")
    good.run("ip", "route", "add", "192.0.2.0/24", "dev", "vrrp", "src", "192.0.2.99", "table", "7")
    assert not nodes.reaches(other, "192.0.2.99")

    node.set_up(good, "192.0.2.10", facts=(f"pair:{virtual.replace(':', '')}@192.0.2.99",))
    nodes.wait_reached(other, "192.0.2.99")
    assert virtual in other.run("ip", "neigh", "show", "192.0.2.99")
    nodes.wait_reached(other, "192.0.2.10")
    good.run("ip", "address", "add", "192.0.2.98/32", "dev", "vrrp")
    assert not nodes.reaches(other, "192.0.2.98")
    good.run("ip", "address", "del", "192.0.2.99/32", "dev", "vrrp")
    good.run("ip", "address", "add", "192.0.2.99/24", "dev", "eth0")
    good.run("ip", "rule", "del", "from", "192.0.2.99", "table", "7")
    assert not nodes.reaches(good, "192.0.2.11", "-I", "192.0.2.99")


def test_a_guest_is_no_router(node: nodes.Node) -> None:
    rogue, other = nodes.plugged(node, 10), nodes.plugged(node, 11)
    rogue.run("ip", "address", "add", "fe80::bad/64", "dev", "eth0", "nodad")
    other.run("sysctl", "-q", "-w", "net.ipv6.conf.eth0.accept_ra=2")

    def advertised() -> bool:
        rogue.run("python3", "-c", _RA)
        return "fe80::bad" in other.run("ip", "-6", "route", "show", "default")

    for _ in range(5):
        assert not advertised()
    # the same, from a tap that is not guarded: it is the guard that keeps it back
    node.set_up(rogue, "192.0.2.10", instance="mail.example")
    process.wait_until(advertised, what="the advertisement arrives", timeout=nodes.PATIENCE, every=0.2)


def test_a_guest_leaves_its_vlan_by_no_tag(node: nodes.Node) -> None:
    rogue, other = nodes.plugged(node, 10), nodes.plugged(node, 11)
    other.popen("tcpdump", "-i", "eth0", "-n", "-e", "-l", "vlan 101")
    other.wait_for_log("listening on eth0")

    def arrived() -> bool:
        rogue.run("python3", "-c", _TAGGED)
        return "vlan 101" in other.log.partition("listening on")[2]

    for _ in range(5):
        assert not arrived()
    node.set_up(rogue, "192.0.2.10", instance="mail.example")
    process.wait_until(arrived, what="the tagged frame arrives", timeout=nodes.PATIENCE, every=0.2)


def test_nfdhcpd_answers_by_what_the_script_left(node: nodes.Node) -> None:
    guest = node.bed.guest(10)
    node.set_up(guest, "192.0.2.10")
    script = guest.folder / "told"
    script.write_text('#!/bin/sh\n[ "$1" = bound ] && echo "told $ip/$mask $router $hostname"\nexit 0\n')
    script.chmod(0o755)
    guest.popen("udhcpc", "-f", "-i", "eth0", "-s", str(script), "-t", "20", "-T", "1")
    guest.wait_for_log("told 192.0.2.10/24 192.0.2.1 tap10")


def test_it_may_run_again_and_a_tap_that_is_anothers_now_keeps_nothing(node: nodes.Node) -> None:
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


def test_what_a_tap_that_is_gone_had_goes_and_what_others_have_stays(node: nodes.Node) -> None:
    closed = ("1:on", "1:e4:*:*:*")
    goes, stays = nodes.plugged(node, 10, firewall=closed), nodes.plugged(node, 11, firewall=closed)
    node.set_up(goes, "192.0.2.10", firewall=closed, facts=["macs:02:53:79"])
    assert "192.0.2.10" in node.rules()
    node.run_hook("instance-migrate", install.SWEEP_NAME)
    assert "192.0.2.10" in node.rules()

    node.bed.unplug(goes)
    node.run_hook("instance-migrate", install.SWEEP_NAME)
    rules = node.rules()
    assert (goes.tap in rules, "192.0.2.10" in rules) == (False, False)
    assert (stays.tap in rules, "192.0.2.11" in rules) == (True, True)
    for folder in (node.bed.bindings, node.described.notes):
        assert [path.name for path in folder.glob("[!.]*")] == [stays.tap]


def test_the_script_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / install.NETWORK_NAME).write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(FileExistsError, match="another program"):
        install.install_network(tmp_path / "hooks", tmp_path, kvm_network.Node(bindings=tmp_path / "bindings"))
    (tmp_path / install.NETWORK_NAME).unlink()
    install.install_network(tmp_path / "hooks", tmp_path, kvm_network.Node(bindings=tmp_path / "bindings"))
    install.install_network(
        tmp_path / "hooks", tmp_path, kvm_network.Node(prefix="cloud2-", bindings=tmp_path / "bindings")
    )
    assert "prefix='cloud2-'" in (tmp_path / install.NETWORK_NAME).read_text()
