"""How the API is asked, and which answers count."""

import asyncio
import contextlib
import hashlib
import hmac
from collections.abc import AsyncIterator

import pytest

from metadatad.api import Api, Failed
from metadatad.exchange import Answer
from metadatad.settings import MetadatadSettings

ID = "6f1b8bd0-1d3a-4a37-9c51-3a3f5f3ce001"
SECRET = "between-us"


def api(port: int, **more: object) -> Api:
    settings = {"api_seconds": 30.0, **more}
    return Api(
        MetadatadSettings(api_url=f"http://127.0.0.1:{port}", plain_http=True, secret=SECRET, **settings)  # type: ignore[arg-type]
    )


@contextlib.asynccontextmanager
async def answering(*pieces: bytes, hang: bool = False) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that keeps what it is asked, and says these bytes."""
    asked: list[bytes] = []
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if hang:
            await over.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        over.set()
        server.close()


def run(pieces: tuple[bytes, ...], *, hang: bool = False, **more: object) -> tuple[Answer, bytes]:
    async def all_of_it() -> tuple[Answer, bytes]:
        async with answering(*pieces, hang=hang) as (port, asked):
            answer = await api(port, **more).ask(ID, "/latest/user-data")
            return answer, asked[0]

    return asyncio.run(all_of_it())


def test_the_guest_is_named_and_signed_for() -> None:
    _, asked = run((b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",))
    lines = asked.decode().split("\r\n")
    assert lines[0] == "GET /metadata/latest/user-data HTTP/1.1"
    signature = hmac.new(SECRET.encode(), ID.encode(), hashlib.sha256).hexdigest()
    assert {f"X-Instance-ID: {ID}", f"X-Instance-ID-Signature: {signature}", "Connection: close"} <= set(lines)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 4\r\n\r\nbo", b"dy"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\n", b"body"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 4\r\n\r\nbody",),
    ],
)
def test_an_answer_is_read_in_each_of_its_forms(pieces: tuple[bytes, ...]) -> None:
    assert run(pieces)[0] == Answer(200, b"body", "a/b")


def test_nothing_there_is_an_answer_too() -> None:
    assert run((b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",))[0].status == 404


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ((b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",), "status 403"),
        ((b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",), "status 302"),
        ((b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n",), "status 503"),
        ((b"SSH-2.0-OpenSSH\r\n\r\n",), "no http"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody",), "no http"),
        ((b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300,), "too long"),
        ((), "no http"),
    ],
)
def test_any_other_answer_is_none(pieces: tuple[bytes, ...], reason: str) -> None:
    with pytest.raises(Failed, match=f"^{reason}$"):
        run(pieces, answer_size=256)


def test_an_api_that_does_not_come_to_an_end_is_given_up() -> None:
    with pytest.raises(Failed, match=r"^timeout$"):
        run((b"HTTP/1.1 200 OK\r\n",), hang=True, api_seconds=0.2)


def test_an_api_that_is_away_is_unreachable() -> None:
    async def nobody() -> int:
        async with answering() as (port, _):
            return port

    port = asyncio.run(nobody())
    with pytest.raises(Failed, match=r"^unreachable$"):
        asyncio.run(api(port).ask(ID, "/"))
