"""Browsers: their tickets, and what becomes of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.consoles import BadField, Granted, Kind
from tests.unit.vncauthproxy import browser
from tests.unit.vncauthproxy.bed import Bed, Visit, bed
from tests.unit.vncauthproxy.browser import Browser
from tests.unit.vncauthproxy.peers import at_leisure, run

PAGE = "https://console.example"
REFUSED = (4403, "this ticket is unknown, used or expired")


@contextlib.asynccontextmanager
async def web(**changes: object) -> AsyncIterator[Bed]:
    """A proxy that serves browsers."""
    told: dict[str, object] = {
        "public_url": "ws://console.example/", "plain_web": True, "web_host": "127.0.0.1", "web_port": 0,
        "origins": (PAGE,), **changes,
    }  # fmt: skip
    async with bed(**told) as made:
        yield made


async def grant(made: Bed, **more: object) -> Granted:
    return await made.forward(kind=Kind.WEBSOCKET, **more)


async def connect(made: Bed) -> Browser:
    found = await Browser.connect(made.service.web_port)
    made.calls.append(found.visit)
    return found


async def opened(made: Bed, way: Granted) -> tuple[Browser, Visit]:
    """A browser that has come to its console, and the console's side."""
    found = await connect(made)
    assert await found.open(way.secret, origin=PAGE) == 101
    await found.shake_hands()
    return found, await made.console.visit()


def test_a_ticket_leads_to_its_console_and_bytes_go_both_ways() -> None:
    async def test() -> None:
        async with web() as made:
            way = await grant(made)
            assert (way.url, way.host, way.port) == ("ws://console.example/", "", 0)
            viewer, console = await opened(made, way)
            assert browser.ACCEPT in viewer.head
            assert "Sec-WebSocket-Protocol" not in viewer.head
            viewer.send(b"\1")
            assert await console.read(1) == b"\1"
            sent = os.urandom(300_000)
            console.write(sent)
            assert await viewer.read(len(sent)) == sent
            # a message in fragments, with a ping between them
            viewer.send(b"abc", fin=False)
            viewer.send(b"still there?", opcode=browser.PING)
            viewer.send(b"def", opcode=browser.CONTINUATION)
            assert await console.read(6) == b"abcdef"
            assert await viewer.frame() == (browser.PONG, b"still there?")
            (listed,) = made.service.sessions()
            assert (listed.kind, listed.viewer) == (Kind.WEBSOCKET, "127.0.0.1")
            console.close()
            assert await viewer.closed() == (1000, "the console was closed")

    run(test())


@pytest.mark.parametrize("frame", [b"\x80\x80" + browser.MASK, b"\xff\xff", b"\x82\x01a"])
def test_what_is_no_frame_and_comes_ahead_of_the_answer_ends_in_good_order(frame: bytes) -> None:
    async def test() -> None:
        async with web() as made:
            viewer = await connect(made)
            # it was written before, and is sent with it
            opening = asyncio.create_task(viewer.open((await grant(made)).secret))
            await asyncio.sleep(0)
            viewer.visit.write(frame)
            assert await opening == 101
            with pytest.raises(ConnectionError) as caught:
                await viewer.read(1000)
            # 1002, a protocol error
            assert caught.value.args[0][:2] == b"\3\xea"
            await made.until(lambda: not made.service.sessions())

    run(test())


def test_who_asks_for_the_old_name_of_the_protocol_gets_it() -> None:
    async def test() -> None:
        async with web() as made:
            viewer = await connect(made)
            assert await viewer.open((await grant(made)).secret, protocol="base64, binary") == 101
            assert "Sec-WebSocket-Protocol: binary\r\n" in viewer.head
            await viewer.shake_hands()

    run(test())


def test_a_ticket_is_of_one_use_and_says_so() -> None:
    async def test() -> None:
        async with web() as made:
            way = await grant(made)
            await opened(made, way)
            again = await connect(made)
            assert await again.open(way.secret) == 101
            assert await again.closed() == REFUSED
            assert len(made.service.sessions()) == 1
            # one that was shown is used up, whatever came of it
            broken = await grant(made)
            viewer = await connect(made)
            assert await viewer.open(broken.secret) == 101
            viewer.send(b"HELO example\n")
            await viewer.closed()
            again = await connect(made)
            await again.open(broken.secret)
            assert await again.closed() == REFUSED
            assert len(made.service.sessions()) == 1

    run(test())


def test_a_ticket_that_expired_or_was_withdrawn_or_never_was_leads_nowhere() -> None:
    async def test() -> None:
        async with web() as made:
            expired, killed = await grant(made, seconds=1.0), await grant(made)
            assert made.service.kill(session=killed.session, server=None, user=None, project=None) == 1
            await made.until(lambda: not made.service.sessions())
            for ticket in (expired.secret, killed.secret, "x" * 43, "", "%00%ff", None):
                viewer = await connect(made)
                assert await viewer.open(ticket) == 101
                assert await viewer.closed() == REFUSED

    run(test())


def test_two_sessions_can_t_have_one_ticket() -> None:
    async def test() -> None:
        async with web() as made:
            way = await grant(made, secret="t" * 43)
            with pytest.raises(BadField, match="another session") as caught:
                await grant(made, secret="t" * 43)
            assert caught.value.field == "secret"
            assert [each.session for each in made.service.sessions()] == [way.session]
            await opened(made, way)

    run(test())


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://console.example", "https://console.example.evil", "null"]
)
def test_pages_of_others_are_refused_and_use_no_ticket_up(origin: str) -> None:
    async def test() -> None:
        async with web() as made:
            way = await grant(made)
            other = await connect(made)
            assert await other.open(way.secret, origin=origin) == 403
            assert await other.visit.reader.readline() != b""
            await opened(made, way)

    run(test())


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 426 "),
        (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 405 "),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b""),
        (b"RFB 003.008\n", b""),
    ],
)
def test_what_is_no_websocket_is_turned_away(request_: bytes, status: bytes) -> None:
    async def test() -> None:
        async with web() as made:
            stranger = await connect(made)
            stranger.visit.write(request_)
            stranger.visit.writer.write_eof()
            assert (await stranger.visit.rest()).startswith(status)

    run(test())


def test_who_says_nothing_is_dropped() -> None:
    async def test() -> None:
        async with web(viewer_seconds=0.1) as made:
            stranger = await connect(made)
            stranger.visit.write(b"GET / HTTP/1.1\r\n")
            assert await stranger.visit.rest() == b""

    run(test())


def test_who_has_too_much_to_say_before_a_ticket_is_dropped() -> None:
    async def test() -> None:
        async with web() as made:
            stranger = await connect(made)
            stranger.visit.write(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 8000)
            assert await stranger.visit.rest() == b""

    run(test())


def test_who_pings_and_never_reads_the_answers_is_dropped() -> None:
    async def test() -> None:
        async with web() as made:
            viewer, console = await opened(made, await grant(made))
            viewer.visit.reader._transport.pause_reading()  # type: ignore[attr-defined]  # asyncio has no other way
            viewer.send(bytes(125), opcode=browser.PING)
            ping = b"\x89\xfd" + browser.MASK + bytes(browser.MASK[at % 4] for at in range(125))
            with contextlib.suppress(ConnectionError):
                while not console.reader.at_eof():
                    viewer.visit.write(ping * 8000)
                    await viewer.visit.writer.drain()
            await made.until(lambda: not made.service.sessions())

    run(test())


def test_there_are_as_many_strangers_as_may_be() -> None:
    async def test() -> None:
        async with web(connections=2) as made:
            waiting = [await connect(made) for _ in range(2)]
            assert await (await connect(made)).visit.rest() == b""
            waiting[0].visit.close()
            way = await grant(made)
            assert await waiting[1].open(way.secret) == 101

    run(test())


def test_one_address_may_not_take_all_places() -> None:
    async def test() -> None:
        async with web(connections_per_address=2) as made:
            way = await grant(made)
            waiting = [await connect(made) for _ in range(2)]
            assert await (await connect(made)).visit.rest() == b""
            # who has shown a ticket is no stranger any more
            assert await waiting[0].open(way.secret) == 101
            third = await connect(made)
            # but who has shown none that is known is one until its end
            assert await third.open("x" * 43) == 101
            assert await (await connect(made)).visit.rest() == b""
            shown = prometheus_client.generate_latest(made.service.metrics.registry).decode()
            assert 'viewers_refused_total{reason="crowded_address"} 2.0' in shown

    run(test())


@pytest.mark.parametrize("origin", ["https://127.0.0.1", "http://console.example", "https://console.example:6080"])
def test_a_page_of_the_proxy_s_own_host_has_to_be_among_the_origins_too(origin: str) -> None:
    async def test() -> None:
        async with web(origins=("https://cloud.example",), public_url="ws://console.example:6080/") as made:
            way = await grant(made)
            page = await connect(made)
            assert await page.open(way.secret, origin=origin) == 403
            page = await connect(made)
            assert await page.open(way.secret, origin="https://cloud.example") == 101

    run(test())


def test_text_is_not_what_consoles_speak() -> None:
    async def test() -> None:
        async with web() as made:
            viewer, _ = await opened(made, await grant(made))
            viewer.send(b"hello", opcode=browser.TEXT)
            assert (await viewer.closed())[0] == 1003
            await made.until(lambda: not made.service.sessions())

    run(test())


def test_who_may_only_watch_has_no_hands_here_either() -> None:
    async def test() -> None:
        async with web() as made:
            viewer, console = await opened(made, await grant(made, view_only=True))
            viewer.send(b"\0\4\1\0\0\0")
            viewer.send(b"\0\0\x61\3\1")
            viewer.send(bytes(8))
            assert await console.read(11) == b"\1\3\1" + bytes(8)
            viewer.send(b"\x11")
            assert await viewer.closed() == (1000, "the viewer sent what a watching one may not")

    run(test())


def test_an_operator_s_end_is_told_to_the_page() -> None:
    async def test() -> None:
        async with web() as made:
            way = await grant(made)
            viewer, _ = await opened(made, way)
            made.service.kill(session=way.session, server=None, user=None, project=None)
            assert await viewer.closed() == (1000, "the session was ended by the operator")
            viewer, _ = await opened(made, await grant(made))
            stopping = asyncio.create_task(made.service.stop())
            assert await viewer.closed() == (1000, "the console proxy is being restarted")
            await stopping

    run(test())


def test_a_browser_that_leaves_ends_its_session(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with web() as made:
            viewer, console = await opened(made, await grant(made))
            viewer.send(b"\3\xe8", opcode=browser.CLOSE)
            assert await viewer.frame() == (browser.CLOSE, b"\3\xe8")
            assert await console.rest() == b""
            viewer, console = await opened(made, await grant(made))
            viewer.visit.writer.transport.abort()
            assert await console.rest() == b""
            await made.until(lambda: not made.service.sessions())

    caplog.set_level(logging.INFO)
    run(test())
    reasons = [vars(record)["reason"] for record in caplog.records if record.message == "session.ended"]
    assert reasons == ["viewer_left", "viewer_left"]


def test_a_ticket_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> str:
        async with web() as made:
            way = await grant(made)
            await opened(made, way)
            await (await connect(made)).open(way.secret)
            return way.secret

    caplog.set_level(logging.DEBUG)
    ticket = run(test())
    assert ticket not in "".join(record.getMessage() + repr(vars(record)) for record in caplog.records)


@at_leisure
@given(data=st.binary(max_size=200), frames=st.booleans())
def test_whatever_a_stranger_sends_nothing_is_left_of_it(data: bytes, frames: bool) -> None:
    async def test() -> None:
        async with web() as made:
            stranger = await connect(made)
            if frames:
                assert await stranger.open((await grant(made)).secret) == 101
            stranger.visit.write(data)
            stranger.visit.writer.write_eof()
            await stranger.visit.rest()
            await made.until(lambda: not made.service.sessions())

    run(test())
