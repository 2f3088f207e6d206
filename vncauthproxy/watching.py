"""What a viewer who may only watch is let through to the console: its messages are cut out one by one (RFC 6143 7.5).

Keys, the pointer, the clipboard, the power buttons and the screen's size are dropped; the rest passes as it came. A
message may be cut anywhere by the network, and none is kept whole: what is dropped or passed is counted down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vncauthproxy.stream import Broken


@dataclass(frozen=True)
class _Message:
    passes: bool
    #: bytes that must be known to tell the length
    head: int
    length: Callable[[bytes], int]


def _fixed(passes: bool, length: int) -> _Message:
    return _Message(passes, 1, lambda _: length)


def _cut_text(head: bytes) -> int:
    # negative in the extended clipboard, whose length it then is
    return 8 + abs(int.from_bytes(head[4:8], "big", signed=True))


def _audio(head: bytes) -> int:
    # 2 sets the sample's format; 0 and 1 have no more to say
    return 10 if head[2:4] == b"\0\2" else 4


#: client-to-server messages by their first byte: RFC 6143 section 7.5, and the IANA registry's and the community's
_MESSAGES: dict[int, _Message] = {
    0: _fixed(True, 20),  # SetPixelFormat, 7.5.1
    2: _Message(True, 4, lambda head: 4 + 4 * int.from_bytes(head[2:4], "big")),  # SetEncodings, 7.5.2
    3: _fixed(True, 10),  # FramebufferUpdateRequest, 7.5.3
    4: _fixed(False, 8),  # KeyEvent, 7.5.4
    5: _fixed(False, 6),  # PointerEvent, 7.5.5
    6: _Message(False, 8, _cut_text),  # ClientCutText, 7.5.6
    150: _fixed(True, 10),  # EnableContinuousUpdates
    248: _Message(True, 9, lambda head: 9 + head[8]),  # ClientFence
    250: _fixed(False, 4),  # xvp: shut down, reboot, reset
    251: _Message(False, 8, lambda head: 8 + 16 * head[6]),  # SetDesktopSize
}
#: QEMU's, by their second byte
_QEMU = 255
_QEMU_MESSAGES: dict[int, _Message] = {
    0: _Message(False, 2, lambda _: 12),  # extended key event
    1: _Message(True, 4, _audio),  # audio
}
#: ClientInit, 7.3.1, with the shared-flag set
_SHARED = b"\1"


class Watcher:
    """The filter of one viewer, from ClientInit on."""

    def __init__(self) -> None:
        self._begun = False
        self._head = bytearray()
        self._left = 0
        self._passing = False

    def passed(self, data: bytes) -> bytes:
        """Give what passes of the bytes that came next. Raises Broken for a message whose end can't be known."""
        kept = bytearray()
        at = 0
        if not self._begun and data:
            # who watches never has those disconnected who work, which is what an exclusive ClientInit asks for
            self._begun = True
            kept += _SHARED
            at = 1
        while at < len(data):
            if self._left:
                taken = min(self._left, len(data) - at)
                if self._passing:
                    kept += data[at : at + taken]
                self._left -= taken
                at += taken
                continue
            self._head.append(data[at])
            at += 1
            message = self._message()
            if message is not None and len(self._head) >= message.head:
                self._left = message.length(bytes(self._head)) - len(self._head)
                self._passing = message.passes
                if self._passing:
                    kept += self._head
                self._head.clear()
        return bytes(kept)

    def _message(self) -> _Message | None:
        first = self._head[0]
        if first != _QEMU:
            known = _MESSAGES.get(first)
        elif len(self._head) < 2:
            return None
        else:
            known = _QEMU_MESSAGES.get(self._head[1])
        if known is None:
            raise Broken(f"a client message of the unknown type {'/'.join(map(str, self._head[:2]))}")
        return known
