"""The serial ports of simulated guests, as vncauthproxy reaches them."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.serial_ports import HOST, SerialPorts

_PATIENCE = 60


async def _ask(request: bytes, *, typed: bytes = b"", until: bytes = b"\r\n\r\n") -> bytes:
    ports = SerialPorts("t0ken")
    reader, writer = await asyncio.open_connection(HOST, await ports.start())
    writer.write(request)
    heard = await reader.readuntil(b"\r\n\r\n")
    if typed:
        writer.write(typed)
        heard += await reader.readuntil(until)
    writer.close()
    await ports.stop()
    return heard


def _run(request: str, *, typed: bytes = b"", until: bytes = b"") -> bytes:
    return asyncio.run(asyncio.wait_for(_ask(request.encode(), typed=typed, until=until), _PATIENCE))


def test_what_is_typed_comes_back() -> None:
    head = "GET /v1/console/syros-1 HTTP/1.1\r\nConnection: Upgrade\r\nAuthorization: Bearer t0ken\r\n\r\n"
    heard = _run(head, typed=b"uptime\r", until=b"uptime\r\n$ ")
    assert heard.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"syros-1 (simulated)" in heard


def test_a_line_ends_with_its_guest() -> None:
    async def run() -> None:
        ports = SerialPorts("t0ken")
        reader, writer = await asyncio.open_connection(HOST, await ports.start())
        writer.write(b"GET /v1/console/syros-1 HTTP/1.1\r\nAuthorization: Bearer t0ken\r\n\r\n")
        await reader.readuntil(b"$ ")
        ports.keep({"syros-1"})
        writer.write(b"ls\r")
        assert await reader.readuntil(b"$ ") == b"ls\r\n$ "
        ports.keep({"syros-2"})
        assert await reader.read() == b""
        writer.close()
        await ports.stop()

    asyncio.run(asyncio.wait_for(run(), _PATIENCE))


@pytest.mark.parametrize(
    "head",
    [
        "GET /v1/console/syros-1 HTTP/1.1\r\nAuthorization: Bearer other\r\n\r\n",
        "GET /v1/console/syros-1 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1/log/syros-1 HTTP/1.1\r\nAuthorization: Bearer t0ken\r\n\r\n",
    ],
)
def test_who_shows_no_token_or_wants_something_else_is_refused(head: str) -> None:
    assert _run(head).startswith(b"HTTP/1.1 401 ")
