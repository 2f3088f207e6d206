"""DHCPv6 messages as clients write them, and as none should."""

import pytest

from nfdhcpd import dhcp6, frames
from nfdhcpd.dhcp6 import Option
from nfdhcpd.frames import Malformed
from tests.unit.nfdhcpd import guests

CLIENT = dhcp6.option(Option.CLIENT_ID, b"\0\3\0\1" + guests.MAC)


@pytest.mark.parametrize("client", ["dhclient6", "dhcpcd"])
def test_real_clients_are_understood(client: str) -> None:
    for kind, packet in guests.recorded(client).items():
        if kind.startswith("dhcp6"):
            message = dhcp6.parse(frames.parse_udp(frames.parse_ip(packet)).payload)
            assert message.kind.name.lower() == kind.split()[1]
            assert message.client_id
            assert message.requested


def test_addresses_and_options_are_read() -> None:
    message = dhcp6.parse(
        b"\3abc"
        + CLIENT
        + dhcp6.option(Option.SERVER_ID, b"duid")
        + guests.association("2001:db8::1", "2001:db8::2")
        + guests.association(code=25, number=b"pdid")
        + dhcp6.option(Option.OPTION_REQUEST, b"\0\x17\0\x18")
        + dhcp6.option(Option.RAPID_COMMIT, b"")
    )
    assert (message.transaction, message.server_id, message.rapid_commit) == (b"abc", b"duid", True)
    assert [(each.option, each.number, len(each.addresses)) for each in message.associations] == [
        (3, b"iaid", 2),
        (25, b"pdid", 0),
    ]
    assert message.requested == {23, 24}


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("dhcp6 length", b"\1ab"),
        ("dhcp6 type", b"\0abc"),
        ("dhcp6 type", b"\x0cabc" + bytes(32)),
        ("dhcp6 option", b"\1abc\0\1\0"),
        ("dhcp6 option", b"\1abc\0\1\0\4abc"),
        ("dhcp6 duid", b"\1abc\0\1\0\2ab"),
        ("dhcp6 duid", b"\1abc\0\1\0\x83" + bytes(131)),
        ("dhcp6 association", b"\1abc\0\3\0\4iaid"),
        ("dhcp6 association", b"\1abc\0\4\0\3iai"),
        ("dhcp6 association", b"\1abc" + guests.association() * 17),
        ("dhcp6 address", b"\1abc" + dhcp6.option(3, b"iaid" + bytes(8) + dhcp6.option(5, bytes(23)))),
        ("dhcp6 address", b"\1abc" + guests.association(*["2001:db8::1"] * 65)),
        ("dhcp6 option", b"\1abc" + dhcp6.option(3, b"iaid" + bytes(8) + b"\0\5")),
        ("dhcp6 option request", b"\1abc" + dhcp6.option(6, b"\0\1\0")),
    ],
)
def test_what_is_not_right_is_malformed(reason: str, data: bytes) -> None:
    with pytest.raises(Malformed, match=reason):
        dhcp6.parse(data)
