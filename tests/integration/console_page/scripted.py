"""A console that a test scripts, at the end of a WebSocket: an RFB server with one picture (RFC 6143).

It speaks what QEMU does of extended key events, writes down which keys came, and closes when and as it is told to.
"""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

_EXTENDED_KEYS = -258
_LENGTHS = {0: 20, 3: 10, 4: 8, 5: 6}
_WIDTH, _HEIGHT = 720, 400


@dataclass(frozen=True)
class Key:
    """A key as it came: QEMU's scancode, 0 without the extension."""

    down: bool
    keysym: int
    scancode: int


class ScriptedConsole:
    """`url` is where it is; `grant` gives that to the exchange."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        #: whether viewers are answered at all
        self.silent = False
        #: what the next viewers are told instead of anything else: a code and a reason
        self.refusals: list[tuple[int, str]] = []
        self.connections: list[ServerConnection] = []
        self._server = serve(self._serve, "127.0.0.1", 0)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.origin = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def grant(self, _view_only: bool) -> str:
        return f"{self.origin}/?ticket=t"

    def close(self, code: int, reason: str = "") -> None:
        """End the newest session."""
        self.connections[-1].close(code, reason)

    def cut(self) -> None:
        """End it as a broken network does."""
        self.connections[-1].socket.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()

    def _serve(self, connection: ServerConnection) -> None:
        if self.refusals:
            connection.close(*self.refusals.pop(0))
            return
        try:
            self._speak(_Wire(connection), connection)
        except ConnectionClosed:
            return

    def _speak(self, wire: _Wire, connection: ServerConnection) -> None:
        if self.silent:
            wire.read(1)
        connection.send(b"RFB 003.008\n")
        wire.read(12)
        connection.send(b"\x01\x01")
        wire.read(1)
        connection.send(struct.pack(">I", 0))
        wire.read(1)
        pixels = struct.pack(">BBBBHHHBBBxxx", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
        name = b"scripted"
        # before the page can be connected by it
        self.connections.append(connection)
        connection.send(struct.pack(">HH", _WIDTH, _HEIGHT) + pixels + struct.pack(">I", len(name)) + name)
        painted = False
        while True:
            (kind,) = wire.read(1)
            if kind == 2:
                (count,) = struct.unpack(">xH", wire.read(3))
                encodings = struct.unpack(f">{count}i", wire.read(4 * count))
                if _EXTENDED_KEYS in encodings:
                    connection.send(struct.pack(">BxHHHHHi", 0, 1, 0, 0, 0, 0, _EXTENDED_KEYS))
            elif kind == 3:
                wire.read(9)
                if not painted:
                    connection.send(_picture())
                    painted = True
            elif kind == 4:
                down, keysym = struct.unpack(">BxxI", wire.read(7))
                self.keys.append(Key(bool(down), keysym, 0))
            elif kind == 6:
                (length,) = struct.unpack(">xxxi", wire.read(7))
                wire.read(abs(length))
            elif kind == 255:
                down, keysym, scancode = struct.unpack(">xHII", wire.read(11))
                self.keys.append(Key(bool(down), keysym, scancode))
            else:
                wire.read(_LENGTHS[kind] - 1)


class _Wire:
    """Bytes of a WebSocket's frames, as many as are wanted."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._ahead = b""

    def read(self, count: int) -> bytes:
        while len(self._ahead) < count:
            came = self._connection.recv()
            assert isinstance(came, bytes)
            self._ahead += came
        found, self._ahead = self._ahead[:count], self._ahead[count:]
        return found


def _picture() -> bytes:
    """One update of the whole: stripes, in the form that noVNC asks for, red first."""
    rows = ((b"\x20\x30\x40\0" if row // 20 % 2 else b"\x10\x20\x30\0") * _WIDTH for row in range(_HEIGHT))
    return struct.pack(">BxHHHHHi", 0, 1, 0, 0, _WIDTH, _HEIGHT, 0) + b"".join(rows)
