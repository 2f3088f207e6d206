"""DHCPv4 messages as clients write them, and as none should."""

import struct

import pytest

from nfdhcpd import dhcp4, frames
from nfdhcpd.dhcp4 import Kind, Message, Option
from nfdhcpd.frames import Malformed
from tests.unit.nfdhcpd import guests
from tests.unit.nfdhcpd.guests import discover, option


def parsed(packet: bytes) -> Message:
    return dhcp4.parse(frames.parse_udp(frames.parse_ip(packet)).payload)


@pytest.mark.parametrize("client", ["udhcpc", "dhclient", "dhcpcd"])
def test_real_clients_are_understood(client: str) -> None:
    for kind, packet in guests.recorded(client).items():
        if kind.startswith("dhcp4"):
            message = parsed(packet)
            assert message.kind.name.lower() == kind.split()[1].split("-")[0]
            assert message.hardware == guests.MAC


def test_a_long_option_comes_in_pieces() -> None:
    # RFC 3396
    message = parsed(discover(1, option(61, b"a" * 255) + option(12, b"x") + option(61, b"b" * 5)))
    assert message.options[Option.CLIENT_ID] == b"a" * 255 + b"b" * 5


def test_options_overflow_into_file_and_server_name() -> None:
    message = parsed(
        discover(3, option(52, b"\3"), file=option(50, "192.0.2.7") + b"\xff", server_name=option(12, b"h") + b"\xff")
    )
    assert message.address(Option.REQUESTED_ADDRESS) == bytes((192, 0, 2, 7))
    assert message.options[Option.HOSTNAME] == b"h"


def test_file_and_server_name_are_not_read_unasked() -> None:
    assert Option.REQUESTED_ADDRESS not in parsed(discover(3, file=option(50, "192.0.2.7"))).options


def test_pads_are_passed_over_and_the_end_may_be_missing() -> None:
    data = frames.parse_udp(frames.parse_ip(discover(1, b"\0\0" + option(12, b"h")))).payload
    assert dhcp4.parse(data[:-1]).options[Option.HOSTNAME] == b"h"


HEADER = frames.parse_udp(frames.parse_ip(discover())).payload


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("dhcp4 length", b""),
        ("dhcp4 length", HEADER[:239]),
        ("dhcp4 op", b"\2" + HEADER[1:]),
        ("dhcp4 hardware", HEADER[:1] + b"\6" + HEADER[2:]),
        ("dhcp4 hardware", HEADER[:2] + b"\x10" + HEADER[3:]),
        ("dhcp4 cookie", HEADER[:236] + b"\0" + HEADER[237:]),
        ("dhcp4 option", HEADER[:240] + b"\x35"),
        ("dhcp4 option", HEADER[:240] + b"\x35\2\1"),
        ("dhcp4 type", HEADER[:240] + b"\xff"),
        ("dhcp4 type", HEADER[:240] + b"\x35\1\0"),
        ("dhcp4 type", HEADER[:240] + b"\x35\1\x09"),
        ("dhcp4 type", HEADER[:240] + b"\x35\2\1\1"),
        ("dhcp4 overload", HEADER[:243] + b"\x34\1\4\xff"),
        ("dhcp4 overload", HEADER[:243] + b"\x34\2\1\1\xff"),
    ],
)
def test_what_is_not_right_is_malformed(reason: str, data: bytes) -> None:
    with pytest.raises(Malformed, match=reason):
        dhcp4.parse(data)


def test_an_address_is_four_bytes() -> None:
    with pytest.raises(Malformed, match="dhcp4 address"):
        parsed(discover(3, option(50, b"\1\2\3"))).address(Option.REQUESTED_ADDRESS)


def _reply(message: Message, options: list[tuple[int, bytes]]) -> guests.Lease4:
    return guests.Lease4.of(dhcp4.reply(message, yours=bytes(4), client=bytes(4), options=options))


def test_a_reply_is_padded_to_what_bootp_clients_take() -> None:
    assert _reply(parsed(discover()), [(53, b"\2")]).length == 300


def test_a_long_option_is_sent_in_pieces() -> None:
    told = _reply(parsed(discover(1, option(57, struct.pack("!H", 1500)))), [(121, b"r" * 300)])
    assert told.options[121] == b"r" * 300


def test_what_has_no_room_is_left_out() -> None:
    told = _reply(parsed(discover()), [(53, b"\2"), (121, b"r" * 310), (3, b"\1\2\3\4")])
    assert told.codes == [53, 3]
    assert told.length <= 548


@pytest.mark.parametrize(
    ("said", "room"), [(b"", 548), (struct.pack("!H", 100), 548), (struct.pack("!H", 65535), 1472)]
)
def test_the_largest_message_has_bounds(said: bytes, room: int) -> None:
    assert parsed(discover(1, option(57, said) if said else b"")).room == room


def test_kinds_are_those_of_rfc_2132() -> None:
    assert [kind.value for kind in Kind] == list(range(1, 9))
