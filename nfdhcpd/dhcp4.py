"""DHCPv4 messages: bytes in, values out, and back (RFC 2131, RFC 2132, RFC 3396)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from nfdhcpd.frames import Malformed

SERVER_PORT = 67
CLIENT_PORT = 68

_HEADER = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")
_COOKIE = b"\x63\x82\x53\x63"
_ETHERNET = 1
_REQUEST, _REPLY = 1, 2
_BROADCAST = 0x8000
_IN_FILE, _IN_SERVER_NAME = 1, 2
#: some clients take no message shorter than BOOTP's (RFC 1542 section 2.1)
_SHORTEST = 300
#: what every client takes, in a packet of 576 bytes (RFC 2131 section 2)
_ALWAYS_FITS = 548
_HEADERS = 28
_LONGEST = 1472


class Kind(IntEnum):
    """A message's type (option 53)."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8


class Option(IntEnum):
    """The options that are read or written here."""

    PAD = 0
    SUBNET_MASK = 1
    ROUTER = 3
    NAMESERVERS = 6
    HOSTNAME = 12
    DOMAIN = 15
    MTU = 26
    BROADCAST = 28
    NTP = 42
    REQUESTED_ADDRESS = 50
    LEASE_TIME = 51
    OVERLOAD = 52
    MESSAGE_TYPE = 53
    SERVER_ID = 54
    PARAMETERS = 55
    MESSAGE = 56
    LARGEST_MESSAGE = 57
    RENEWAL_TIME = 58
    REBINDING_TIME = 59
    CLIENT_ID = 61
    RAPID_COMMIT = 80
    CLASSLESS_ROUTES = 121
    MICROSOFT_ROUTES = 249
    END = 255


@dataclass(frozen=True, slots=True)
class Message:
    """What a client says. Addresses are packed; `options` are joined as RFC 3396 has it."""

    kind: Kind
    xid: int
    seconds: int
    flags: int
    client: bytes
    relay: bytes
    hardware: bytes
    options: Mapping[int, bytes]

    @property
    def broadcast(self) -> bool:
        """Tell whether the client takes no unicast before it has an address."""
        return bool(self.flags & _BROADCAST)

    @property
    def parameters(self) -> bytes | None:
        """The options that the client asks for, in its order."""
        return self.options.get(Option.PARAMETERS)

    @property
    def room(self) -> int:
        """The length of the longest message that the client takes, without headers of UDP and IP."""
        wanted = self.options.get(Option.LARGEST_MESSAGE, b"")
        largest = int.from_bytes(wanted, "big") - _HEADERS if len(wanted) == 2 else 0
        return min(max(largest, _ALWAYS_FITS), _LONGEST)

    def address(self, option: Option) -> bytes | None:
        """Give an option that is one IPv4 address; None if it is not there. Raises Malformed."""
        value = self.options.get(option)
        if value is not None and len(value) != 4:
            raise Malformed("dhcp4 address")
        return value


def parse(data: bytes) -> Message:
    """Read a client's message. Raises Malformed."""
    if len(data) < _HEADER.size + 4:
        raise Malformed("dhcp4 length")
    op, htype, hlen, _hops, xid, seconds, flags, ciaddr, _yi, _si, giaddr, chaddr, sname, file = _HEADER.unpack_from(
        data
    )
    if op != _REQUEST:
        raise Malformed("dhcp4 op")
    if htype != _ETHERNET or hlen != 6:
        raise Malformed("dhcp4 hardware")
    if data[_HEADER.size : _HEADER.size + 4] != _COOKIE:
        raise Malformed("dhcp4 cookie")
    options: dict[int, bytes] = {}
    _read_options(data[_HEADER.size + 4 :], options)
    overload = options.get(Option.OVERLOAD)
    if overload is not None:
        if len(overload) != 1 or not 1 <= overload[0] <= 3:
            raise Malformed("dhcp4 overload")
        # the order is RFC 3396's: options, file, sname
        if overload[0] & _IN_FILE:
            _read_options(file, options)
        if overload[0] & _IN_SERVER_NAME:
            _read_options(sname, options)
    kind = options.get(Option.MESSAGE_TYPE, b"")
    if len(kind) != 1 or not Kind.DISCOVER <= kind[0] <= Kind.INFORM:
        raise Malformed("dhcp4 type")
    return Message(Kind(kind[0]), xid, seconds, flags, ciaddr, giaddr, chaddr[:6], options)


def reply(request: Message, *, yours: bytes, client: bytes, options: Iterable[tuple[int, bytes]]) -> bytes:
    """Make the answer to a message: options in the given order, and those left out that the client has no room for.

    The first ones matter most; an option longer than 255 bytes is split (RFC 3396).
    """
    header = _HEADER.pack(
        _REPLY,
        _ETHERNET,
        6,
        0,
        request.xid,
        0,
        request.flags,
        client,
        yours,
        bytes(4),
        bytes(4),
        request.hardware,
        b"",
        b"",
    )
    parts = [header, _COOKIE]
    room = request.room - _HEADER.size - 5
    for code, value in options:
        part = _option(code, value)
        if len(part) <= room:
            parts.append(part)
            room -= len(part)
    parts.append(b"\xff")
    return b"".join(parts).ljust(_SHORTEST, b"\0")


def _option(code: int, value: bytes) -> bytes:
    if len(value) <= 255:
        return bytes((code, len(value))) + value
    pieces = [value[start : start + 255] for start in range(0, len(value), 255)]
    return b"".join(bytes((code, len(piece))) + piece for piece in pieces)


def _read_options(data: bytes, options: dict[int, bytes]) -> None:
    at, end = 0, len(data)
    while at < end:
        code = data[at]
        if code == 0:
            at += 1
            continue
        if code == 255:
            return
        if at + 1 >= end:
            raise Malformed("dhcp4 option")
        start = at + 2
        at = start + data[at + 1]
        if at > end:
            raise Malformed("dhcp4 option")
        value = data[start:at]
        options[code] = options[code] + value if code in options else value
