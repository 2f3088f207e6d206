"""The serial ports of simulated guests: they greet, and send back what is typed, as a line's other end would.

They are reached as seriald's are: by HTTP, whose connection becomes raw bytes (docs/consoles.md).
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Collection

HOST = "127.0.0.1"
_REQUEST = re.compile(rb"GET /v1/console/([A-Za-z0-9._-]+) HTTP/1\.1\r\n")
_LONGEST_HEAD = 8192
_PATIENCE = 60.0
_GREETING = "{guest} (simulated): what you type comes back, and nothing reads it\r\n$ "
_PROMPT = b"\r\n$ "


class SerialPorts:
    """One port for all guests. Call everything within one running loop."""

    def __init__(self, token: str) -> None:
        self._token = token
        #: with the guest that each is at, once it is known
        self._viewers: dict[asyncio.Task[None], str] = {}

    async def start(self) -> int:
        """Listen; give the port."""
        self._server = await asyncio.start_server(self._serve, HOST, 0, limit=_LONGEST_HEAD)
        return int(self._server.sockets[0].getsockname()[1])

    def keep(self, guests: Collection[str]) -> None:
        """End what goes on at all other guests, as a guest that stops does."""
        for viewer, guest in self._viewers.items():
            if guest and guest not in guests:
                viewer.cancel()

    async def stop(self) -> None:
        """End all of them."""
        self._server.close()
        for viewer in list(self._viewers):
            viewer.cancel()
        await asyncio.gather(*self._viewers, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._viewers[task] = ""
            task.add_done_callback(self._viewers.pop)
        try:
            async with asyncio.timeout(_PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
            found = _REQUEST.match(head)
            shown = re.search(rb"\r\nauthorization: bearer (\S+)\r\n", head, re.IGNORECASE)
            if found is None or shown is None or not hmac.compare_digest(shown[1], self._token.encode()):
                writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
                return
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: syros-serial\r\n\r\n")
            guest = found[1].decode("ascii")
            if task is not None:
                self._viewers[task] = guest
            writer.write(_GREETING.format(guest=guest).encode())
            while typed := await reader.read(4096):
                writer.write(typed.replace(b"\r", _PROMPT))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            return  # it has left, or was no client of ours
        finally:
            writer.close()
