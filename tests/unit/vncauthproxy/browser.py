"""A WebSocket client in so many bytes (RFC 6455), and none of the library that the proxy uses."""

from __future__ import annotations

import asyncio
import struct

from tests.unit.vncauthproxy.bed import Visit

#: section 1.3's key, and what a server makes of it
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = bytes((0x37, 0xFA, 0x21, 0x3D))


class Browser:
    """A connection to the proxy's front."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.head = ""
        self._ahead = b""

    @classmethod
    async def connect(cls, port: int, **tls: object) -> Browser:
        return cls(Visit(*await asyncio.open_connection("127.0.0.1", port, **tls)))  # type: ignore[arg-type]  # for ssl

    async def open(self, ticket: str | None, *, origin: str | None = None, protocol: str = "") -> int:
        """Ask for a WebSocket; give the status of the answer."""
        lines = [
            f"GET /websockify{f'?ticket={ticket}' if ticket is not None else ''} HTTP/1.1",
            "Host: console.example",
            "Upgrade: websocket",
            "Connection: keep-alive, Upgrade",
            f"Sec-WebSocket-Key: {KEY}",
            "Sec-WebSocket-Version: 13",
        ]
        lines += [f"Origin: {origin}"] if origin is not None else []
        lines += [f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []
        self.visit.write("\r\n".join([*lines, "", ""]).encode())
        self.head = (await self.visit.reader.readuntil(b"\r\n\r\n")).decode()
        return int(self.head.split(" ")[1])

    def send(self, data: bytes, *, opcode: int = BINARY, fin: bool = True) -> None:
        """Send a frame, masked as a client's have to be (section 5.3)."""
        size = len(data)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
        masked = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(data))
        self.visit.write(bytes([(0x80 if fin else 0) | opcode]) + length + MASK + masked)

    async def frame(self) -> tuple[int, bytes]:
        """Read a frame: its opcode and what it carries."""
        first, second = await self.visit.read(2)
        assert first & 0x80 and not second & 0x80
        size = second
        if second == 126:
            size = struct.unpack(">H", await self.visit.read(2))[0]
        elif second == 127:
            size = struct.unpack(">Q", await self.visit.read(8))[0]
        return first & 0x0F, await self.visit.read(size)

    async def read(self, count: int) -> bytes:
        """Read what binary frames carry. Raises ConnectionError for a close."""
        while len(self._ahead) < count:
            opcode, data = await self.frame()
            if opcode == CLOSE:
                raise ConnectionError(data)
            assert opcode == BINARY, (opcode, data)
            self._ahead += data
        found, self._ahead = self._ahead[:count], self._ahead[count:]
        return found

    async def closed(self) -> tuple[int, str]:
        """Read up to the close, and agree to it; give its code and reason."""
        while True:
            opcode, data = await self.frame()
            if opcode == CLOSE:
                self.send(data, opcode=CLOSE)
                assert await self.visit.rest() == b""
                return struct.unpack(">H", data[:2])[0], data[2:].decode()

    async def shake_hands(self) -> None:
        """RFB 3.8 without a password."""
        assert await self.read(12) == b"RFB 003.008\n"
        self.send(b"RFB 003.008\n")
        assert await self.read(2) == b"\1\1"
        self.send(b"\1")
        assert await self.read(4) == bytes(4)
