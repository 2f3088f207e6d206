"""What security groups allow, on real bridges: guests that try to reach each other, with answers and without."""

from __future__ import annotations

import json

from lab import process
from tests.integration.ganeti_hooks import nodes
from tests.support import taps

_SERVER = """
import socket, sys
address, port = sys.argv[1:]
server = socket.create_server((address, int(port)), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
print("listening", flush=True)
while True:
    client, _ = server.accept()
    print("accepted", flush=True)
    while data := client.recv(100):
        client.send(data)
"""
#: connects from a port of its own; with every line that it is given it asks once more, and says what came of it
_CLIENT = """
import socket, sys
client = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
client.settimeout(1)
if len(sys.argv) > 3:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("", int(sys.argv[3])))
try:
    client.connect((sys.argv[1], int(sys.argv[2])))
    client.send(b"echo")
    print("answered" if client.recv(100) == b"echo" else "closed", flush=True)
except OSError as err:
    print(f"failed: {err}", flush=True)
"""
ALL_OUT = ("e4:*:*:*", "e6:*:*:*")


def generation(number: int, *rules: str) -> list[str]:
    """What the tags of a NIC say of one generation of its rules."""
    return [f"{number}:{rule}" for rule in ("on", *rules)]


def serves(guest: taps.Guest, address: str, port: int) -> None:
    before = guest.log.count("listening")
    guest.popen("python3", "-c", _SERVER, address, str(port))
    guest.wait_for_log("listening", before + 1)


def answered(guest: taps.Guest, address: str, port: int, *, source: int | None = None) -> bool:
    """Tell whether a server is reached, and its answer comes back."""
    told = guest.run("python3", "-c", _CLIENT, address, str(port), *([str(source)] if source else []))
    return "answered" in told


def wait_answered(guest: taps.Guest, address: str, port: int) -> None:
    process.wait_until(
        lambda: answered(guest, address, port), what=f"{address} {port} answers", timeout=nodes.PATIENCE, every=0.2
    )


def test_a_closed_port_is_closed_and_opens_with_a_rule_and_closes_again(node: nodes.Node) -> None:
    closed = generation(1, *ALL_OUT)
    web, client = nodes.plugged(node, 10, firewall=closed), nodes.plugged(node, 11)
    nodes.wait_reached(web, "192.0.2.11")
    nodes.wait_reached(web, "2001:db8::11")
    for address in ("192.0.2.10", "2001:db8::10"):
        serves(web, address, 80)
        serves(web, address, 81)
        assert not answered(client, address, 80)
        assert not nodes.reaches(client, address)

    node.modified(web, "192.0.2.10", firewall=[*closed, *generation(2, *ALL_OUT, "i4:tcp:80-80:*", "i6:tcp:80-80:*")])
    for address in ("192.0.2.10", "2001:db8::10"):
        assert answered(client, address, 80)
        assert not answered(client, address, 81)

    node.modified(
        web, "192.0.2.10", firewall=generation(3, *ALL_OUT, "i4:icmp:8-0:192.0.2.11/32", "i6:ipv6-icmp:128-*:*")
    )
    for address in ("192.0.2.10", "2001:db8::10"):
        assert not answered(client, address, 80)
        assert nodes.reaches(client, address)


def test_a_connection_ends_with_the_rule_that_allowed_it(node: nodes.Node) -> None:
    opened = generation(1, *ALL_OUT, "i4:tcp:80-80:*")
    web, client = nodes.plugged(node, 10, firewall=opened), nodes.plugged(node, 11)
    serves(web, "192.0.2.10", 80)
    wait_answered(client, "192.0.2.10", 80)
    client.popen("ping", "-i", "0.2", "-I", "192.0.2.11", "192.0.2.10")
    talk = client.popen("python3", "-u", "-c", _TALK, "192.0.2.10", "80")
    client.wait_for_log("still")
    node.modified(web, "192.0.2.10", firewall=generation(2, *ALL_OUT))
    process.wait_until(lambda: talk.poll() is not None, what="the connection stalls", timeout=nodes.PATIENCE, every=0.2)
    assert "stalled" in client.log


_TALK = """
import socket, sys, time
client = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2)
try:
    while True:
        client.send(b"echo")
        client.recv(100)
        print("still", flush=True)
        time.sleep(0.1)
except TimeoutError:
    print("stalled", flush=True)
"""


def test_what_goes_out_is_limited_too(node: nodes.Node) -> None:
    limited = generation(7, "e4:tcp:80-89:192.0.2.11/32+192.0.2.64/26", "i4:*:*:192.0.2.0/24")
    guest, other = nodes.plugged(node, 10, firewall=limited), nodes.plugged(node, 11)
    serves(other, "192.0.2.11", 80)
    serves(other, "192.0.2.11", 90)
    serves(guest, "192.0.2.10", 22)
    wait_answered(guest, "192.0.2.11", 80)
    assert not answered(guest, "192.0.2.11", 90)
    assert not nodes.reaches(guest, "192.0.2.11")
    # answers to what came in go out
    assert answered(other, "192.0.2.10", 22)
    assert nodes.reaches(other, "192.0.2.10")


def test_the_same_addresses_on_another_bridge_are_others(node: nodes.Node) -> None:
    node.bed.ip("link", "add", "br1", "type", "bridge")
    node.bed.ip("link", "set", "br1", "up")
    web, client = nodes.plugged(node, 10, firewall=generation(1, *ALL_OUT, "i4:tcp:80-80:*")), nodes.plugged(node, 11)
    twin, rogue = nodes.plugged(node, 20), nodes.plugged(node, 21)
    for guest, address, firewall in ((twin, "192.0.2.10", generation(1, *ALL_OUT)), (rogue, "192.0.2.11", [])):
        node.bed.ip("link", "set", guest.tap, "nomaster")
        node.set_up(guest, address, firewall=firewall, LINK="br1")
        guest.run("ip", "address", "flush", "dev", "eth0", "scope", "global")
        guest.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
    serves(web, "192.0.2.10", 80)
    serves(twin, "192.0.2.10", 80)
    nodes.wait_reached(twin, "192.0.2.11")
    wait_answered(client, "192.0.2.10", 80)
    assert answered(client, "192.0.2.10", 80, source=4000)
    # the very same connection, as far as addresses and ports go
    assert not answered(rogue, "192.0.2.10", 80, source=4000)
    node.modified(twin, "192.0.2.10", firewall=generation(2, *ALL_OUT, "i4:tcp:80-80:*"))
    assert answered(rogue, "192.0.2.10", 80, source=4000)


def test_a_guest_of_a_bridge_with_the_nodes_address_is_answered_through_it(node: nodes.Node) -> None:
    node.bed.ip("address", "add", "192.0.2.1/24", "dev", "br0")
    guest = nodes.plugged(node, 10, firewall=generation(1, *ALL_OUT))
    nodes.wait_reached(guest, "192.0.2.1")
    pinged = taps.run(node.bed.node, ["ping", "-c", "1", "-W", "1", "192.0.2.10"], check=False)
    assert "1 received" not in pinged.stdout
    node.modified(guest, "192.0.2.10", firewall=generation(2, *ALL_OUT, "i4:icmp:*:192.0.2.1/32"))
    assert "1 received" in taps.run(node.bed.node, ["ping", "-c", "1", "-W", "1", "192.0.2.10"]).stdout


def test_the_note_of_a_tap_says_what_it_has_and_no_firewall_is_none(node: nodes.Node) -> None:
    guest = nodes.plugged(node, 10, firewall=generation(4, "i4:tcp:22-22:*"))
    other = nodes.plugged(node, 11)
    note = json.loads((node.described.notes / guest.tap).read_text())
    assert note["firewall"] == ["i4:tcp:22-22:*"]
    assert not nodes.reaches(other, "192.0.2.10")
    node.modified(guest, "192.0.2.10", firewall=["5:off", "4:on", "4:i4:tcp:22-22:*"])
    assert json.loads((node.described.notes / guest.tap).read_text())["firewall"] is None
    nodes.wait_reached(other, "192.0.2.10")
    before = node.rules()
    node.modified(guest, "192.0.2.10", firewall=["5:off"])
    assert node.rules() == before
