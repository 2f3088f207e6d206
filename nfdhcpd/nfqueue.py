"""One NFQUEUE of the kernel's, spoken to by netlink: packets come, verdicts go (linux/netfilter/nfnetlink_queue.h).

The protocol is four kinds of messages. The bindings there are need headers and a compiler to install, and what they
wrap is this.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 3 << 8
_PACKET, _VERDICT, _CONFIG = _SUBSYSTEM | 0, _SUBSYSTEM | 1, _SUBSYSTEM | 2
_ERROR = 2
_REQUEST, _ACK = 1, 4

_CFG_CMD, _CFG_PARAMS, _CFG_QUEUE_MAXLEN, _CFG_MASK, _CFG_FLAGS = 1, 2, 3, 4, 5
_CMD_BIND = 1
_COPY_PACKET = 2
_FAIL_OPEN = 1

_A_PACKET_HDR, _A_VERDICT_HDR = 1, 2
_A_INDEV, _A_PHYSINDEV, _A_HWADDR, _A_PAYLOAD, _A_L2HDR = 5, 7, 9, 10, 20
_TYPE_MASK = 0x3FFF

_DROP, _ACCEPT = 0, 1

_SOL_NETLINK = 270
_NETLINK_NO_ENOBUFS = 5
_SO_RCVBUFFORCE = 33

_HEADER = struct.Struct("=IHHII")
_FAMILY = struct.Struct("!BBH")
_ATTRIBUTE = struct.Struct("=HH")
_NUMBER = struct.Struct("!I")
_ERROR_CODE = struct.Struct("=i")
#: netlink header, family header, attribute header, verdict, packet id
_VERDICT_MESSAGE = struct.Struct("=IHHIIBBHHHII")
_LONGEST = 0xFFFF
_LARGEST_READ = _LONGEST + 4096
#: bytes of a socket's buffer that a guest's packet takes as the kernel counts them; what it sets is doubled (socket(7))
_EACH_WAITING = 2048
_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Queued:
    """A packet that waits for its verdict; `interface` is the index of the port that it came in by."""

    number: int
    interface: int
    #: the Ethernet address that it came from, or nothing
    source: bytes
    #: from the IP header on
    payload: bytes


class Queue:
    """Queue `number`, of at most `length` packets: what is more passes as if nobody had looked.

    Raises OSError if the kernel has no such queues, or this one belongs to somebody else.
    """

    def __init__(self, number: int, *, length: int) -> None:
        self._number_be = socket.htons(number)
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
        try:
            self._socket.settimeout(_PATIENCE)
            self._socket.bind((0, 0))
            # a flood is counted by the kernel, and is no error here
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_NO_ENOBUFS, 1)
            # packets wait in the socket: by default it has room for a small part of the queue's length
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, length * _EACH_WAITING)
            self._configure(_CFG_CMD, struct.pack("!BBH", _CMD_BIND, 0, 0))
            self._configure(_CFG_PARAMS, struct.pack("!IB", _LONGEST, _COPY_PACKET))
            self._configure(_CFG_QUEUE_MAXLEN, _NUMBER.pack(length))
            flag = _NUMBER.pack(_FAIL_OPEN)
            self._configure(_CFG_FLAGS, flag, (_CFG_MASK, flag))
            self._socket.setblocking(False)
        except OSError as err:
            self._socket.close()
            raise OSError(err.errno, f"queue {number}: {err.strerror or err}") from err

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, most: int) -> Iterator[Queued]:
        """Give the packets that wait, at most so many; each must get its verdict."""
        for _ in range(most):
            try:
                data = self._socket.recv(_LARGEST_READ)
            except BlockingIOError:
                return
            except OSError as err:
                if err.errno != errno.ENOBUFS:
                    raise
                continue
            yield from parse(data)

    def accept(self, packet: Queued) -> None:
        """Let a packet pass."""
        self._decide(packet, _ACCEPT)

    def drop(self, packet: Queued) -> None:
        """End a packet here."""
        self._decide(packet, _DROP)

    def close(self) -> None:
        """Give the queue back: what waits is dropped, what comes passes by the rules' `bypass`."""
        self._socket.close()

    def _decide(self, packet: Queued, verdict: int) -> None:
        message = _VERDICT_MESSAGE.pack(
            _VERDICT_MESSAGE.size, _VERDICT, _REQUEST, 0, 0, 0, 0, self._number_be,
            12, _A_VERDICT_HDR, socket.htonl(verdict), socket.htonl(packet.number),
        )  # fmt: skip
        self._socket.send(message)

    def _configure(self, kind: int, value: bytes, *more: tuple[int, bytes]) -> None:
        attributes = b"".join(_attribute(each, content) for each, content in ((kind, value), *more))
        body = struct.pack("=BBH", socket.AF_UNSPEC, 0, self._number_be) + attributes
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), _CONFIG, _REQUEST | _ACK, 0, 0) + body)
        while True:
            answer = self._socket.recv(_LARGEST_READ)
            _length, message, _flags, _sequence, _port = _HEADER.unpack_from(answer)
            if message != _ERROR:
                # a packet of the queue that was bound just now: it passes
                for packet in parse(answer):
                    self.accept(packet)
                continue
            (code,) = _ERROR_CODE.unpack_from(answer, _HEADER.size)
            if code:
                raise OSError(-code, os.strerror(-code))
            return


def parse(data: bytes) -> Iterator[Queued]:
    """Read what the kernel sent."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, message, _flags, _sequence, _port = _HEADER.unpack_from(data, at)
        if length < _HEADER.size:
            return
        if message == _PACKET:
            packet = _packet(data[at + _HEADER.size + _FAMILY.size : at + length])
            if packet is not None:
                yield packet
        at += (length + 3) & ~3


def _packet(data: bytes) -> Queued | None:
    number = None
    interface = port = 0
    source = payload = b""
    at, end = 0, len(data)
    while at + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < 4:
            break
        value = data[at + 4 : at + length]
        at += (length + 3) & ~3
        kind &= _TYPE_MASK
        if kind == _A_PAYLOAD:
            payload = value
        elif kind == _A_PACKET_HDR:
            (number,) = _NUMBER.unpack_from(value)
        elif kind == _A_INDEV:
            (interface,) = _NUMBER.unpack_from(value)
        elif kind == _A_PHYSINDEV:
            (port,) = _NUMBER.unpack_from(value)
        elif kind == _A_HWADDR:
            size = int.from_bytes(value[:2], "big")
            source = source or value[4 : 4 + size]
        elif kind == _A_L2HDR:
            # a bridge's: both addresses, before anything else
            source = value[6:12]
    # behind a bridge the interface is the bridge, and the port is what matters
    return None if number is None else Queued(number, port or interface, source, payload)


def _attribute(kind: int, value: bytes) -> bytes:
    padding = -len(value) % 4
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(padding)
