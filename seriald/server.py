"""What the API asks of seriald: `GET /v1/log/NAME?length=LINES` over HTTP/1.1, and nothing else; one answer each."""

from __future__ import annotations

import asyncio
import hmac
import http
import logging
import re
import ssl
from collections.abc import Callable
from urllib.parse import parse_qs

from seriald import logfile

log = logging.getLogger(__name__)

_PATH = re.compile(r"/v1/log/([A-Za-z0-9][A-Za-z0-9._-]{0,199})")
_LENGTH = re.compile(r"[0-9]{1,9}")
_LONGEST_REQUEST = 8 * 1024
_PATIENCE = 10.0
_HANDSHAKE = 5.0
_MOST_CONNECTIONS = 64


class Server:
    """Serves the logs that `read` gives by a guest's name; None from it means that there is none."""

    def __init__(self, read: Callable[[str], bytes | None], *, token: str) -> None:
        self._read = read
        self._token = token.encode()
        self._server: asyncio.Server | None = None
        self._connections = 0

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
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections <= _MOST_CONNECTIONS:
                async with asyncio.timeout(_PATIENCE):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(answer(head, read=self._read, token=self._token))
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        except (asyncio.LimitOverrunError, asyncio.IncompleteReadError, TimeoutError, OSError) as err:
            log.info("request.broken", extra={"reason": repr(err)})
        finally:
            self._connections -= 1
            writer.transport.abort()


def answer(head: bytes, *, read: Callable[[str], bytes | None], token: bytes) -> bytes:
    """Answer a request's head, up to its empty line."""
    request, *lines = head.decode("latin-1").split("\r\n")
    words = request.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return _reply(http.HTTPStatus.BAD_REQUEST)
    method, target, _ = words
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(shown.strip().encode("latin-1"), token):
        return _reply(http.HTTPStatus.UNAUTHORIZED)
    if method != "GET":
        return _reply(http.HTTPStatus.METHOD_NOT_ALLOWED)
    path, _, query = target.partition("?")
    name = _PATH.fullmatch(path)
    if name is None:
        return _reply(http.HTTPStatus.NOT_FOUND)
    length = parse_qs(query).get("length", [""])[-1]
    if length and not _LENGTH.fullmatch(length):
        return _reply(http.HTTPStatus.BAD_REQUEST)
    found = read(name[1])
    if found is None:
        return _reply(http.HTTPStatus.NOT_FOUND)
    return _reply(http.HTTPStatus.OK, logfile.last_lines(found, int(length) if length else None))


def _reply(status: http.HTTPStatus, body: bytes = b"") -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/octet-stream\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
