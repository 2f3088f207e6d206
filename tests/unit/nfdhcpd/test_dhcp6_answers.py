"""A DHCPv6 server of one NIC: each message of RFC 8415, for the binding's address and others."""

import ipaddress
from typing import Any

import pytest

from common.bindings import Ipv6Mode
from nfdhcpd import dhcp6
from nfdhcpd.dhcp6 import Kind, Option, Status
from nfdhcpd.nics import Nic
from nfdhcpd.outcomes import Silence
from nfdhcpd.responder import Wanted
from tests.unit.nfdhcpd import guests
from tests.unit.nfdhcpd.guests import ADDRESS6, MAC, answered, association, nic, recorded, solicit

OURS = str(ADDRESS6)
SERVER = dhcp6.option(Option.SERVER_ID, nic().duid)
OTHER_SERVER = dhcp6.option(Option.SERVER_ID, b"\0\3\0\1other")
RAPID = dhcp6.option(Option.RAPID_COMMIT, b"")
EVERYTHING = [(OURS, 3600, 3600)]


def dhcp(packet: bytes, to: Nic | None = None) -> Any:
    return guests.ask(to or nic(), Wanted.DHCP6, packet)


def told(packet: bytes, to: Nic | None = None) -> guests.Lease6:
    return answered(dhcp(packet, to)).lease6()


def asking(*codes: int) -> bytes:
    return dhcp6.option(Option.OPTION_REQUEST, b"".join(code.to_bytes(2, "big") for code in codes))


@pytest.mark.parametrize("client", ["dhclient6", "dhcpcd"])
def test_a_real_solicit_is_advertised_the_address(client: str) -> None:
    frame = answered(dhcp(recorded(client)["dhcp6 solicit"]))
    lease = frame.lease6()
    assert (lease.kind, lease.addresses()) == (Kind.ADVERTISE, EVERYTHING)
    assert (frame.destination_mac, frame.source) == (MAC, "fe80::ff:fe00:1")
    assert lease.options[Option.SERVER_ID] == [nic().duid]
    assert lease.options[Option.PREFERENCE] == [b"\xff"]


def test_client_and_transaction_are_named() -> None:
    lease = told(solicit(1, association()))
    assert (lease.transaction, lease.options[Option.CLIENT_ID]) == (b"abc", [b"\0\3\0\1" + MAC])


def test_rapid_commit_is_replied_at_once() -> None:
    lease = told(solicit(1, association(), RAPID))
    assert (lease.kind, lease.addresses()) == (Kind.REPLY, EVERYTHING)
    assert lease.options[Option.RAPID_COMMIT] == [b""]


@pytest.mark.parametrize("kind", [Kind.REQUEST, Kind.RENEW])
def test_a_request_and_a_renewal_are_given_the_address(kind: Kind) -> None:
    lease = told(solicit(kind, SERVER, association(OURS)))
    assert (lease.kind, lease.addresses()) == (Kind.REPLY, EVERYTHING)
    assert lease.options[Option.IA_NA][0][:12] == b"iaid" + (1800).to_bytes(4, "big") + (2880).to_bytes(4, "big")


def test_a_rebinding_is_given_the_address() -> None:
    assert told(solicit(Kind.REBIND, association(OURS))).addresses() == EVERYTHING


def test_other_addresses_are_taken_back() -> None:
    lease = told(solicit(Kind.RENEW, SERVER, association("2001:db8::99", OURS, "2001:db8::99")))
    assert lease.addresses() == [*EVERYTHING, ("2001:db8::99", 0, 0)]


def test_there_is_one_address_for_one_association() -> None:
    lease = told(solicit(1, association(), association(number=b"next"), association(code=4), association(code=25)))
    assert lease.addresses() == EVERYTHING
    assert lease.status(association=1) == Status.NO_ADDRESSES
    assert lease.status(association=0, option=4) == Status.NO_ADDRESSES
    assert lease.status(association=0, option=25) == Status.NO_PREFIX


@pytest.mark.parametrize("mode", [Ipv6Mode.SLAAC, Ipv6Mode.STATELESS])
def test_where_guests_make_addresses_none_is_given(mode: Ipv6Mode) -> None:
    lease = told(solicit(1, association()), nic(v6={"mode": mode}))
    assert (lease.kind, lease.addresses()) == (Kind.ADVERTISE, [])
    assert lease.status(association=0) == Status.NO_ADDRESSES


@pytest.mark.parametrize(
    ("addresses", "status"),
    [
        ([OURS], Status.SUCCESS),
        (["2001:db8::99"], Status.NOT_ON_LINK),
        ([OURS, "2001:db8:1::1"], Status.NOT_ON_LINK),
    ],
)
def test_a_client_that_moved_is_told_whether_it_is_here(addresses: list[str], status: Status) -> None:
    lease = told(solicit(Kind.CONFIRM, association(*addresses)))
    assert (lease.kind, lease.status()) == (Kind.REPLY, status)


def test_a_real_confirm_is_answered() -> None:
    assert told(recorded("dhclient6")["dhcp6 confirm"]).status() == Status.SUCCESS


@pytest.mark.parametrize("kind", [Kind.RELEASE, Kind.DECLINE])
def test_what_is_given_back_is_acknowledged(kind: Kind) -> None:
    lease = told(solicit(kind, SERVER, association(OURS)))
    assert (lease.kind, lease.status()) == (Kind.REPLY, Status.SUCCESS)
    assert Option.IA_NA not in lease.options


def test_what_is_given_back_and_was_never_given_is_no_binding() -> None:
    lease = told(solicit(Kind.RELEASE, SERVER, association("2001:db8::99")))
    assert (lease.status(), lease.status(association=0)) == (Status.SUCCESS, Status.NO_BINDING)


def test_information_is_told_as_asked() -> None:
    lease = told(solicit(Kind.INFORMATION_REQUEST, asking(23, 32), client_id=False))
    assert lease.kind is Kind.REPLY
    assert lease.options == {
        2: [nic().duid],
        32: [(3600).to_bytes(4, "big")],
        23: [ipaddress.IPv6Address("2001:db8::53").packed],
    }


def test_a_real_information_request_is_answered() -> None:
    lease = told(recorded("dhclient6")["dhcp6 information_request"])
    assert lease.options[Option.DOMAINS] == [b"\7example\3org\0"]


def test_who_does_not_say_is_told_everything() -> None:
    lease = told(solicit(1, association()))
    ntp = ipaddress.IPv6Address("2001:db8::123").packed
    assert lease.options[Option.NTP_SERVERS] == [b"\0\1\0\x10" + ntp]
    assert lease.options[Option.SNTP_SERVERS] == [ntp]
    assert lease.options[Option.NAMESERVERS]


def test_unicast_is_sent_back_to_multicast() -> None:
    packet = solicit(Kind.RENEW, SERVER, association(OURS), destination="fe80::1")
    lease = told(packet)
    assert (lease.kind, lease.status()) == (Kind.REPLY, Status.USE_MULTICAST)
    assert Option.IA_NA not in lease.options


def test_the_server_s_name_is_the_same_on_every_node() -> None:
    elsewhere = nic(addresses=(ADDRESS6.packed,), link="br7")
    assert elsewhere.duid == nic().duid
    assert nic(mac="02:53:79:00:00:02").duid != nic().duid


@pytest.mark.parametrize(
    ("reason", "packet"),
    [
        ("no client id", solicit(1, association(), client_id=False)),
        ("server id", solicit(1, SERVER, association())),
        ("server id", solicit(Kind.CONFIRM, SERVER, association(OURS))),
        ("other server", solicit(Kind.REQUEST, OTHER_SERVER, association(OURS))),
        ("other server", solicit(Kind.RELEASE, association(OURS))),
        ("other server", solicit(Kind.INFORMATION_REQUEST, OTHER_SERVER)),
        ("association unasked for", solicit(Kind.INFORMATION_REQUEST, association())),
        ("no association", solicit(Kind.REQUEST, SERVER)),
        ("no address", solicit(Kind.CONFIRM, association())),
        ("unicast", solicit(1, association(), destination="fe80::1")),
        ("no source", solicit(1, association(), source="::")),
        ("other message", solicit(Kind.ADVERTISE, SERVER)),
        ("other message", solicit(Kind.RECONFIGURE, SERVER)),
    ],
)
def test_silence(reason: str, packet: bytes) -> None:
    assert dhcp(packet) == Silence(reason)


def test_another_port_is_not_ours() -> None:
    packet = guests.frames.ipv6_udp(b"\xfe\x80" + bytes(14), bytes(16), b"x" * 30, source_port=546, destination_port=5)
    assert dhcp(packet) == Silence("other port")


def test_a_nic_without_ipv6_is_not_answered() -> None:
    assert dhcp(solicit(1, association()), nic(ipv6=None)) == Silence("no ipv6")
