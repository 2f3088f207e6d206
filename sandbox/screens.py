"""The screens of simulated guests: a scripted VNC server (RFC 6143) for each, at a port of its own on loopback.

It asks for no password, sends raw rectangles of the rows that have changed, and shows one screen to all its viewers.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Collection
from dataclasses import dataclass

from sandbox.terminal import CELL_HEIGHT, HEIGHT, ROWS, WIDTH, Terminal, dots

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
_VERSION = b"RFB 003.008\n"
_NO_AUTHENTICATION = 1
#: bits, depth, big-endian, true colour, greatest red, green and blue, their shifts (RFC 6143 section 7.4)
_PIXELS = struct.Struct(">BBBBHHHBBB3x")
_OURS = _PIXELS.pack(32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
_LIGHT, _DARK = (222, 226, 230), (16, 24, 32)
_PATIENCE = 60.0

# messages of clients, RFC 6143 section 7.5, with their lengths after the type; the last two say how long they are
_SET_PIXEL_FORMAT, _SET_ENCODINGS, _UPDATE_REQUEST, _KEY, _POINTER, _CUT_TEXT = 0, 2, 3, 4, 5, 6


class Screens:
    """Call everything within one running loop."""

    def __init__(self) -> None:
        self._served: dict[str, tuple[asyncio.Server, int]] = {}
        #: with the guest that each is at
        self._viewers: dict[asyncio.Task[None], str] = {}

    async def port(self, guest: str, name: str) -> int:
        """Give the port of a guest's screen, which is there from the first time that it is asked for."""
        if guest not in self._served:
            terminal, turned = Terminal(name, guest), asyncio.Condition()

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                task = asyncio.current_task()
                if task is not None:
                    self._viewers[task] = guest
                    task.add_done_callback(self._viewers.pop)
                await _Viewer(terminal, turned, reader, writer).run()

            server = await asyncio.start_server(serve, HOST, 0)
            self._served[guest] = server, int(server.sockets[0].getsockname()[1])
        return self._served[guest][1]

    def keep(self, guests: Collection[str]) -> None:
        """End the screens of all other guests, as a guest that stops does; one that starts again has a new one."""
        for guest in self._served.keys() - set(guests):
            server, _ = self._served.pop(guest)
            server.close()
        for viewer, guest in self._viewers.items():
            if guest not in guests:
                viewer.cancel()

    async def stop(self) -> None:
        """End all of them."""
        viewers = list(self._viewers)
        self.keep(())
        await asyncio.gather(*viewers, return_exceptions=True)


@dataclass(frozen=True)
class _Colours:
    """The two pixels that a screen is made of, as a viewer wants them."""

    light: bytes
    dark: bytes

    @classmethod
    def of(cls, form: bytes) -> _Colours:
        numbers: tuple[int, ...] = _PIXELS.unpack(form)
        bits, _, big_endian = numbers[:3]
        greatest, shifts = numbers[4:7], numbers[7:]

        def pixel(colour: tuple[int, int, int]) -> bytes:
            value = sum(part * most // 255 << shift for part, most, shift in zip(colour, greatest, shifts, strict=True))
            return (value & (1 << bits) - 1).to_bytes(bits // 8, "big" if big_endian else "little")

        return cls(pixel(_LIGHT), pixel(_DARK))


class _Viewer:
    def __init__(
        self,
        terminal: Terminal,
        turned: asyncio.Condition,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._terminal = terminal
        self._turned = turned
        self._reader = reader
        self._writer = writer
        self._colours = _Colours.of(_OURS)
        #: up to which change it has seen the screen
        self._seen = 0
        self._wants = False

    async def run(self) -> None:
        sending: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._shake_hands()
            sending = asyncio.create_task(self._send())
            while True:
                await self._hear()
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError) as err:
            log.debug("screen.left", extra={"server": self._terminal.name, "reason": str(err)})
        finally:
            if sending is not None:
                sending.cancel()
            self._writer.close()

    async def _shake_hands(self) -> None:
        self._writer.write(_VERSION)
        await self._reader.readexactly(len(_VERSION))
        self._writer.write(bytes((1, _NO_AUTHENTICATION)))
        await self._reader.readexactly(1)
        self._writer.write(bytes(4))
        await self._reader.readexactly(1)  # whether others may stay: they do
        name = self._terminal.name.encode()
        self._writer.write(struct.pack(">HH", WIDTH, HEIGHT) + _OURS + struct.pack(">I", len(name)) + name)

    async def _hear(self) -> None:
        (kind,) = await self._reader.readexactly(1)
        if kind == _SET_PIXEL_FORMAT:
            self._colours = _Colours.of((await self._reader.readexactly(19))[3:])
            self._seen = 0
        elif kind == _SET_ENCODINGS:
            (count,) = struct.unpack(">xH", await self._reader.readexactly(3))
            await self._reader.readexactly(4 * count)
        elif kind == _UPDATE_REQUEST:
            (incremental,) = struct.unpack(">B8x", await self._reader.readexactly(9))
            if not incremental:
                self._seen = 0
            self._wants = True
            await self._tell()
        elif kind == _KEY:
            down, keysym = struct.unpack(">B2xI", await self._reader.readexactly(7))
            if down:
                self._terminal.press(keysym)
                await self._tell()
        elif kind == _POINTER:
            await self._reader.readexactly(5)
        elif kind == _CUT_TEXT:
            (length,) = struct.unpack(">3xI", await self._reader.readexactly(7))
            await self._reader.readexactly(min(length, 1 << 20))
        else:
            raise ValueError(f"a message of type {kind}")

    async def _tell(self) -> None:
        async with self._turned:
            self._turned.notify_all()

    async def _send(self) -> None:
        while True:
            async with self._turned:
                await self._turned.wait_for(lambda: self._wants and self._seen < self._terminal.latest)
                update = self._update()
            self._writer.write(update)
            await self._writer.drain()

    def _update(self) -> bytes:
        """Give what the viewer has not seen yet, a rectangle for each row of text."""
        rows = [number for number in range(ROWS) if self._terminal.changed[number] > self._seen]
        self._seen, self._wants = self._terminal.latest, False
        parts = [struct.pack(">BxH", 0, len(rows))]
        for number in rows:
            parts.append(struct.pack(">HHHHi", 0, number * CELL_HEIGHT, WIDTH, CELL_HEIGHT, 0))
            text = self._terminal.row(number)
            parts.append(dots(text, light=self._colours.light, dark=self._colours.dark))
        return b"".join(parts)
