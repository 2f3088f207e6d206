"""Serial ports: what may answer for seriald when the viewer has come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from common.consoles import Granted, Kind, Protocol
from tests.unit.vncauthproxy import browser
from tests.unit.vncauthproxy.bed import Bed, Visit
from tests.unit.vncauthproxy.browser import Browser
from tests.unit.vncauthproxy.peers import run
from tests.unit.vncauthproxy.test_websocket import connect, web
from vncauthproxy.control import Denied

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: syros-serial\r\n\r\n"


class Seriald:
    """Answers the first connection well, and those after it as it is told; all that have asked come to `visits`."""

    def __init__(self, made: Bed, answers: bytes | None) -> None:
        self.visits: asyncio.Queue[Visit] = asyncio.Queue()
        self.asked: list[str] = []
        self._answers = answers
        made.console._script = self._answer

    async def _answer(self, visit: Visit) -> None:
        self.asked.append((await visit.reader.readuntil(b"\r\n\r\n")).decode())
        answer = SWITCHED if len(self.asked) == 1 else self._answers
        if answer is not None:
            visit.write(answer)
        self.visits.put_nowait(visit)


@contextlib.asynccontextmanager
async def serial(answers: bytes | None, **changes: object) -> AsyncIterator[tuple[Bed, Seriald, Granted]]:
    """A session that is granted, and the seriald that its viewer comes to."""
    async with web(plain_serial=True, serial_ports="1-65535", **changes) as made:
        seriald = Seriald(made, answers)
        way = await made.forward(
            kind=Kind.WEBSOCKET, protocol=Protocol.SERIAL, guest="syros-1", console_password="t0ken"
        )
        checked = await seriald.visits.get()
        # nothing is kept of the check
        assert await checked.rest() == b""
        yield made, seriald, way


async def come(made: Bed, way: Granted) -> Browser:
    viewer = await connect(made)
    assert await viewer.open(way.secret, protocol="binary") == 101
    return viewer


def reasons(made: Bed) -> list[str]:
    return [each.reason for each in made.service.history(0, "").sessions]


def test_what_comes_with_the_answer_is_the_guest_s() -> None:
    async def test() -> None:
        async with serial(SWITCHED + b"login: ") as (made, seriald, way):
            viewer = await come(made, way)
            # typed before the port is there
            viewer.send(b"root\n", opcode=browser.TEXT)
            assert await viewer.read(7) == b"login: "
            visit = await seriald.visits.get()
            assert await visit.read(5) == b"root\n"
            (listed,) = made.service.sessions()
            assert (listed.protocol, listed.shown, listed.typed) == (Protocol.SERIAL, 7, 5)
            visit.close()
            assert await viewer.closed() == (1000, "the console was closed")
            for asked in seriald.asked:
                assert asked.startswith("GET /v1/console/syros-1 HTTP/1.1\r\n")
                assert "authorization: bearer t0ken\r\n" in asked.lower()
                assert "upgrade: syros-serial\r\n" in asked.lower()

    run(test())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 999 What\r\n\r\n",
        SWITCHED.replace(b"syros-serial", b"h2c"),
        b"RFB 003.008\n\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"y" * 9000,
        None,
    ],
    ids=["gone", "no upgrade", "no status", "other protocol", "no http", "endless", "silent"],
)
def test_a_port_that_can_t_be_had_any_more_is_told(answer: bytes | None) -> None:
    async def test() -> None:
        async with serial(answer, console_seconds=0.3 if answer is None else 30.0) as (made, _, way):
            viewer = await come(made, way)
            assert await viewer.closed() == (1014, "the console can't be reached")
            assert reasons(made) == ["console_unreachable"]

    run(test())


def test_the_end_of_a_session_whose_port_is_being_reached_is_told() -> None:
    async def test() -> None:
        async with serial(None) as (made, seriald, way):
            viewer = await come(made, way)
            reached = await seriald.visits.get()
            made.service.kill(session=way.session, server=None, user=None, project=None)
            assert await viewer.closed() == (1000, "the session was ended by the operator")
            assert await reached.rest() == b""

    run(test())


def test_a_viewer_who_leaves_while_the_port_is_reached_leaves_nothing() -> None:
    async def test() -> None:
        async with serial(None, console_seconds=0.3) as (made, seriald, way):
            viewer = await come(made, way)
            reached = await seriald.visits.get()
            viewer.visit.writer.transport.abort()
            assert await reached.rest() == b""
            await made.until(lambda: not made.service.sessions())

    run(test())


def test_text_that_is_none_ends_the_session() -> None:
    async def test() -> None:
        async with serial(SWITCHED) as (made, seriald, way):
            viewer = await come(made, way)
            visit = await seriald.visits.get()
            # one character in two frames, and then half of one
            viewer.send(b"\xc3", opcode=browser.TEXT, fin=False)
            viewer.send(b"\xbc", opcode=browser.CONTINUATION)
            assert await visit.read(2) == "\u00fc".encode()
            viewer.send(b"\xc3", opcode=browser.TEXT)
            assert (await viewer.closed())[0] == 1007

    run(test())


@pytest.mark.parametrize("token", ["a\rb", "x\r\ny: z"])
def test_a_token_that_is_no_header_is_not_sent(token: str) -> None:
    async def test() -> None:
        async with web(plain_serial=True, serial_ports="1-65535") as made:
            seriald = Seriald(made, None)
            with pytest.raises(Denied, match="can't be sent by HTTP"):
                await made.forward(
                    kind=Kind.WEBSOCKET, protocol=Protocol.SERIAL, guest="syros-1", console_password=token
                )
            assert seriald.asked == []

    run(test())
