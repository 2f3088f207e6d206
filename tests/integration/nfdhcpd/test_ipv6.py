"""IPv6: the guest's own kernel by router advertisements, and real clients by DHCPv6."""

import re

import pytest

from common.bindings import Ipv6Mode, Mode
from lab import process
from tests.integration.nfdhcpd.clients import Client
from tests.integration.nfdhcpd.conftest import binding, ipv6
from tests.support import taps

REPLIES = 'syros_nfdhcpd_answered_total{kind="reply",queue="dhcp6"}'
SOLICITED = 'syros_nfdhcpd_answered_total{kind="ra",queue="rs"}'
NEIGHBOURS = 'syros_nfdhcpd_answered_total{kind="na",queue="ns"}'


def shown(guest: taps.Guest, *words: str, command: tuple[str, ...] = ("address", "show", "dev", "eth0")) -> str:
    """Wait until ip(8) shows all the words in the guest; give what it shows."""

    def there() -> bool:
        return all(word in guest.run("ip", "-6", *command) for word in words)

    process.wait_until(there, what=f"no {words}: {guest.run('ip', '-6', *command)}", timeout=taps.PATIENCE)
    return guest.run("ip", "-6", *command)


def test_a_kernel_makes_its_address_of_an_advertisement(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v6=ipv6(Ipv6Mode.SLAAC)))
    shown(guest, "2001:db8::53:79ff:fe00:1/64")
    routes = shown(guest, "default via fe80::1", command=("route", "show"))
    assert "2001:db8::/64" in routes
    assert guest.run("cat", "/proc/sys/net/ipv6/conf/eth0/mtu").strip() == "1450"


def test_a_kernel_that_asks_is_answered(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v6=ipv6(Ipv6Mode.SLAAC)))
    guest.run("ip", "link", "set", "eth0", "down")
    guest.run("ip", "link", "set", "eth0", "up")
    process.wait_until(lambda: bed.metric(SOLICITED) >= 1, what="no solicitation", timeout=taps.PATIENCE)
    shown(guest, "2001:db8::53:79ff:fe00:1/64")


def test_a_stateful_network_s_kernel_makes_no_address(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v6=ipv6(Ipv6Mode.STATEFUL)))
    shown(guest, "default via fe80::1", command=("route", "show"))
    assert "2001:db8::53:79ff:fe00:1" not in shown(guest)


def test_guests_of_one_bridge_are_told_each_their_own(bed: taps.Bed) -> None:
    slaac, none = bed.guest(1), bed.guest(2)
    bed.bind(binding(none))
    bed.bind(binding(slaac, v6=ipv6(Ipv6Mode.SLAAC)))
    shown(slaac, "2001:db8::53:79ff:fe00:1/64")
    assert "2001:db8" not in shown(none)


def test_a_routed_guest_finds_the_node_at_its_gateway(bed: taps.Bed) -> None:
    guest = bed.guest(1, routed=True)
    bed.bind(binding(guest, v6=ipv6(Ipv6Mode.SLAAC, gateway="2001:db8::1"), mode=Mode.ROUTED))
    shown(guest, "2001:db8::53:79ff:fe00:1/64")
    assert "default via fe80::" in shown(guest, "default", command=("route", "show"))
    guest.run("ip", "-6", "route", "add", "2001:db8::1/128", "dev", "eth0")
    guest.run("python3", "-c", _SEND)
    shown(guest, "2001:db8::1 dev eth0 lladdr", command=("neighbour", "show"))
    assert bed.metric(NEIGHBOURS) >= 1


_SEND = """
import socket
socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"x", ("2001:db8::1", 9))
"""


def settled(guest: taps.Guest) -> None:
    """Wait until the guest may send from its link-local address."""

    def ready() -> bool:
        said = shown(guest, "scope link")
        return "fe80" in said and "tentative" not in said

    process.wait_until(ready, what="it has no link-local address", timeout=taps.PATIENCE)


def test_dhclient_is_leased_its_address(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v6=ipv6(Ipv6Mode.STATEFUL)))
    settled(guest)
    client = Client(guest)
    client.dhclient("-6")
    told = client.wait_for("BOUND6")
    assert told["new_ip6_address"] == "2001:db8::10"
    assert (told["new_dhcp6_name_servers"], told["new_dhcp6_domain_search"]) == ("2001:db8::53", "example.org.")


def test_dhclient_has_its_address_confirmed_after_a_reboot(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v6=ipv6(Ipv6Mode.STATEFUL)))
    settled(guest)
    client = leased(guest)
    client.dhclient("-6")
    assert client.wait_for("BOUND6", times=2)["new_ip6_address"] == "2001:db8::10"
    guest.wait_for_log("Confirm on eth0")
    assert "status code Success" in guest.log
    assert guest.log.count("Solicit on eth0") == 1


@pytest.mark.parametrize(("passed", "event"), [(2000, "RENEW6"), (3000, "REBIND6")])
def test_dhclient_s_lease_goes_on_after_a_long_pause(bed: taps.Bed, passed: int, event: str) -> None:
    guest = bed.guest(1)
    # T1 is 1,800 seconds, T2 2,880
    bed.bind(binding(guest, v6=ipv6(Ipv6Mode.STATEFUL), lease=3600))
    settled(guest)
    client = leased(guest)
    client.put_lease(re.sub(r"starts (\d+)", lambda at: f"starts {int(at[1]) - passed}", client.leases.read_text()))
    client.dhclient("-6")
    assert client.wait_for(event)["new_ip6_address"] == "2001:db8::10"
    assert guest.log.count("Solicit on eth0") == 1


def test_dhclient_is_told_that_an_address_is_not_of_here(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v6=ipv6(Ipv6Mode.STATEFUL)))
    settled(guest)
    client = leased(guest)
    client.put_lease(client.leases.read_text().replace("2001:db8::10", "2001:db8:ffff::10"))
    client.dhclient("-6")
    assert client.wait_for("BOUND6", times=2)["new_ip6_address"] == "2001:db8::10"
    assert "status code NotOnLink" in guest.log


def leased(guest: taps.Guest) -> Client:
    """A client that was leased its address, and has ended without a word."""
    client = Client(guest)
    client.dhclient("-6")
    client.wait_for("BOUND6")
    client.stop()
    return client


def test_dhclient_without_an_address_is_told_the_rest(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v6=ipv6(Ipv6Mode.STATELESS)))
    settled(guest)
    client = Client(guest)
    client.dhclient("-6", "-S")
    # what dhclient calls the answer to an Information-request
    assert client.wait_for("RENEW6")["new_dhcp6_name_servers"] == "2001:db8::53"


def test_dhclient_renews_its_address(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v6=ipv6(Ipv6Mode.STATEFUL), lease=60))
    settled(guest)
    client = Client(guest)
    client.dhclient("-6")
    client.wait_for("BOUND6")
    before = bed.metric(REPLIES)
    # T1 is half of the lease
    process.wait_until(lambda: bed.metric(REPLIES) > before, what="no renewal", timeout=2 * taps.PATIENCE)
    assert client.wait_for("RENEW6")["new_ip6_address"] == "2001:db8::10"


def test_dhcpcd_does_what_the_advertisement_says(bed: taps.Bed) -> None:
    guest = bed.guest(1)
    bed.bind(binding(guest, v6=ipv6(Ipv6Mode.STATEFUL)))
    client = Client(guest)
    client.dhcpcd("-6")
    assert "2001:db8::10" in client.wait_for("BOUND6").values()
