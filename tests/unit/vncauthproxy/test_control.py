"""The control channel's lines: what they may say, and what they are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import consoles
from common.console_proxy import ConsoleProxy, ConsoleProxyRefused, ConsoleProxyUnreachable
from common.consoles import BadField, Forward, Granted, Kind, Protocol
from tests.unit.vncauthproxy.bed import TOKEN, bed
from tests.unit.vncauthproxy.peers import at_leisure, run
from vncauthproxy.control import Control, Denied
from vncauthproxy.metrics import Metrics
from vncauthproxy.settings import VncauthproxySettings

GOOD: dict[str, object] = {
    "host": "node1.example",
    "port": 11000,
    "kind": "vnc",
    "seconds": 60,
    "server": "s1",
    "user": "u1",
    "project": "p1",
    "request_id": "req-1",
}


class Fake:
    """Grants everything but what it is told to deny."""

    denial: Exception | None = None

    def __init__(self) -> None:
        self.forwarded: list[Forward] = []
        self.killed: list[Mapping[str, str | None]] = []

    async def forward(self, request: Forward) -> Granted:
        if self.denial is not None:
            raise self.denial
        self.forwarded.append(request)
        return Granted("5e55", "12345678", host="proxy.example", port=25000, url="")

    def sessions(self) -> list[consoles.Session]:
        return []

    def history(self, after: int, boot: str) -> consoles.History:
        self.asked = (after, boot)
        return consoles.History(boot="b1", next=7, lost=0, sessions=[])

    def kill(self, *, session: str | None, server: str | None, user: str | None, project: str | None) -> int:
        self.killed.append({"session": session, "server": server, "user": user, "project": project})
        return 1


def control(fake: Fake) -> Control:
    settings = VncauthproxySettings(
        token=TOKEN, plain_control=True, destinations=("127.0.0.0/8",), public_host="proxy.example"
    )
    return Control(settings, fake, Metrics())


def ask(line: bytes | Mapping[str, object], fake: Fake | None = None) -> Any:
    said = line if isinstance(line, bytes) else orjson.dumps(line)
    answer = asyncio.run(control(fake or Fake()).answer(said))
    assert answer.count(b"\n") == 1 and answer.endswith(b"\n")
    return orjson.loads(answer)


def op(name: str, /, **fields: object) -> dict[str, object]:
    return {"op": name, "token": TOKEN, **fields}


def test_a_request_is_read_and_answered() -> None:
    fake = Fake()
    more = {"view_only": True, "console_password": "pw", "tls": True, "tls_name": "node", "secret": "12345678"}
    assert ask(op("forward", **GOOD, **more), fake) == {
        "ok": True, "session": "5e55", "secret": "12345678", "host": "proxy.example", "port": 25000, "url": "",
    }  # fmt: skip
    (asked,) = fake.forwarded
    assert asked == consoles.forward(consoles.document(asked))
    assert (asked.kind, asked.seconds, asked.view_only, asked.tls, asked.secret) == (
        Kind.VNC, 60.0, True, True, "12345678",
    )  # fmt: skip
    assert "12345678" not in repr(asked) and "'pw'" not in repr(asked)
    assert ask(op("list"), fake) == {"ok": True, "sessions": []}
    assert ask(op("history", after=3, boot="b0"), fake) == {
        "ok": True, "boot": "b1", "next": 7, "lost": 0, "sessions": [],
    }  # fmt: skip
    assert fake.asked == (3, "b0")
    assert ask(op("kill", server="s1"), fake) == {"ok": True, "killed": 1}
    assert fake.killed == [{"session": None, "server": "s1", "user": None, "project": None}]


@pytest.mark.parametrize("missing", GOOD)
def test_what_is_missing_is_named(missing: str) -> None:
    answer = ask(op("forward", **{name: value for name, value in GOOD.items() if name != missing}))
    assert (answer["ok"], answer["error"], answer["field"]) == (False, "invalid", missing)
    assert "missing" in answer["message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", ""),
        ("host", "a b"),
        ("host", "-x"),
        ("host", ["127.0.0.1"]),
        ("host", "node\n"),
        ("port", 0),
        ("port", 65536),
        ("port", "11000"),
        ("port", True),
        ("kind", "spice"),
        ("kind", None),
        ("kind", ["vnc"]),
        ("seconds", 0),
        ("seconds", 1e9),
        ("seconds", True),
        ("seconds", "60"),
        ("server", ""),
        ("user", "x" * 256),
        ("project", "a b"),
        ("request_id", "req-\u00e9"),
        ("request_id", 1),
        ("view_only", 1),
        ("console_password", ""),
        ("console_password", "\u00e9"),
        ("tls", "yes"),
        ("tls_name", "a b"),
        ("secret", "short"),
        ("secret", "123456789"),
        ("secret", 12345678),
        ("hosts", "127.0.0.1"),
        ("take_over", 1),
        ("protocol", "spice"),
        ("protocol", None),
        ("guest", "../x"),
        ("guest", 5),
    ],
)
def test_what_can_t_be_meant_is_refused_by_its_field(field: str, value: object) -> None:
    fake = Fake()
    answer = ask(op("forward", **{**GOOD, field: value}), fake)
    assert (answer["ok"], answer["error"], answer["field"]) == (False, "invalid", field)
    assert answer["message"].startswith(field)
    assert fake.forwarded == []


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"take_over": True, "view_only": True}, "take_over"),
        ({"protocol": "serial", "guest": "syros-1"}, "kind"),
        ({"protocol": "serial", "kind": "websocket"}, "guest"),
    ],
)
def test_what_does_not_go_together_is_refused(more: dict[str, object], field: str) -> None:
    assert ask(op("forward", **{**GOOD, **more}))["field"] == field


def test_a_serial_port_is_asked_for_by_its_guest() -> None:
    fake = Fake()
    assert ask(op("forward", **{**GOOD, "protocol": "serial", "kind": "websocket", "guest": "syros-1"}), fake)["ok"]
    (asked,) = fake.forwarded
    assert (asked.protocol, asked.guest) == (Protocol.SERIAL, "syros-1")
    assert asked == consoles.forward(consoles.document(asked))


@pytest.mark.parametrize("secret", ["x" * 21, "x" * 129, "a/b" * 10])
def test_a_ticket_has_a_form_of_its_own(secret: str) -> None:
    assert ask(op("forward", **{**GOOD, "kind": "websocket", "secret": secret}))["field"] == "secret"


@pytest.mark.parametrize(
    ("line", "error", "field"),
    [
        (b"", "invalid", None),
        (b"{", "invalid", None),
        (b"[]", "invalid", None),
        (b'"x"', "invalid", None),
        (b"\xff\xfe", "invalid", None),
        ({}, "unauthorized", "token"),
        ({"op": "list", "token": "wrong"}, "unauthorized", "token"),
        ({"op": "list", "token": "t\u00f6ken"}, "unauthorized", "token"),
        ({"op": "list", "token": 5}, "unauthorized", "token"),
        (op("reboot"), "invalid", "op"),
        ({"token": TOKEN}, "invalid", "op"),
        ({"token": TOKEN, "op": ["list"]}, "invalid", "op"),
        (op("list", server="s1"), "invalid", "server"),
        (op("kill"), "invalid", "session"),
        (op("kill", name="x"), "invalid", "name"),
        (op("kill", user=5), "invalid", "user"),
        (op("history", after=-1), "invalid", "after"),
        (op("history", after=True), "invalid", "after"),
        (op("history", boot=1), "invalid", "boot"),
        (op("history", since=1), "invalid", "since"),
    ],
)
def test_a_line_that_is_no_request_says_what_it_lacks(
    line: bytes | Mapping[str, object], error: str, field: str | None
) -> None:
    answer = ask(line)
    assert (answer["ok"], answer["error"], answer["field"]) == (False, error, field)


@pytest.mark.parametrize(
    ("denial", "error", "field"),
    [
        (Denied("busy", "too many", field="user"), "busy", "user"),
        (Denied("unreachable", "gone"), "unreachable", None),
        (BadField("host", "not there"), "invalid", "host"),
    ],
)
def test_a_denial_is_told_as_it_is(denial: Exception, error: str, field: str | None) -> None:
    fake = Fake()
    fake.denial = denial
    answer = ask(op("forward", **GOOD), fake)
    assert (answer["error"], answer["field"], answer["message"]) == (error, field, str(denial))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@at_leisure
@given(
    line=st.binary(max_size=200)
    | st.fixed_dictionaries(
        {"token": st.just(TOKEN), "op": st.sampled_from(["forward", "list", "kill"])},
        optional={name: st.just(value) | JSON for name, value in GOOD.items()}
        | dict.fromkeys(("session", "secret", "tls", "tls_name", "view_only", "console_password", "x"), JSON),
    )
)
def test_whatever_is_asked_there_is_one_answer(line: bytes | dict[str, object]) -> None:
    try:
        said = line if isinstance(line, bytes) else orjson.dumps(line)
    except TypeError:
        # surrogates have no bytes
        return
    answer = ask(said)
    assert answer["ok"] is True or answer["message"]


def test_several_requests_may_come_on_one_connection_and_a_long_one_is_the_last() -> None:
    async def test() -> None:
        async with bed() as made:
            reader, writer = await asyncio.open_connection("127.0.0.1", made.service.control_port)
            line = consoles.line(op("list"))
            writer.write(line[:9])
            await writer.drain()
            writer.write(line[9:] + line + b"{}\n")
            answers = [orjson.loads(await reader.readline()) for _ in range(3)]
            assert [each["ok"] for each in answers] == [True, True, False]
            writer.write(b"x" * (consoles.LONGEST_LINE + 10) + b"\n")
            assert orjson.loads(await reader.readline())["message"].startswith("longer than")
            assert await reader.read() == b""
            writer.close()

    run(test())


def test_the_client_says_what_it_is_told() -> None:
    async def test() -> None:
        async with bed() as made:
            client = ConsoleProxy("127.0.0.1", made.service.control_port, tls=None, token=TOKEN, timeout=30.0)
            granted = await asyncio.to_thread(client.forward, made.request(server="s9"))
            (listed,) = await asyncio.to_thread(client.sessions)
            assert (listed.session, listed.server, listed.kind) == (granted.session, "s9", Kind.VNC)
            assert await asyncio.to_thread(lambda: client.kill(session=granted.session)) == 1
            with pytest.raises(ConsoleProxyRefused) as caught:
                await asyncio.to_thread(lambda: client.kill(session=granted.session))
            assert (caught.value.code, caught.value.field) == ("not_found", "session")
            with pytest.raises(ConsoleProxyRefused) as caught:
                await asyncio.to_thread(client.forward, made.request(port=70000))
            assert (caught.value.code, caught.value.field) == ("invalid", "port")
            stranger = ConsoleProxy("127.0.0.1", made.service.control_port, tls=None, token="other", timeout=30.0)
            with pytest.raises(ConsoleProxyRefused) as caught:
                await asyncio.to_thread(stranger.sessions)
            assert caught.value.code == "unauthorized"

    run(test())


@pytest.mark.parametrize("answer", [b"", b'{"ok": tr', b"HTTP/1.1 400 Bad Request\r\n", b"[]\n", b'{"ok": true}\n'])
def test_what_is_no_answer_is_unreachable(answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    async def test() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        client = ConsoleProxy("127.0.0.1", server.sockets[0].getsockname()[1], tls=None, timeout=30.0)
        with pytest.raises(ConsoleProxyUnreachable):
            await asyncio.to_thread(client.sessions)
        server.close()
        with pytest.raises(ConsoleProxyUnreachable):
            await asyncio.to_thread(client.sessions)

    run(test())


def test_a_proxy_that_says_nothing_is_not_waited_for_longer_than_was_said() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def test() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        client = ConsoleProxy("127.0.0.1", server.sockets[0].getsockname()[1], tls=None, timeout=0.1)
        with pytest.raises(ConsoleProxyUnreachable, match="timed out"):
            await asyncio.to_thread(client.sessions)
        server.close()

    run(test())
