"""Who may only watch has no hands."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.vncauthproxy.peers import at_leisure
from vncauthproxy.stream import Broken
from vncauthproxy.watching import Watcher

PASSED = [
    b"\0" * 4 + bytes(16),  # SetPixelFormat
    b"\2\0\0\0",  # SetEncodings, none
    b"\2\0\0\3" + struct.pack(">3i", 7, 0, -223),
    b"\3\1" + struct.pack(">4H", 1, 2, 3, 4),  # FramebufferUpdateRequest
    b"\x96\1" + struct.pack(">4H", 0, 0, 640, 480),  # EnableContinuousUpdates
    b"\xf8\0\0\0" + struct.pack(">IB", 1, 0),  # ClientFence
    b"\xf8\0\0\0" + struct.pack(">IB", 1, 4) + b"\4\5\6\4",
    b"\xff\1\0\0",  # QEMU audio: on, off, format
    b"\xff\1\0\1",
    b"\xff\1\0\2" + struct.pack(">BBI", 3, 2, 44100),
]
DROPPED = [
    b"\4\1\0\0\0\0\xff\x0d",  # KeyEvent
    b"\5\1\0\x10\0\x20",  # PointerEvent
    b"\6\0\0\0\0\0\0\0",  # ClientCutText, empty
    b"\6\0\0\0\0\0\0\5\4\4\4\4\4",
    b"\6\0\0\0" + struct.pack(">i", -8) + b"\0\0\0\1\5\5\5\5",  # the extended clipboard's
    b"\xfa\0\1\2",  # xvp: shut down
    b"\xfb\0" + struct.pack(">HHBB", 800, 600, 1, 0) + bytes(16),  # SetDesktopSize
    b"\xff\0" + struct.pack(">HII", 1, 0x61, 0x1E),  # QEMU's extended key event
]


def fed(data: bytes, cuts: list[int]) -> bytes:
    watcher = Watcher()
    passed = b""
    at = 0
    for cut in [*sorted(cuts), len(data)]:
        passed += watcher.passed(data[at : max(cut, at)])
        at = max(cut, at)
    return passed


@at_leisure
@given(
    messages=st.lists(st.sampled_from(PASSED + DROPPED), max_size=20), cuts=st.lists(st.integers(0, 200), max_size=30)
)
def test_what_does_something_is_dropped_wherever_the_network_cuts(messages: list[bytes], cuts: list[int]) -> None:
    said = b"\1" + b"".join(messages)
    assert fed(said, [cut for cut in cuts if cut <= len(said)]) == b"\1" + b"".join(
        each for each in messages if each in PASSED
    )


def test_watching_never_has_others_disconnected() -> None:
    assert Watcher().passed(b"\0") == b"\1"


def test_nothing_of_a_dropped_message_is_kept() -> None:
    watcher = Watcher()
    watcher.passed(b"\1\6\0\0\0" + struct.pack(">i", -(2**31)))
    for _ in range(64):
        assert watcher.passed(bytes(65536)) == b""
    assert len(vars(watcher)["_head"]) == 0


@pytest.mark.parametrize("message", [b"\1", b"\7", b"\x64", b"\xf9", b"\xfd", b"\xff\2", b"\xff\xff"])
def test_a_message_whose_end_is_unknown_is_the_end(message: bytes) -> None:
    watcher = Watcher()
    with pytest.raises(Broken, match="unknown type"):
        watcher.passed(b"\1" + PASSED[0] + message)


@at_leisure
@given(data=st.binary(max_size=300))
def test_no_key_and_no_pointer_comes_through_whatever_is_sent(data: bytes) -> None:
    """What passes is read as the console reads it, and has nothing in it that does something."""
    try:
        passed = Watcher().passed(b"\1" + data)
    except Broken:
        return
    again = Watcher()
    assert again.passed(passed) == passed
