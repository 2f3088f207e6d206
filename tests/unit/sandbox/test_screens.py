"""The screens of simulated guests, as a VNC client sees them (RFC 6143)."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

from sandbox import font
from sandbox.screens import HOST, Screens
from sandbox.terminal import CELL_HEIGHT, COLUMNS, HEIGHT, ROWS, WIDTH, Terminal, dots

_PATIENCE = 60


class Viewer:
    """A client that keeps the rows that it was sent, as bytes of one for each dot."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.rows: dict[int, bytes] = {}
        self.name = ""

    async def enter(self) -> None:
        assert await self.reader.readexactly(12) == b"RFB 003.008\n"
        self.writer.write(b"RFB 003.008\n")
        assert await self.reader.readexactly(2) == b"\x01\x01"
        self.writer.write(b"\x01")
        assert await self.reader.readexactly(4) == bytes(4)
        self.writer.write(b"\x01")
        width, height, _, length = struct.unpack(">HH16sI", await self.reader.readexactly(24))
        assert (width, height) == (WIDTH, HEIGHT)
        self.name = (await self.reader.readexactly(length)).decode()
        # eight bits for each dot, all of them of the colour's red part
        self.writer.write(b"\x00\0\0\0" + struct.pack(">BBBBHHHBBB3x", 8, 8, 0, 1, 255, 0, 0, 0, 0, 0))
        self.writer.write(struct.pack(">BxHi", 2, 1, 0))

    async def update(self, *, incremental: bool) -> list[int]:
        """Ask for what is new; give the numbers of the rows that came."""
        self.writer.write(struct.pack(">BBHHHH", 3, incremental, 0, 0, WIDTH, HEIGHT))
        kind, count = struct.unpack(">BxH", await self.reader.readexactly(4))
        assert kind == 0
        came = []
        for _ in range(count):
            x, y, width, height, encoding = struct.unpack(">HHHHi", await self.reader.readexactly(12))
            assert (x, width, height, encoding) == (0, WIDTH, CELL_HEIGHT, 0)
            came.append(y // CELL_HEIGHT)
            self.rows[came[-1]] = await self.reader.readexactly(width * height)
        return came

    def type(self, text: str) -> None:
        for character in text:
            for down in (1, 0):
                self.writer.write(struct.pack(">BBxxI", 4, down, 0xFF0D if character == "\n" else ord(character)))

    def shows(self, text: str) -> bool:
        light, dark = bytes((222,)), bytes((16,))
        return dots(text, light=light, dark=dark) in self.rows.values()

    async def until(self, text: str) -> None:
        while not self.shows(text):
            await self.update(incremental=True)


@contextlib.asynccontextmanager
async def viewing(port: int) -> AsyncIterator[Viewer]:
    reader, writer = await asyncio.open_connection(HOST, port)
    viewer = Viewer(reader, writer)
    await viewer.enter()
    yield viewer
    writer.close()


def test_a_screen_says_whose_it_is_and_what_is_typed() -> None:
    async def run() -> None:
        screens = Screens()
        port = await screens.port("syros-1", "web1")
        async with viewing(port) as first, viewing(port) as second:
            assert first.name == "web1"
            assert len(await first.update(incremental=False)) == ROWS
            assert first.shows("server   web1")
            assert first.shows("$ _")
            await second.update(incremental=False)
            first.type("uptime")
            await first.until("$ uptime_")
            await second.until("$ uptime_")
            first.type("\nx")
            await second.until("$ x_")
            assert second.shows("$ uptime")
        assert await screens.port("syros-1", "web1") == port
        assert await screens.port("syros-2", "web2") != port
        await screens.stop()

    asyncio.run(asyncio.wait_for(run(), _PATIENCE))


def test_a_screen_ends_with_its_guest_and_is_a_new_one_when_it_runs_again() -> None:
    async def run() -> None:
        screens = Screens()
        async with (
            viewing(await screens.port("syros-1", "web1")) as stopped,
            viewing(await screens.port("syros-2", "web2")) as running,
        ):
            screens.keep({"syros-2"})
            assert await stopped.reader.read() == b""
            assert len(await running.update(incremental=False)) == ROWS
        async with viewing(await screens.port("syros-1", "web1")) as again:
            assert len(await again.update(incremental=False)) == ROWS
        await screens.stop()

    asyncio.run(asyncio.wait_for(run(), _PATIENCE))


def test_a_message_that_no_client_sends_ends_the_connection() -> None:
    async def run() -> None:
        screens = Screens()
        async with viewing(await screens.port("syros-1", "web1")) as viewer:
            viewer.writer.write(b"\xc8")
            assert await viewer.reader.read() == b""
        await screens.stop()

    asyncio.run(asyncio.wait_for(run(), _PATIENCE))


def test_a_screen_that_is_full_moves_up() -> None:
    terminal = Terminal("web1", "syros-1")
    before = terminal.row(1), terminal.row(2)
    for _ in range(ROWS):
        terminal.press(0xFF0D)
    assert len(terminal.lines) == ROWS
    assert terminal.row(ROWS - 1) == "$ _"
    assert (terminal.row(1), terminal.row(2)) != before
    assert set(terminal.changed) == {terminal.latest}


def test_what_is_typed_can_be_taken_back_but_not_the_prompt() -> None:
    terminal = Terminal("web1", "syros-1")
    for key in (ord("a"), 0xFF08, 0xFF08, 0xFFE1, ord("b")):
        terminal.press(key)
    assert terminal.lines[-1] == "$ b"


def test_a_line_goes_no_further_than_the_screen() -> None:
    terminal = Terminal("n" * 255, "g" * 64)
    for _ in range(COLUMNS + 9):
        terminal.press(ord("w"))
    for number in range(ROWS):
        assert len(dots(terminal.row(number), light=b"1", dark=b"0")) == WIDTH * CELL_HEIGHT


def test_every_printable_character_has_a_picture_of_its_own() -> None:
    pictures = font.pictures()
    assert sorted(pictures) == [chr(code) for code in range(0x20, 0x7F)]
    assert len(set(pictures.values())) == len(pictures)
    assert {len(rows) for rows in pictures.values()} == {font.HEIGHT}
    assert all(0 <= row < 1 << font.WIDTH for rows in pictures.values() for row in rows)
