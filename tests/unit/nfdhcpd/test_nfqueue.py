"""What the kernel's queues send, and what they are sent, on bytes (linux/netfilter/nfnetlink_queue.h)."""

import errno
import socket
import struct
from collections.abc import Callable

import pytest

from nfdhcpd import nfqueue
from nfdhcpd.nfqueue import Queue, Queued

PACKET, VERDICT, CONFIG, ERROR = 0x300, 0x301, 0x302, 2
HDR, INDEV, PHYSINDEV, HWADDR, PAYLOAD, L2HDR = 1, 5, 7, 9, 10, 20
GUEST, NODE = bytes.fromhex("025379000001"), bytes.fromhex("020000000001")


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(kind: int, *attributes: bytes) -> bytes:
    body = struct.pack("!BBH", 0, 0, 42) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def number(value: int) -> bytes:
    return struct.pack("!I", value)


def header(value: int) -> bytes:
    return attribute(HDR, number(value) + b"\x08\x00\x01")


def hardware(mac: bytes) -> bytes:
    return attribute(HWADDR, struct.pack("!HH", len(mac), 0) + mac + bytes(2))


def read(*messages: bytes) -> list[Queued]:
    return list(nfqueue.parse(b"".join(messages)))


def test_a_packet_of_a_routed_tap_is_read() -> None:
    sent = message(PACKET, header(7), attribute(INDEV, number(3)), hardware(GUEST), attribute(PAYLOAD, b"E12345"))
    assert read(sent) == [Queued(7, 3, GUEST, b"E12345")]


def test_of_a_bridge_the_port_counts() -> None:
    sent = message(PACKET, header(7), attribute(INDEV, number(3)), attribute(PHYSINDEV, number(9)))
    assert read(sent) == [Queued(7, 9, b"", b"")]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_bridge_s_own_header_wins_over_the_hardware_address(order: tuple[int, int]) -> None:
    parts = (hardware(NODE), attribute(L2HDR, b"\xff" * 6 + GUEST + b"\x08\x00"))
    assert read(message(PACKET, header(1), *(parts[at] for at in order)))[0].source == GUEST


def test_flags_of_an_attribute_s_type_are_passed_over() -> None:
    sent = message(PACKET, header(1), attribute(PAYLOAD | 0x8000, b"E"))
    assert read(sent) == [Queued(1, 0, b"", b"E")]


def test_several_in_one_read_are_all_given_and_other_messages_are_not() -> None:
    # five bytes of payload: the next message begins at the next multiple of four
    first = message(PACKET, header(1), struct.pack("=HH", 9, PAYLOAD) + b"E1234")
    found = read(first + bytes(3), message(CONFIG, header(5)), message(PACKET, header(2)))
    assert [each.number for each in found] == [1, 2]


def test_a_packet_without_a_number_can_get_no_verdict_and_is_left() -> None:
    assert read(message(PACKET, attribute(PAYLOAD, b"E"))) == []


def test_lengths_that_lead_nowhere_end_the_read() -> None:
    assert read(struct.pack("=IHHII", 0, PACKET, 0, 0, 0) * 2) == []
    assert read(message(PACKET, header(1), struct.pack("=HH", 0, PAYLOAD))) == [Queued(1, 0, b"", b"")]


class FakeSocket:
    """The kernel's end: keeps what is sent, and says of each configuration what `answers` has, then success."""

    def __init__(self, answers: list[bytes]) -> None:
        self.answers, self.sent, self.options, self.closed = answers, list[bytes](), dict[tuple[int, int], int](), False
        self.incoming: list[bytes | OSError] = []

    def settimeout(self, _seconds: float) -> None: ...
    def setblocking(self, _blocking: bool) -> None: ...
    def bind(self, _address: object) -> None: ...

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options[level, option] = value

    def send(self, data: bytes) -> int:
        self.sent.append(data)
        return len(data)

    def recv(self, _size: int) -> bytes:
        if self.incoming:
            each = self.incoming.pop(0)
            if isinstance(each, OSError):
                raise each
            return each
        return self.answers.pop(0) if self.answers else result(0)

    def close(self) -> None:
        self.closed = True


def result(code: int) -> bytes:
    return struct.pack("=IHHIIi", 36, ERROR, 0, 0, 0, -code) + bytes(16)


Maker = Callable[..., tuple[Queue, FakeSocket]]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Maker:
    """A queue 42 of 64 packets, whose socket is a fake."""

    def make(*answers: bytes) -> tuple[Queue, FakeSocket]:
        fake = FakeSocket(list(answers))
        monkeypatch.setattr(socket, "socket", lambda *_arguments: fake)
        return Queue(42, length=64), fake

    return make


def configured(sent: bytes) -> tuple[int, bytes]:
    """The first attribute of a configuration of queue 42."""
    length, kind, flags, _sequence, _port, _family, _version, queue = struct.unpack_from("=IHHIIBBH", sent)
    assert (length, kind, flags, socket.ntohs(queue)) == (len(sent), CONFIG, 5, 42)
    size, attribute_kind = struct.unpack_from("=HH", sent, 20)
    return attribute_kind, sent[24 : 20 + size]


def test_a_queue_is_bound_told_to_copy_and_limited(opened: Maker) -> None:
    _, kernel = opened()
    assert [configured(each) for each in kernel.sent] == [
        (1, b"\x01\x00\x00\x00"),
        (2, b"\x00\x00\xff\xff\x02"),
        (3, number(64)),
        (5, number(1)),
    ]
    # the mask goes along with the flag
    assert kernel.sent[3].endswith(attribute(4, number(1)))


def test_its_socket_has_room_for_the_queue_s_length(opened: Maker) -> None:
    _, kernel = opened()
    assert kernel.options[socket.SOL_SOCKET, 33] >= 64 * 1500


def test_a_queue_of_somebody_else_s_is_an_error_that_names_it(opened: Maker) -> None:
    with pytest.raises(PermissionError, match="queue 42"):
        opened(result(errno.EPERM))


def test_what_comes_while_it_is_set_up_passes(opened: Maker) -> None:
    _, kernel = opened(result(0), message(PACKET, header(9)), result(0))
    assert verdict(kernel.sent[2]) == (42, 1, 9)


def verdict(sent: bytes) -> tuple[int, int, int]:
    """A verdict's queue, what it is, and the packet's number."""
    length, kind, flags, _seq, _port, _family, _version, queue = struct.unpack_from("=IHHIIBBH", sent)
    assert (length, kind, flags) == (len(sent), VERDICT, 1)
    assert struct.unpack_from("=HH", sent, 20) == (12, 2)
    what, packet = struct.unpack_from("!II", sent, 24)
    return socket.ntohs(queue), what, packet


def test_verdicts_name_the_packet(opened: Maker) -> None:
    queue, kernel = opened()
    kernel.sent.clear()
    queue.accept(Queued(0x01020304, 3, GUEST, b""))
    queue.drop(Queued(5, 3, GUEST, b""))
    assert [verdict(each) for each in kernel.sent] == [(42, 1, 0x01020304), (42, 0, 5)]


def test_what_waits_is_read_up_to_a_limit_and_an_overflow_is_passed_over(opened: Maker) -> None:
    queue, kernel = opened()
    kernel.incoming = [
        OSError(errno.ENOBUFS, "full"),
        message(PACKET, header(1)),
        message(PACKET, header(2)),
        message(PACKET, header(3)),
    ]
    assert [each.number for each in queue.read(3)] == [1, 2]
    kernel.incoming.append(BlockingIOError())
    assert [each.number for each in queue.read(9)] == [3]


def test_another_error_is_raised(opened: Maker) -> None:
    queue, kernel = opened()
    kernel.incoming = [OSError(errno.EBADF, "bad")]
    with pytest.raises(OSError, match="bad"):
        list(queue.read(1))


def test_closing_gives_the_queue_back(opened: Maker) -> None:
    queue, kernel = opened()
    queue.close()
    assert kernel.closed
