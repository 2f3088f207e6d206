"""DHCPv4 by real clients: leases, renewals, refusals, and whose guest is whose."""

import os
import signal

from common.bindings import Mode
from lab import process
from tests.integration.nfdhcpd.clients import Client
from tests.integration.nfdhcpd.conftest import binding, ipv4
from tests.support import taps
from tests.unit.nfdhcpd.guests import recorded

OFFERS = 'syros_nfdhcpd_answered_total{kind="offer",queue="dhcp4"}'
ACKS = 'syros_nfdhcpd_answered_total{kind="ack",queue="dhcp4"}'
NAKS = 'syros_nfdhcpd_answered_total{kind="nak",queue="dhcp4"}'
UNKNOWN = 'syros_nfdhcpd_passed_total{queue="dhcp4",reason="no binding"}'
FOREIGN = 'syros_nfdhcpd_passed_total{queue="dhcp4",reason="foreign source"}'


def test_udhcpc_is_leased_its_address_and_renews_it(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v4=ipv4()))
    client = Client(guest)
    client.udhcpc()
    told = client.wait_for("bound")
    assert (told["ip"], told["subnet"], told["router"]) == ("192.0.2.10", "255.255.255.0", "192.0.2.1")
    assert (told["dns"], told["hostname"], told["domain"]) == ("192.0.2.53", "web1", "example.org")
    assert (told["serverid"], told["lease"]) == ("192.0.2.1", "120")
    assert client.running is not None
    client.running.send_signal(signal.SIGUSR1)
    assert client.wait_for("renew")["ip"] == "192.0.2.10"
    assert bed.metric(ACKS) == 2


def test_dhclient_is_leased_its_address_and_keeps_it_after_a_reboot(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v4=ipv4()))
    client = Client(guest)
    client.dhclient("-4")
    told = client.wait_for("BOUND")
    assert (told["new_ip_address"], told["new_routers"], told["new_host_name"]) == ("192.0.2.10", "192.0.2.1", "web1")
    assert told["new_interface_mtu"] == "1450"
    client.stop()
    client.dhclient("-4")
    assert client.wait_for("REBOOT")["new_ip_address"] == "192.0.2.10"
    assert bed.metric(NAKS) == 0


def test_dhcpcd_is_leased_its_address(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v4=ipv4()))
    client = Client(guest)
    client.dhcpcd("-4", "--noarp")
    assert client.wait_for("BOUND")["new_ip_address"] == "192.0.2.10"


def test_an_address_of_elsewhere_is_refused_and_the_right_one_leased(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v4=ipv4()))
    client = Client(guest)
    client.put_lease(
        'lease {\n interface "eth0";\n fixed-address 198.51.100.7;\n option subnet-mask 255.255.255.0;\n'
        " option dhcp-server-identifier 198.51.100.1;\n option dhcp-lease-time 999999;\n"
        " renew 4 2037/01/01 00:00:00;\n rebind 4 2037/01/01 00:00:00;\n expire 4 2037/01/01 00:00:00;\n}\n"
    )
    client.dhclient("-4")
    assert client.wait_for("BOUND")["new_ip_address"] == "192.0.2.10"
    assert bed.metric(NAKS) == 1


def test_a_binding_that_changes_is_a_refusal_and_another_lease(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v4=ipv4()))
    client = Client(guest)
    client.udhcpc()
    client.wait_for("bound")
    bed.bind(binding(guest, v4=ipv4("192.0.2.20")))
    assert client.running is not None
    client.running.send_signal(signal.SIGUSR1)
    assert client.wait_for("bound", 2)["ip"] == "192.0.2.20"
    assert bed.metric(NAKS) == 1


def test_guests_of_one_bridge_get_each_their_own(bed: taps.Bed) -> None:
    guests = [bed.guest(number) for number in (1, 2, 3)]
    clients = [Client(guest) for guest in guests]
    for number, guest in enumerate(guests):
        bed.bind(binding(guest, v4=ipv4(f"192.0.2.{10 + number}")))
    for client in clients:
        client.udhcpc()
    assert [client.wait_for("bound")["ip"] for client in clients] == ["192.0.2.10", "192.0.2.11", "192.0.2.12"]


def test_a_guest_is_told_of_the_metadata_service_where_there_is_one(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.end_daemon()
    bed.spawn(METADATA="yes")
    bed.bind(binding(guest, v4=ipv4()))
    client = Client(guest)
    client.udhcpc("-O", "staticroutes")
    told = client.wait_for("bound")
    assert told["staticroutes"] == "169.254.169.254/32 0.0.0.0 0.0.0.0/0 192.0.2.1"


def test_a_guest_with_another_mac_is_not_answered(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v4=ipv4()))
    guest.run("ip", "link", "set", "eth0", "address", "02:53:79:00:00:99")
    client = Client(guest)
    client.udhcpc("-t", "2", "-T", "1")
    client.wait_for("leasefail")
    assert bed.metric(FOREIGN) >= 2
    assert bed.metric(ACKS) == 0


def test_a_routed_guest_gets_a_host_route_to_its_gateway(bed: taps.Bed) -> None:
    guest = bed.guest(1, routed=True)
    bed.bind(binding(guest, v4=ipv4(), mode=Mode.ROUTED))
    client = Client(guest)
    client.udhcpc("-O", "staticroutes")
    told = client.wait_for("bound")
    assert told["subnet"] == "255.255.255.255"
    assert told["staticroutes"] == "192.0.2.1/32 0.0.0.0 0.0.0.0/0 192.0.2.1"


def test_an_unknown_guest_s_packets_reach_another_server(bed: taps.Bed) -> None:
    stranger, server = bed.guest(1), bed.guest(2)
    # it takes what the bridge floods to it, as a DHCP server there would
    server.popen("tcpdump", "-i", "eth0", "--immediate-mode", "-l", "-n", "udp dst port 67")
    server.wait_for_log("listening on")
    client = Client(stranger)
    client.udhcpc("-t", "2", "-T", "1")
    server.wait_for_log("> 255.255.255.255.67")
    assert bed.metric(UNKNOWN) >= 1


def test_an_answered_guest_s_packets_reach_nobody_else(bed: taps.Bed) -> None:
    guest, other = bed.guest(1), bed.guest(2)
    bed.bind(binding(guest, v4=ipv4()))
    other.popen("tcpdump", "-i", "eth0", "--immediate-mode", "-l", "-n", "-e", "udp port 67 or udp port 9")
    other.wait_for_log("listening on")
    client = Client(guest)
    client.udhcpc()
    client.wait_for("bound")
    # what was flooded before this has been seen when this is
    guest.run("python3", "-c", _BROADCAST)
    other.wait_for_log("> 192.0.2.255.9")
    assert ".67:" not in other.log


_BROADCAST = """
import socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
sender.sendto(b"x", ("192.0.2.255", 9))
"""


def test_a_killed_nfdhcpd_goes_on_where_it_was(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v4=ipv4()))
    bed.end_daemon(signal.SIGKILL)
    client = Client(guest)
    client.udhcpc("-t", "2", "-T", "1")
    client.wait_for("leasefail")
    bed.spawn()
    process.wait_until(lambda: bed.metric("syros_nfdhcpd_nics") == 1, what="no NIC", timeout=taps.PATIENCE)
    client.wait_for("bound")


def test_a_burst_waits_until_nfdhcpd_comes_to_it(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v4=ipv4()))
    os.kill(bed.daemon_pid, signal.SIGSTOP)
    try:
        guest.run("python3", "-c", _BURST, bytes.hex(_DISCOVER), str(_MANY))
    finally:
        os.kill(bed.daemon_pid, signal.SIGCONT)
    process.wait_until(lambda: bed.metric(OFFERS) == _MANY, what="some have passed", timeout=taps.PATIENCE)


_MANY = 2000
_DISCOVER = b"\xff" * 6 + bytes.fromhex("025379000001") + b"\x08\x00" + recorded("udhcpc")["dhcp4 discover"]
_BURST = """
import socket, sys
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
sender.bind(("eth0", 0))
for _ in range(int(sys.argv[2])):
    sender.send(bytes.fromhex(sys.argv[1]))
"""


def test_a_tap_that_comes_again_is_served_again(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v4=ipv4()))
    bed.unplug(guest)
    bed.plug(guest)
    client = Client(guest)
    client.udhcpc()
    assert client.wait_for("bound")["ip"] == "192.0.2.10"


def test_a_removed_binding_is_answered_no_more(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v4=ipv4()))
    (bed.bindings / "tap1").unlink()
    process.wait_until(lambda: "binding.gone" in bed.log, what="it is still known", timeout=taps.PATIENCE)
    client = Client(guest)
    client.udhcpc("-t", "2", "-T", "1")
    client.wait_for("leasefail")
    assert bed.metric(UNKNOWN) >= 2


def test_it_ends_in_good_order(bed: taps.Bed) -> None:
    assert bed.end_daemon() == 0
    assert "nfdhcpd.stopped" in bed.log
