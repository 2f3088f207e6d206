"""DHCPv6 messages: bytes in, values out, and back (RFC 8415)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from nfdhcpd.frames import Malformed

SERVER_PORT = 547
CLIENT_PORT = 546

_OPTION = struct.Struct("!HH")
_IA_NA = struct.Struct("!III")
_ADDRESS = struct.Struct("!16sII")
_LONGEST_DUID = 130
_MOST_ASSOCIATIONS = 16
_MOST_ADDRESSES = 64


class Kind(IntEnum):
    """A message's type, of those between client and server."""

    SOLICIT = 1
    ADVERTISE = 2
    REQUEST = 3
    CONFIRM = 4
    RENEW = 5
    REBIND = 6
    REPLY = 7
    RELEASE = 8
    DECLINE = 9
    RECONFIGURE = 10
    INFORMATION_REQUEST = 11


class Option(IntEnum):
    """The options that are read or written here (RFC 8415 section 21, RFC 3646, RFC 4075, RFC 5908)."""

    CLIENT_ID = 1
    SERVER_ID = 2
    IA_NA = 3
    IA_TA = 4
    IA_ADDRESS = 5
    OPTION_REQUEST = 6
    PREFERENCE = 7
    STATUS = 13
    RAPID_COMMIT = 14
    NAMESERVERS = 23
    DOMAINS = 24
    IA_PD = 25
    SNTP_SERVERS = 31
    INFORMATION_REFRESH = 32
    NTP_SERVERS = 56


class Status(IntEnum):
    """What became of a request."""

    SUCCESS = 0
    NO_ADDRESSES = 2
    NO_BINDING = 3
    NOT_ON_LINK = 4
    USE_MULTICAST = 5
    NO_PREFIX = 6


@dataclass(frozen=True, slots=True)
class Association:
    """An identity association, by the option that it came as, with the addresses that the client names in it."""

    option: int
    number: bytes
    addresses: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """What a client says; ids are whole DUIDs."""

    kind: Kind
    transaction: bytes
    client_id: bytes | None
    server_id: bytes | None
    associations: tuple[Association, ...]
    #: option codes that are asked for; None if the client does not say
    requested: frozenset[int] | None
    rapid_commit: bool


def parse(data: bytes) -> Message:
    """Read a client's message. Raises Malformed; for what relays send, too, since no guest is one."""
    if len(data) < 4:
        raise Malformed("dhcp6 length")
    if not Kind.SOLICIT <= data[0] <= Kind.INFORMATION_REQUEST:
        raise Malformed("dhcp6 type")
    client_id = server_id = None
    requested: frozenset[int] | None = None
    associations: list[Association] = []
    rapid_commit = False
    for code, value in _options(data[4:]):
        if code == Option.CLIENT_ID:
            client_id = _duid(value)
        elif code == Option.SERVER_ID:
            server_id = _duid(value)
        elif code in _ASSOCIATIONS:
            if len(associations) == _MOST_ASSOCIATIONS:
                raise Malformed("dhcp6 association")
            associations.append(_association(code, value))
        elif code == Option.OPTION_REQUEST:
            if len(value) % 2:
                raise Malformed("dhcp6 option request")
            requested = frozenset(struct.unpack(f"!{len(value) // 2}H", value))
        elif code == Option.RAPID_COMMIT:
            rapid_commit = True
    return Message(Kind(data[0]), data[1:4], client_id, server_id, tuple(associations), requested, rapid_commit)


def reply(kind: Kind, transaction: bytes, options: Iterable[bytes]) -> bytes:
    """Make a server's message of encoded options."""
    return bytes((kind,)) + transaction + b"".join(options)


def option(code: int, value: bytes) -> bytes:
    """Encode an option."""
    return _OPTION.pack(code, len(value)) + value


def status(code: Status, text: str = "") -> bytes:
    """Encode a status option."""
    return option(Option.STATUS, code.to_bytes(2, "big") + text.encode("ascii"))


def address(packed: bytes, *, preferred: int, valid: int) -> bytes:
    """Encode an address within an association; lifetimes in seconds."""
    return option(Option.IA_ADDRESS, _ADDRESS.pack(packed, preferred, valid))


def association(of: Association, content: bytes, *, renew: int = 0, rebind: int = 0) -> bytes:
    """Encode the answer to an association; `renew` (T1) and `rebind` (T2) in seconds."""
    if of.option == Option.IA_TA:
        return option(of.option, of.number + content)
    return option(of.option, of.number + struct.pack("!II", renew, rebind) + content)


#: where the options begin in each, behind its number and times
_ASSOCIATIONS = {Option.IA_NA: _IA_NA.size, Option.IA_TA: 4, Option.IA_PD: _IA_NA.size}


def _association(code: int, value: bytes) -> Association:
    start = _ASSOCIATIONS[Option(code)]
    if len(value) < start:
        raise Malformed("dhcp6 association")
    addresses: list[bytes] = []
    for inner, content in _options(value[start:]):
        if inner == Option.IA_ADDRESS:
            if len(content) < _ADDRESS.size or len(addresses) == _MOST_ADDRESSES:
                raise Malformed("dhcp6 address")
            addresses.append(content[:16])
    return Association(code, value[:4], tuple(addresses))


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    at, end = 0, len(data)
    while at < end:
        if at + 4 > end:
            raise Malformed("dhcp6 option")
        code, length = _OPTION.unpack_from(data, at)
        start = at + 4
        at = start + length
        if at > end:
            raise Malformed("dhcp6 option")
        yield code, data[start:at]


def _duid(value: bytes) -> bytes:
    # RFC 8415 section 11.1
    if not 3 <= len(value) <= _LONGEST_DUID:
        raise Malformed("dhcp6 duid")
    return value
