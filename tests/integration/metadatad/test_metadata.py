"""Guests in network namespaces ask 169.254.169.254 with curl: who is told what, and what nobody can do to others."""

import json
import signal
import subprocess

from common import bindings
from lab import process
from tests.integration.metadatad.conftest import ADDRESS, Node
from tests.support import taps

URL = "http://169.254.169.254"
OPENSTACK = "/openstack/latest/meta_data.json"


def curl(guest: taps.Guest, path: str, *more: str) -> tuple[int, str]:
    """The status, and the body; 0 without an answer."""
    said = guest.run("curl", "-s", "-m", "20", "-w", "\n%{http_code}", *more, URL + path, check=False)
    body, _, status = said.rpartition("\n")
    return int(status), body


def told(node: Node, guest: taps.Guest, path: str = OPENSTACK, *more: str) -> str:
    """Wait until the guest is answered; give what it is told."""
    found: list[str] = []

    def answered() -> bool:
        status, body = curl(guest, path, "--connect-timeout", "2", *more)
        found.append(body)
        return status == 200

    what = f"{guest.tap} is not answered: {node.log_of('metadatad')} {node.log_of('api')}"
    process.wait_until(answered, what=what, timeout=taps.PATIENCE)
    return found[-1]


def whoami(node: Node, guest: taps.Guest, *more: str) -> str:
    return str(json.loads(told(node, guest, OPENSTACK, *more))["uuid"])


def test_two_guests_with_the_same_address_on_two_bridges_are_told_each_its_own(node: Node) -> None:
    one, two = node.servers
    first, second = node.bound(1, one, bridge="br0"), node.bound(2, two, bridge="br1")
    assert (whoami(node, first), whoami(node, second)) == (one, two)
    assert told(node, first, "/openstack/2012-08-10/user_data") == "I am one"
    assert told(node, second, "/2009-04-04/user-data") == "I am two"
    assert told(node, second, "/latest/meta-data/instance-id") == two


def test_two_networks_on_one_bridge_are_told_apart_by_their_mac_prefixes(node: Node) -> None:
    one, two = node.servers
    first, second = node.bound(1, one), node.bound(2, two, mac="aa:00:07:00:00:02")
    assert (whoami(node, first), whoami(node, second)) == (one, two)
    assert "lladdr 02:53:79:a9:fe:fe" in first.run("ip", "neighbour", "show", "169.254.169.254")
    assert "lladdr aa:00:07:a9:fe:fe" in second.run("ip", "neighbour", "show", "169.254.169.254")
    # without a route of their own, too
    for guest in (first, second):
        guest.run("ip", "neighbour", "replace", "169.254.169.254", "lladdr", "02:00:00:00:00:99", "dev", "eth0")
    assert (whoami(node, first), whoami(node, second)) == (one, two)


def test_whose_id_a_guest_claims_does_not_matter(node: Node) -> None:
    one, two = node.servers
    guest = node.bound(1, one)
    assert whoami(node, guest, "-H", f"X-Instance-ID: {two}", "-H", "X-Forwarded-For: 10.0.0.9") == one
    assert whoami(node, guest, "-H", f"X-Instance-ID-Signature: {'0' * 64}") == one


def test_a_neighbour_s_address_opens_nothing(node: Node) -> None:
    one, two = node.servers
    first, second = node.bound(1, one), node.bound(2, two, address="10.0.0.3")
    assert whoami(node, first) == one
    assert whoami(node, second) == two
    first.run("ip", "link", "set", "eth0", "down")
    second.run("ip", "address", "add", f"{ADDRESS}/24", "dev", "eth0")
    # so that it asks anew, in the other's name
    second.run("ip", "neighbour", "flush", "dev", "eth0")
    second.run("sysctl", "-q", "net.ipv4.conf.eth0.arp_announce=0")
    assert curl(second, OPENSTACK, "--interface", ADDRESS, "--connect-timeout", "2") == (0, "")
    assert whoami(node, second, "--interface", "10.0.0.3") == two


def test_a_guest_without_a_binding_is_not_heard(node: Node) -> None:
    one, _ = node.servers
    first = node.bound(1, one)
    assert whoami(node, first) == one
    stranger = node.guest(3)
    stranger.run("ip", "address", "add", "10.0.0.9/24", "dev", "eth0")
    stranger.run("ip", "route", "add", "169.254.169.254/32", "dev", "eth0")
    assert curl(stranger, OPENSTACK, "--connect-timeout", "2") == (0, "")
    assert "169.254.169.254 dev eth0" not in stranger.run("ip", "-4", "neighbour", "show", "nud", "reachable")


def test_a_guest_that_knows_no_route_reaches_it_by_its_router(node: Node) -> None:
    one, _ = node.servers
    guest = node.bound(1, one)
    router = node.guest(9)
    router.run("ip", "address", "add", "10.0.0.1/24", "dev", "eth0")
    guest.run("ip", "route", "delete", "169.254.169.254/32")
    guest.run("ip", "route", "add", "default", "via", "10.0.0.1")
    assert whoami(node, guest) == one


def test_nothing_for_it_leaves_by_another_port_and_no_other_answer_is_taken(node: Node) -> None:
    one, _ = node.servers
    guest = node.bound(1, one)
    assert whoami(node, guest) == one
    # what another node is to this one: something behind a port that answers at the same address
    other = node.guest(9)
    other.run("ip", "address", "add", "169.254.169.254/32", "dev", "eth0")
    other.run("ip", "address", "add", "10.0.0.9/24", "dev", "eth0")
    other.popen("tcpdump", "-i", "eth0", "--immediate-mode", "-l", "-n", "host 169.254.169.254 or udp port 9")
    other.wait_for_log("listening on")
    guest.run("ip", "neighbour", "flush", "dev", "eth0")
    assert whoami(node, guest) == one
    # a service that is new knows no MAC, and asks for that of a guest which asks for none
    node.end("metadatad", signal.SIGKILL)
    node.wait(lambda: node.ports() == [])
    guest.run("ip", "neighbour", "replace", "169.254.169.254", "lladdr", "02:53:79:a9:fe:fe", "dev", "eth0")
    node.start_metadatad()
    assert whoami(node, guest) == one
    guest.run("python3", "-c", _BROADCAST, ADDRESS)
    other.wait_for_log("> 10.0.0.255.9")
    assert "169.254.169.254" not in other.log
    # and while nobody answers here, nobody does
    node.end("metadatad", signal.SIGKILL)
    guest.run("ip", "neighbour", "flush", "dev", "eth0", "nud", "all")
    assert curl(guest, OPENSTACK, "--connect-timeout", "2") == (0, "")


def test_nobody_else_says_anything_from_its_address(node: Node) -> None:
    one, _ = node.servers
    guest = node.bound(1, one)
    assert whoami(node, guest) == one
    other = node.guest(9)
    other.run("ip", "address", "add", "169.254.169.254/24", "dev", "eth0")
    other.run("ip", "address", "add", "10.0.0.9/24", "dev", "eth0")
    guest.popen("tcpdump", "-i", "eth0", "--immediate-mode", "-l", "-n", "host 169.254.169.254 or udp port 9")
    guest.wait_for_log("listening on")
    other.run("python3", "-c", _BROADCAST, "169.254.169.254")
    other.run("ip", "neighbour", "flush", "dev", "eth0")
    other.run("ping", "-c", "1", "-W", "1", "-I", "169.254.169.254", ADDRESS, check=False)
    other.run("python3", "-c", _BROADCAST, "10.0.0.9")
    guest.wait_for_log("10.0.0.9.")
    assert "169.254.169.254" not in guest.log


_BROADCAST = """
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
sender.bind((sys.argv[1], 0))
sender.sendto(b"x", ("10.0.0.255", 9))
"""


def test_nothing_else_of_the_node_is_in_reach(node: Node) -> None:
    one, _ = node.servers
    guest = node.bound(1, one)
    assert whoami(node, guest) == one
    done = subprocess.run(
        ["ip", "netns", "exec", guest.namespace, "curl", "-sk", "-m", "2", "https://169.254.169.254:8774/"],
        check=False,
        timeout=30,
    )
    # 28: no answer in time
    assert done.returncode == 28


def test_a_port_is_there_while_somebody_may_ask(node: Node) -> None:
    one, two = node.servers
    assert node.ports() == []
    first, second = node.bound(1, one), node.bound(2, two, bridge="br1")
    whoami(node, first)
    whoami(node, second)
    assert len(node.ports()) == 2
    bindings.remove(node.bindings, "tap2")
    node.wait(lambda: len(node.ports()) == 1)
    assert whoami(node, first) == one
    node.unplug(first)
    node.wait(lambda: node.ports() == [])


def test_a_new_guest_with_the_address_of_one_that_has_gone_is_itself(node: Node) -> None:
    one, two = node.servers
    first = node.bound(1, one)
    assert whoami(node, first) == one
    # its binding stays, as Ganeti leaves it
    node.unplug(first)
    second = node.bound(2, two)
    assert whoami(node, second) == two


def test_it_goes_on_after_a_kill_and_leaves_nothing_when_it_is_stopped(node: Node) -> None:
    one, _ = node.servers
    guest = node.bound(1, one)
    assert whoami(node, guest) == one
    node.end("metadatad", signal.SIGKILL)
    node.wait(lambda: node.ports() == [])
    node.start_metadatad()
    assert whoami(node, guest) == one
    assert node.end("metadatad") == 0
    assert node.ports() == []
    assert "syros_metadata" not in node.rules()
    assert "metadatad.stopped" in node.log_of("metadatad")


def test_rules_that_somebody_has_flushed_come_again(node: Node) -> None:
    one, _ = node.servers
    guest = node.bound(1, one)
    assert whoami(node, guest) == one
    taps.run(node.node, ["nft", "delete", "table", "bridge", "syros_metadata"])
    node.wait(lambda: "syros_metadata" in node.rules())
    assert whoami(node, guest) == one


def test_without_an_api_the_guest_is_told_to_ask_again(node: Node) -> None:
    one, _ = node.servers
    guest = node.bound(1, one)
    assert whoami(node, guest) == one
    node.end("api", signal.SIGKILL)
    status, body = curl(guest, OPENSTACK, "-i")
    assert (status, "Retry-After: 5" in body) == (503, True)
    assert node.log_of("metadatad").count("api.failed") == 1


def test_an_api_with_another_certificate_is_not_believed(node: Node) -> None:
    one, _ = node.servers
    node.end("metadatad")
    node.start_metadatad(API_CA="/etc/ssl/certs/ca-certificates.crt")
    guest = node.bound(1, one)
    node.wait(lambda: curl(guest, OPENSTACK, "--connect-timeout", "2")[0] == 503)
    assert node.figure('syros_metadatad_api_failures_total{reason="tls"}') >= 1


def test_a_slow_or_greedy_guest_takes_nothing_from_others(node: Node) -> None:
    one, two = node.servers
    slow, other = node.bound(1, one), node.bound(2, two, address="10.0.0.3")
    assert whoami(node, slow) == one
    holder = slow.popen("python3", "-c", _HOLD)
    slow.wait_for_log("held")
    assert curl(slow, OPENSTACK)[0] in (429, 0)
    assert whoami(node, other) == two
    # they are ended, and it may ask again
    assert whoami(node, slow) == one
    assert node.figure('syros_metadatad_unanswered_total{reason="timeout"}') == 4
    assert holder.poll() is None


_HOLD = """
import socket, time
held = [socket.create_connection(("169.254.169.254", 80)) for _ in range(4)]
for each in held:
    each.send(b"GET / HT")
print("held", flush=True)
time.sleep(600)
"""


def test_what_is_asked_badly_is_refused(node: Node) -> None:
    one, _ = node.servers
    guest = node.bound(1, one)
    assert whoami(node, guest) == one
    assert curl(guest, "/latest/nothing")[0] == 404
    assert curl(guest, OPENSTACK, "-X", "POST", "-d", "x")[0] == 405
    assert curl(guest, OPENSTACK, "-H", f"X-Long: {'x' * 20_000}")[0] in (431, 0)
    assert curl(guest, "/latest/../../compute", "--path-as-is")[0] == 404
    assert curl(guest, OPENSTACK, "-I")[0] == 200
    assert node.figure('syros_metadatad_answered_total{status="405"}') == 1
