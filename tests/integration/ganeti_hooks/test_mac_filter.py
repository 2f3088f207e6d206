"""Two networks on one bridge, known by their MAC prefixes: what a guest sees of the other, on a real bridge."""

from __future__ import annotations

import pytest

from lab import process
from tests.integration.ganeti_hooks import nodes
from tests.integration.ganeti_hooks.test_firewall import answered, serves, wait_answered
from tests.support import taps

ONE, OTHER = "aa:00:01", "aa:00:02"
GROUPS = {
    "broadcast": "ff:ff:ff:ff:ff:ff",
    "IPv4 multicast": "01:00:5e:00:00:fb",
    "IPv6 multicast": "33:33:00:00:00:01",
}
#: asks who has an address, by ARP, three times: to a MAC, from a MAC, from an address
_SENDER = """
import socket, sys
to, own = (bytes.fromhex(mac.replace(":", "")) for mac in sys.argv[1:3])
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind(("eth0", 0))
question = bytes.fromhex("0001080006040001") + own + socket.inet_aton(sys.argv[3]) + bytes(6) + bytes([192, 0, 2, 77])
for _ in range(3):
    sender.send(to + own + bytes.fromhex("0806") + question + bytes(18))
"""


def plugged(node: nodes.Node, number: int, prefix: str | None, *, firewall: tuple[str, ...] = ()) -> taps.Guest:
    """A guest of the network that has a prefix, with addresses that the other network has, too."""
    guest = node.bed.guest(number)
    node.bed.ip("link", "set", guest.tap, "nomaster")
    if prefix is not None:
        guest.mac = f"{prefix}:00:00:{number:02x}"
        guest.run("ip", "link", "set", "eth0", "address", guest.mac)
    node.set_up(guest, f"192.0.2.{number}", facts=[f"macs:{prefix}"] if prefix else [], firewall=firewall)
    for address in (f"192.0.2.{number}/24", f"2001:db8::{number}/64"):
        guest.run("ip", "address", "add", address, "dev", "eth0", "nodad")
    return guest


def hears(guest: taps.Guest) -> None:
    """Have a guest tell of every frame that arrives."""
    guest.popen("tcpdump", "-i", "eth0", "-Q", "in", "-n", "-e", "-l")
    guest.wait_for_log("listening on eth0")


def sends(guest: taps.Guest, to: str) -> None:
    guest.run("python3", "-c", _SENDER, to, guest.mac, f"192.0.2.{guest.tap.removeprefix('tap')}")


def test_guests_of_one_network_reach_each_other_and_those_of_another_do_not(node: nodes.Node) -> None:
    first, second = plugged(node, 10, ONE), plugged(node, 11, ONE)
    stranger, outsider = plugged(node, 12, OTHER), plugged(node, 13, None)
    for address in ("192.0.2.{}", "2001:db8::{}"):
        nodes.wait_reached(first, address.format(11))
        nodes.wait_reached(second, address.format(10))
        for one, far in ((first, 12), (first, 13), (stranger, 10), (outsider, 10), (outsider, 12)):
            assert not nodes.reaches(one, address.format(far)), (one.tap, far)
    # even where ARP is not needed
    for one, far in ((first, stranger), (stranger, first), (outsider, first), (first, outsider)):
        number = far.tap.removeprefix("tap")
        one.run("ip", "neigh", "replace", f"192.0.2.{number}", "lladdr", far.mac, "dev", "eth0")
        assert "1 received" not in one.run("ping", "-c", "1", "-W", "1", f"192.0.2.{number}", check=False)


@pytest.mark.parametrize("name", GROUPS)
def test_what_is_sent_to_all_stays_in_its_network(node: nodes.Node, name: str) -> None:
    first, second, stranger = plugged(node, 10, ONE), plugged(node, 11, ONE), plugged(node, 12, OTHER)
    outsider = plugged(node, 13, None)
    for guest in (first, second, stranger):
        hears(guest)
    for sender in (stranger, outsider, first):
        sends(sender, GROUPS[name])
    second.wait_for_log(f"{first.mac} > {GROUPS[name]}", 3)
    # what each of them sent has gone over the bridge by the time that the last one's has arrived
    for sender, receivers in ((stranger, (first, second)), (outsider, (first, second, stranger)), (first, (stranger,))):
        for receiver in receivers:
            assert f"{sender.mac} > " not in receiver.log, (sender.tap, receiver.tap)


def test_a_guest_sends_nothing_to_a_single_mac_outside(node: nodes.Node) -> None:
    first, outsider = plugged(node, 10, ONE), plugged(node, 13, None)
    second = plugged(node, 11, ONE)
    for guest in (outsider, second):
        hears(guest)
    sends(outsider, "ff:ff:ff:ff:ff:ff")
    sends(first, outsider.mac)
    sends(first, second.mac)
    second.wait_for_log(f"{first.mac} > {second.mac}", 3)
    assert f"{first.mac} > {outsider.mac}" not in outsider.log
    # the same from a tap that is not filtered: it is the filter that keeps it back
    node.set_up(first, "192.0.2.10")
    sends(first, outsider.mac)
    outsider.wait_for_log(f"{first.mac} > {outsider.mac}")


def test_nfdhcpd_answers_a_guest_of_a_filtered_network_and_renews_its_lease(node: nodes.Node) -> None:
    guest = plugged(node, 10, ONE)
    guest.run("ip", "address", "flush", "dev", "eth0", "scope", "global")
    script = guest.folder / "told"
    script.write_text(
        "#!/bin/sh\n"
        '[ "$1" = deconfig ] && ip address flush dev $interface\n'
        '[ "$1" = bound ] && ip address add $ip/$mask dev $interface && echo "bound $ip/$mask"\n'
        '[ "$1" = renew ] && echo "renewed $ip/$mask"\n'
        "exit 0\n"
    )
    script.chmod(0o755)
    client = guest.popen("udhcpc", "-f", "-i", "eth0", "-s", str(script), "-t", "20", "-T", "1")
    guest.wait_for_log("bound 192.0.2.10/24")
    # the node is not in the network: what is asked of the server alone goes to a MAC that is not below the prefix
    guest.run("ip", "neigh", "replace", "192.0.2.1", "lladdr", "02:00:00:00:00:01", "dev", "eth0")
    client.send_signal(10)
    guest.wait_for_log("renewed 192.0.2.10/24")
    guest.run("sysctl", "-q", "-w", "net.ipv6.conf.eth0.accept_ra=2")
    process.wait_until(
        lambda: "2001:db8::/64" in guest.run("ip", "-6", "route", "show", "dev", "eth0"),
        what="an advertisement arrives",
        timeout=nodes.PATIENCE,
        every=0.2,
    )


def test_a_firewall_is_asked_as_well(node: nodes.Node) -> None:
    closed = plugged(node, 10, ONE, firewall=("1:on", "1:e4:*:*:*", "1:e6:*:*:*"))
    second, stranger = plugged(node, 11, ONE), plugged(node, 12, OTHER)
    nodes.wait_reached(closed, "192.0.2.11")
    assert not nodes.reaches(second, "192.0.2.10")
    assert not nodes.reaches(stranger, "192.0.2.10")


def test_it_may_run_again_and_a_tap_of_another_network_is_not_filtered_any_more(node: nodes.Node) -> None:
    first = plugged(node, 10, ONE)
    before = node.rules()
    assert "aa:00:01:00:00:00" in before
    node.set_up(first, "192.0.2.10", facts=[f"macs:{ONE}"])
    assert node.rules() == before
    node.set_up(first, "192.0.2.10")
    assert "aa:00:01:00:00:00" not in node.rules()
    node.set_up(first, "192.0.2.10", facts=[f"macs:{OTHER}"])
    node.set_up(first, "192.0.2.10", instance="mail.example")
    assert "aa:00:02" not in node.rules()


def test_connections_between_the_same_addresses_are_told_apart(node: nodes.Node) -> None:
    closed = ("1:on", "1:e4:*:*:*")
    web = plugged(node, 10, ONE, firewall=(*closed, "1:i4:tcp:80-80:*"))
    client = plugged(node, 11, ONE)
    twin, rogue = plugged(node, 20, OTHER), plugged(node, 21, OTHER)
    for guest, address, firewall in ((twin, "192.0.2.10", closed), (rogue, "192.0.2.11", ())):
        node.set_up(guest, address, facts=[f"macs:{OTHER}"], firewall=firewall)
        guest.run("ip", "address", "flush", "dev", "eth0", "scope", "global")
        guest.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
    serves(web, "192.0.2.10", 80)
    serves(twin, "192.0.2.10", 80)
    nodes.wait_reached(twin, "192.0.2.11")
    wait_answered(client, "192.0.2.10", 80)
    assert answered(client, "192.0.2.10", 80, source=4000)
    # the very same connection, as far as addresses and ports go
    assert not answered(rogue, "192.0.2.10", 80, source=4000)
    node.set_up(twin, "192.0.2.10", facts=[f"macs:{OTHER}"], firewall=(*closed, "1:i4:tcp:80-80:*"))
    assert answered(rogue, "192.0.2.10", 80, source=4000)
