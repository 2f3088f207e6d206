"""What seriald serves over HTTP/1.1, one request a connection: logs, and the serial ports themselves."""

from __future__ import annotations

import asyncio
import http
import logging
import ssl
from collections.abc import Callable

from common import keepalive
from seriald import logfile, request
from seriald.port import Full, Port
from seriald.request import Console, Refused

log = logging.getLogger(__name__)

_LONGEST_REQUEST = 8 * 1024
_PIECE = 64 * 1024
_PATIENCE = 10.0
_HANDSHAKE = 5.0
#: that have not got their answer
_MOST_CONNECTIONS = 64
#: seconds for what was shown to be sent when seriald is stopped
_GRACE = 2.0


class Server:
    """Serves the logs that `read` gives by a guest's name, and the ports that `port` gives; None is for none."""

    def __init__(self, read: Callable[[str], bytes | None], port: Callable[[str], Port | None], *, token: str) -> None:
        self._read = read
        self._port = port
        self._token = token.encode()
        self._server: asyncio.Server | None = None
        self._asking = 0
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen; give the port."""
        self._server = await asyncio.start_server(
            self._serve,
            host or None,
            port,
            limit=_LONGEST_REQUEST,
            ssl=tls,
            ssl_handshake_timeout=_HANDSHAKE if tls else None,
            ssl_shutdown_timeout=1.0 if tls else None,
        )
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Hear no more."""
        if self._server is not None:
            self._server.close()

    async def ended(self) -> None:
        """Return when all are gone who were served; who does not take the last bytes is cut off."""
        if self._serving:
            _, late = await asyncio.wait(self._serving, timeout=_GRACE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # asyncio serves in tasks
        self._serving.add(task)
        try:
            viewer = await self._ask(reader, writer)
            if viewer is not None:
                await viewer.relay(reader)
        except (asyncio.LimitOverrunError, asyncio.IncompleteReadError, TimeoutError, OSError) as err:
            log.info("request.broken", extra={"reason": repr(err)})
        except asyncio.CancelledError:
            # stopped: asyncio would call it an error
            pass
        finally:
            self._serving.discard(task)
            writer.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> RemoteViewer | None:
        """Answer a request; give who has joined a console by it."""
        if self._asking >= _MOST_CONNECTIONS:
            return None
        self._asking += 1
        try:
            async with asyncio.timeout(_PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                try:
                    asked = request.read(head, token=self._token)
                    if isinstance(asked, Console):
                        return self._join(asked.guest, writer)
                    writer.write(_logged(self._read(asked.guest), asked.lines))
                except Refused as no:
                    writer.write(reply(no.status, str(no).encode("ascii"), **no.headers))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        finally:
            self._asking -= 1
        return None

    def _join(self, guest: str, writer: asyncio.StreamWriter) -> RemoteViewer:
        port = self._port(guest)
        if port is None:
            raise Refused(http.HTTPStatus.NOT_FOUND)
        viewer = RemoteViewer(port, writer)
        try:
            port.join(viewer)
        except Full as err:
            raise Refused(http.HTTPStatus.SERVICE_UNAVAILABLE, str(err)) from err
        # nothing that the guest prints can have come before
        writer.write(reply(http.HTTPStatus.SWITCHING_PROTOCOLS, Connection="Upgrade", Upgrade=request.UPGRADE))
        keepalive.set_up(writer.transport)
        log.info("console.opened", extra={"guest": guest, "peer": str(writer.get_extra_info("peername"))})
        return viewer


class RemoteViewer:
    """Somebody at a serial port, by the network."""

    def __init__(self, port: Port, writer: asyncio.StreamWriter) -> None:
        self._port = port
        self._writer = writer

    async def relay(self, reader: asyncio.StreamReader) -> None:
        """Have the guest be sent what is typed, until one of both ends."""
        try:
            while data := await reader.read(_PIECE):
                self._port.type(data)
        finally:
            self._port.left(self)

    # port.Viewer

    def show(self, data: bytes, *, most: int) -> None:
        if self._writer.transport.is_closing():
            return
        self._writer.write(data)
        if self._writer.transport.get_write_buffer_size() > most:
            self._writer.transport.abort()

    def leave(self) -> None:
        self._writer.close()


def _logged(found: bytes | None, lines: int | None) -> bytes:
    if found is None:
        raise Refused(http.HTTPStatus.NOT_FOUND)
    return reply(http.HTTPStatus.OK, logfile.last_lines(found, lines))


def reply(status: http.HTTPStatus, body: bytes | None = None, **headers: str) -> bytes:
    """Give an answer; one without a body is the last that is said by HTTP."""
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    if body is not None:
        lines += ["Content-Type: application/octet-stream", f"Content-Length: {len(body)}", "Cache-Control: no-store"]
        lines += ["Connection: close"] if "Connection" not in headers else []
    return "\r\n".join([*lines, "", ""]).encode("ascii") + (body or b"")
