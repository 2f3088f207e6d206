"""A vncauthproxy in the test's own loop, with scripted consoles and viewers around it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from common.consoles import Forward, Granted, Kind
from lab import process
from tests.unit.vncauthproxy.peers import PATIENCE
from vncauthproxy import rfb
from vncauthproxy.service import Vncauthproxy
from vncauthproxy.settings import VncauthproxySettings

TOKEN = "t0ken"
V8 = b"RFB 003.008\n"

Script = Callable[["Visit"], Awaitable[None]]


@dataclass
class Visit:
    """A connection, from whichever side."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read(self, count: int) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readexactly(count)

    async def rest(self) -> bytes:
        """Everything up to the end; a connection that is reset has ended, too."""
        found = b""
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(ConnectionError):
                while more := await self.reader.read(65536):
                    found += more
        return found

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    def close(self) -> None:
        self.writer.close()

    async def closed(self) -> None:
        """Close, and wait for it."""
        self.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


class Console:
    """Listens as QEMU does without a password; each connection that is through its handshake comes to `visits`."""

    def __init__(self, script: Script | None = None) -> None:
        self.visits: asyncio.Queue[Visit] = asyncio.Queue()
        self.gone: asyncio.Queue[None] = asyncio.Queue()
        self._script = script
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, host: str = "127.0.0.1") -> int:
        self._server = await asyncio.start_server(self._serve, host, 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def visit(self) -> Visit:
        async with asyncio.timeout(PATIENCE):
            return await self.visits.get()

    def stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        visit = Visit(reader, writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if self._script is not None:
                await self._script(visit)
            else:
                visit.write(V8)
                await visit.read(12)
                visit.write(b"\1\1")
                await visit.read(1)
                visit.write(bytes(4))
                self.visits.put_nowait(visit)


class Bed:
    """The service, started; and what stands around it."""

    def __init__(self, **changes: object) -> None:
        first = process.free_port()
        wanted: dict[str, object] = {
            "control_port": 0,
            "plain_control": True,
            "token": TOKEN,
            "destinations": ("127.0.0.0/8",),
            "destination_ports": "1-65535",
            "host": "127.0.0.1",
            "ports": f"{first}-{first + 60}",
            "public_host": "127.0.0.1",
            "metrics_address": "",
            **changes,
        }
        self.settings = VncauthproxySettings(**wanted)  # type: ignore[arg-type]  # each is of its type
        self.service = Vncauthproxy(self.settings)
        self.console = Console()
        self.port = 0
        self.calls: list[Visit] = []

    def request(self, **more: object) -> Forward:
        wanted: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self.port,
            "kind": Kind.VNC,
            "seconds": 60.0,
            "server": "s1",
            "user": "u1",
            "project": "p1",
            "request_id": "req-1",
            **more,
        }
        return Forward(**wanted)  # type: ignore[arg-type]  # each is of its type

    async def forward(self, **more: object) -> Granted:
        return await self.service.forward(self.request(**more))

    async def call(self, way: Granted) -> Visit:
        """Connect as a viewer."""
        visit = Visit(*await asyncio.open_connection(way.host, way.port))
        self.calls.append(visit)
        return visit

    async def view(self, way: Granted, *, version: bytes = V8, secret: str | None = None) -> Visit:
        """Connect, and go through the handshake up to the challenge's response: SecurityResult is next."""
        visit = await self.call(way)
        await visit.read(12)
        visit.write(version)
        if version == b"RFB 003.003\n":
            assert await visit.read(4) == rfb.u32(2)
        else:
            assert await visit.read(2) == b"\1\2"
            visit.write(b"\2")
        visit.write(rfb.response(await visit.read(16), (secret or way.secret).encode()))
        return visit

    async def hang_up(self) -> None:
        """Close what viewers have left open."""
        for visit in self.calls:
            await visit.closed()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def bed(**changes: object) -> AsyncIterator[Bed]:
    """Start everything, and end it."""
    made = Bed(**changes)
    made.port = await made.console.start()
    await made.service.start()
    try:
        yield made
    finally:
        await made.hang_up()
        await made.service.stop()
        made.console.stop()
