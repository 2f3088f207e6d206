"""Sessions from their grant to their end, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from datetime import datetime
from pathlib import Path

import prometheus_client
import pytest

from common.console_proxy import ConsoleProxy, ConsoleProxyRefused
from common.consoles import BadField, Kind
from lab import process
from tests.unit.vncauthproxy.bed import TOKEN, Visit, bed
from tests.unit.vncauthproxy.peers import PATIENCE, run
from vncauthproxy import rfb, stream
from vncauthproxy.control import Denied


@pytest.mark.parametrize("version", [b"RFB 003.003\n", b"RFB 003.007\n", b"RFB 003.008\n"])
def test_bytes_go_both_ways_once_hands_are_shaken(version: bytes) -> None:
    async def test() -> None:
        async with bed() as made:
            viewer = await made.view(await made.forward(), version=version)
            assert await viewer.read(4) == bytes(4)
            console = await made.console.visit()
            viewer.write(b"\1")
            assert await console.read(1) == b"\1"
            sent = os.urandom(3_000_000)
            console.write(sent)
            assert await viewer.read(len(sent)) == sent
            viewer.write(sent)
            assert await console.read(len(sent)) == sent
            viewer.close()
            assert await console.rest() == b""

    run(test())


def test_what_a_viewer_sends_ahead_is_not_lost() -> None:
    async def test() -> None:
        async with bed() as made:
            way = await made.forward()
            viewer = await made.call(way)
            viewer.write(b"RFB 003.008\n\2")
            await viewer.read(14)
            viewer.write(rfb.response(await viewer.read(16), way.secret.encode()) + b"\1\3\0" + bytes(8))
            assert await (await made.console.visit()).read(11) == b"\1\3\0" + bytes(8)

    run(test())


def test_the_last_bytes_of_a_console_that_ends_are_still_shown() -> None:
    async def test() -> None:
        async with bed() as made:
            viewer = await made.view(await made.forward())
            console = await made.console.visit()
            await viewer.read(4)
            sent = os.urandom(500_000)
            console.write(sent)
            console.close()
            assert await viewer.rest() == sent

    run(test())


def test_a_viewer_who_is_slow_takes_no_room() -> None:
    async def test() -> None:
        async with bed() as made:
            viewer = await made.view(await made.forward())
            console = await made.console.visit()
            await viewer.read(4)
            (session,) = made.service._sessions.values()
            transport = session._viewer._transport  # type: ignore[union-attr]  # it has come
            sent = os.urandom(1_000_000) * 30
            console.write(sent)
            most = received = 0
            while received < len(sent):
                received += len(await viewer.read(min(100_000, len(sent) - received)))
                most = max(most, transport.get_write_buffer_size())
            # what may wait, and the one read that went over it
            assert most <= stream.MOST_WAITING + 256 * 1024

    run(test())


def test_a_password_is_of_one_use() -> None:
    async def test() -> None:
        async with bed() as made:
            way = await made.forward()
            waiting = await made.call(way)
            await waiting.read(12)
            first = await made.view(way)
            assert await first.read(4) == bytes(4)
            # who was shaking hands is dropped, and nobody is heard any more
            assert await waiting.rest() == b""
            with pytest.raises(ConnectionRefusedError):
                await made.call(way)
            assert len(made.service.sessions()) == 1

    run(test())


def test_two_that_know_the_password_at_once_are_one_too_many() -> None:
    async def test() -> None:
        async with bed() as made:
            way = await made.forward()
            ends = [await made.call(way) for _ in range(3)]
            responses = []
            for each in ends:
                await each.read(12)
                each.write(b"RFB 003.008\n\2")
                await each.read(2)
                responses.append(rfb.response(await each.read(16), way.secret.encode()))
            for each, response in zip(ends, responses, strict=True):
                each.write(response)
            results = await asyncio.gather(*(each.reader.read(4) for each in ends), return_exceptions=True)
            assert results.count(bytes(4)) == 1

    run(test())


def test_wrong_passwords_are_told_and_too_many_are_the_end(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with bed() as made:
            way = await made.forward()
            for _ in range(5):
                assert (await (await made.view(way, secret="guessing")).rest())[:4] == rfb.u32(1)
            await made.until(lambda: not made.service.sessions())
            with pytest.raises(ConnectionRefusedError):
                await made.call(way)

    caplog.set_level(logging.INFO)
    run(test())
    assert [vars(record)["reason"] for record in caplog.records if record.message == "session.ended"] == [
        "wrong_passwords"
    ]


@pytest.mark.parametrize(
    ("changes", "more", "reason"),
    [
        ({}, {"seconds": 1.0}, "expired"),
        ({"idle_seconds": 0.05}, {}, "idle"),
        ({"session_seconds": 0.05}, {}, "total_time"),
    ],
)
def test_every_session_comes_to_its_end(
    changes: dict[str, object], more: dict[str, object], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with bed(**changes) as made:
            way = await made.forward(**more)
            if reason != "expired":
                viewer = await made.view(way)
                await viewer.read(4)
                assert await viewer.rest() == b""
            await made.until(lambda: not made.service.sessions())

    caplog.set_level(logging.INFO)
    run(test())
    (ended,) = [vars(record) for record in caplog.records if record.message == "session.ended"]
    assert ended["reason"] == reason


def test_a_viewer_who_does_not_shake_hands_is_dropped_and_another_may_come() -> None:
    async def test() -> None:
        async with bed(viewer_seconds=0.2) as made:
            way = await made.forward()
            silent = await made.call(way)
            assert await silent.rest() == b"RFB 003.008\n"
            viewer = await made.call(way)
            await viewer.read(12)

    run(test())


def test_sessions_are_listed_without_their_secrets(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with bed() as made:
            way = await made.forward(view_only=True, console_password="c0nsole-pw", secret="v1ewerpw")
            assert way.secret == "v1ewerpw" and way.port in made.settings.viewer_ports
            (waiting,) = made.service.sessions()
            assert (waiting.session, waiting.kind, waiting.view_only) == (way.session, Kind.VNC, True)
            assert (waiting.server, waiting.user, waiting.project, waiting.request_id) == ("s1", "u1", "p1", "req-1")
            assert (waiting.host, waiting.port, waiting.viewer, waiting.opened_at) == (
                "127.0.0.1",
                made.port,
                None,
                None,
            )
            viewer = await made.view(way)
            await viewer.read(4)
            (opened,) = made.service.sessions()
            assert opened.viewer == "127.0.0.1" and opened.opened_at is not None
            assert datetime.fromisoformat(opened.granted_at) <= datetime.fromisoformat(opened.opened_at)
            assert "v1ewerpw" not in repr((way, waiting, opened, made.request(secret="v1ewerpw")))

    caplog.set_level(logging.DEBUG)
    run(test())
    events = [record.message for record in caplog.records]
    assert [each for each in events if each.startswith("session.")] == [
        "session.granted", "session.opened", "session.ended",
    ]  # fmt: skip
    shown = "".join(repr(vars(record)) for record in caplog.records)
    assert "v1ewerpw" not in shown and "c0nsole-pw" not in shown


def test_who_may_only_watch_is_ended_by_what_is_not_known(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with bed() as made:
            viewer = await made.view(await made.forward(view_only=True))
            console = await made.console.visit()
            await viewer.read(4)
            viewer.write(b"\0\4\1\0\0\0\0\0\x61")
            assert await console.read(1) == b"\1"
            viewer.write(b"\x11")
            assert await console.rest() == b""
            assert await viewer.rest() == b""

    caplog.set_level(logging.INFO)
    run(test())
    (line,) = [vars(record) for record in caplog.records if record.message == "viewer.unwatchable"]
    assert "unknown type 17" in line["reason"]
    (ended,) = [vars(record) for record in caplog.records if record.message == "session.ended"]
    assert ended["reason"] == "unknown_message"


def test_sessions_are_killed_by_what_they_are_of() -> None:
    async def test() -> None:
        async with bed() as made:
            kill = made.service.kill
            one = await made.forward(server="a", user="x", project="p")
            await made.forward(server="b", user="x", project="p")
            three = await made.forward(server="b", user="y", project="q")
            viewer = await made.view(one)
            await viewer.read(4)
            assert kill(session=None, server="b", user="z", project=None) == 0
            assert kill(session=None, server="b", user="x", project=None) == 1
            assert kill(session=one.session, server=None, user=None, project=None) == 1
            assert await viewer.rest() == b""
            with pytest.raises(Denied, match=one.session) as caught:
                kill(session=one.session, server=None, user=None, project=None)
            assert (caught.value.code, caught.value.field) == ("not_found", "session")
            assert [each.session for each in made.service.sessions()] == [three.session]
            assert kill(session=None, server=None, user=None, project="q") == 1

    run(test())


def test_there_are_as_many_sessions_as_may_be() -> None:
    async def test() -> None:
        async with bed(sessions=3, sessions_per_user=2) as made:
            # as if at once: those that are being connected count
            answers = await asyncio.gather(*(made.forward(user="x") for _ in range(4)), return_exceptions=True)
            denied = [each for each in answers if isinstance(each, Denied)]
            assert [(each.code, each.field) for each in denied] == [("busy", "user")] * 2
            await made.forward(user="y")
            with pytest.raises(Denied, match="as many sessions as this proxy"):
                await made.forward(user="z")
            made.service.kill(session=None, server=None, user="y", project=None)
            await made.forward(user="z")

    run(test())


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def neighbours() -> int:
    """A port that is free, and so is the next one."""
    while True:
        first = process.free_port()
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", first + 1))
            return first


def test_a_port_that_is_taken_is_passed_over_and_none_is_lost() -> None:
    async def test() -> None:
        first = neighbours()
        taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", first)
        async with bed(ports=f"{first}-{first + 1}") as made:
            for _ in range(4):
                way = await made.forward()
                assert way.port == first + 1
                with pytest.raises(Denied, match="ports for viewers are taken"):
                    await made.forward()
                assert made.service.kill(session=way.session, server=None, user=None, project=None) == 1
        taken.close()

    run(test())


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"host": "192.0.2.1"}, "host"),
        ({"host": "::ffff:192.0.2.1"}, "host"),
        ({"host": "::1"}, "host"),
        ({"port": 22}, "port"),
        ({"seconds": 601.0}, "seconds"),
    ],
)
def test_a_console_elsewhere_is_refused_by_its_field(more: dict[str, object], field: str) -> None:
    async def test() -> None:
        async with bed(destination_ports="1024-65535") as made:
            with pytest.raises(BadField) as caught:
                await made.forward(**more)
            assert caught.value.field == field
            assert made.service.sessions() == []

    run(test())


def test_native_viewers_need_a_way_here() -> None:
    async def test() -> None:
        async with bed(public_host="") as made:
            with pytest.raises(BadField, match=r"^kind"):
                await made.forward()

    run(test())


def test_a_console_that_does_not_answer_is_given_up() -> None:
    async def silent(visit: Visit) -> None:
        await visit.rest()

    async def test() -> None:
        async with bed(console_seconds=0.1) as made:
            made.console._script = silent
            with pytest.raises(Denied, match=r"not answered in 0\.1 s") as caught:
                await made.forward()
            assert caught.value.code == "unreachable"
            made.console.stop()
            with pytest.raises(Denied, match="can't be reached") as caught:
                await made.forward()
            assert caught.value.code == "unreachable"

    run(test())


@pytest.mark.parametrize(
    "tls", [b"\x15\x03\x03\0\2\2\x28", b"no TLS at all\n", b"", None], ids=["alert", "text", "end", "silence"]
)
def test_a_console_whose_tls_comes_to_nothing_is_given_up(tls: bytes | None) -> None:
    async def script(visit: Visit) -> None:
        visit.write(b"RFB 003.008\n")
        await visit.read(12)
        visit.write(b"\1\x13")
        await visit.read(1)
        visit.write(b"\0\2")
        await visit.read(2)
        visit.write(b"\0\1" + rfb.u32(257))
        await visit.read(4)
        visit.write(b"\1")
        # the handshake's first record
        await visit.read(5)
        if tls is None:
            await visit.rest()
        else:
            visit.write(tls)
        visit.close()

    async def test() -> None:
        async with bed(anonymous_tls=True, console_seconds=0.3 if tls is None else 30.0) as made:
            made.console._script = script
            before = descriptors()
            with pytest.raises(Denied, match=r"TLS failed|not answered") as caught:
                await made.forward()
            assert caught.value.code == "unreachable"
            await made.until(lambda: descriptors() <= before)

    run(test())


def test_what_is_counted_comes_out_even() -> None:
    async def test() -> None:
        async with bed() as made:
            viewer = await made.view(await made.forward())
            console = await made.console.visit()
            await viewer.read(4)
            viewer.write(b"\1")
            await console.read(1)
            console.write(b"shown")
            await viewer.read(5)
            viewer.close()
            await made.until(lambda: not made.service.sessions())
            way = await made.forward()
            assert await (await made.view(way, secret="guessing")).rest()
            client = ConsoleProxy("127.0.0.1", made.service.control_port, tls=None, token=TOKEN, timeout=PATIENCE)
            await asyncio.to_thread(client.sessions)
            with pytest.raises(ConsoleProxyRefused):
                await asyncio.to_thread(client.forward, made.request(seconds=0.0))
            lines = set(prometheus_client.generate_latest(made.service.metrics.registry).decode().splitlines())
            # the console's handshake was 12 + 2 + 4 bytes, the viewer's 12 + 1 + 16
            assert {
                'syros_vncauthproxy_sessions{kind="vnc",protocol="rfb",state="awaited"} 1.0',
                'syros_vncauthproxy_sessions{kind="vnc",protocol="rfb",state="open"} 0.0',
                'syros_vncauthproxy_sessions_ended_total{kind="vnc",protocol="rfb",reason="viewer_left"} 1.0',
                'syros_vncauthproxy_bytes_total{direction="shown",kind="vnc",protocol="rfb"} 23.0',
                'syros_vncauthproxy_bytes_total{direction="typed",kind="vnc",protocol="rfb"} 30.0',
                'syros_vncauthproxy_console_seconds_count{protocol="rfb"} 2.0',
                'syros_vncauthproxy_viewers_refused_total{reason="wrong_password"} 1.0',
                'syros_vncauthproxy_control_requests_total{op="list",outcome="ok"} 1.0',
                'syros_vncauthproxy_control_requests_total{op="forward",outcome="invalid"} 1.0',
            } <= lines

    run(test())


def test_a_stop_ends_all_sessions_and_grants_no_more(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with bed() as made:
            viewer = await made.view(await made.forward())
            await viewer.read(4)
            await made.forward()
            await made.service.stop()
            assert await viewer.rest() == b""
            with pytest.raises(Denied) as caught:
                await made.forward()
            assert caught.value.code == "unavailable"

    caplog.set_level(logging.INFO)
    run(test())
    reasons = [vars(record)["reason"] for record in caplog.records if record.message == "session.ended"]
    assert reasons == ["shutdown", "shutdown"]
