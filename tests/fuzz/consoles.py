"""What viewers, consoles and strangers could send to vncauthproxy and seriald: mostly in order, bent somewhere.

Each target tells what came of an example, for a count; what it must not do, it asserts.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import hypothesis
from hypothesis import HealthCheck
from hypothesis import strategies as st

from common.consoles import Forward, Granted, History, Kind, Protocol, Session
from seriald import request as requests
from tests.unit.vncauthproxy import browser
from tests.unit.vncauthproxy.peers import ScriptedPeer
from vncauthproxy import console, rfb, serial, viewer
from vncauthproxy.control import Control
from vncauthproxy.encryption import Encryption, anonymous
from vncauthproxy.metrics import Metrics
from vncauthproxy.settings import VncauthproxySettings
from vncauthproxy.stream import Broken
from vncauthproxy.watching import Watcher
from vncauthproxy.websocket import WebSocketStream

Seen = Counter[str]
_TOKEN = "t0ken"
_PASSWORD = b"8letters"
_TICKET = "t" * 43
_PAGE = "https://page.example"


@st.composite
def bent(draw: st.DrawFn, parts: st.SearchStrategy[bytes]) -> bytes:
    """Bytes of this kind, half of the time with something cut out, put in or changed."""
    data = draw(parts)
    if draw(st.booleans()):
        return data
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        end = draw(st.integers(at, min(at + 8, len(data))))
        data = data[:at] + draw(st.binary(max_size=8)) + data[end:]
    return data


def _joined(*parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(*parts).map(b"".join)


_VERSIONS = st.sampled_from([b"RFB 003.008\n", b"RFB 003.007\n", b"RFB 003.003\n", b"RFB 003.889\n", b"RFB 005.000\n"])
_PIECES = st.integers(1, 40)
_REASONS = st.binary(max_size=40).map(lambda text: rfb.u32(len(text)) + text)


class _Viewer(ScriptedPeer):
    """A viewer that knows the password or not, and answers the challenge when it has it."""

    knows = True

    def write(self, data: bytes) -> None:
        super().write(data)
        if len(data) == rfb.CHALLENGE_LENGTH:
            self.say(rfb.response(data, _PASSWORD if self.knows else b"guess"))


def shake_viewer(sent: bytes, piece: int, password: bool, knows: bool, free: bool) -> str:
    """A viewer's handshake: nobody is let in who does not know the password, or when nobody may come any more."""

    async def shake() -> str:
        peer = _Viewer(sent, piece=piece)
        peer.knows = knows
        try:
            await viewer.shake_hands(peer, password=_PASSWORD if password else None, take=lambda: free)
        except Broken as err:
            return type(err).__name__
        assert free and (knows or not password)
        return "let in"

    return asyncio.run(shake())


_KINDS = (0, 1, 2, 5, 16, 19, 30)
_SUBTYPES = st.lists(st.sampled_from([257, 258, 260, 261, 256, 0]), max_size=4)
_VENCRYPT = _joined(
    st.sampled_from([b"\0\2", b"\0\1", b"\1\0"]), st.sampled_from([b"\0", b"\1"]),
    _SUBTYPES.map(lambda kinds: bytes([len(kinds)]) + b"".join(map(rfb.u32, kinds))), st.sampled_from([b"\1", b"\0"]),
)  # fmt: skip
_OFFERS = st.one_of(
    st.lists(st.sampled_from(_KINDS), min_size=1, max_size=4).map(lambda kinds: bytes([len(kinds), *kinds])),
    st.sampled_from(_KINDS).map(rfb.u32),
    _REASONS.map(lambda text: b"\0" + text),
)
_CONSOLES = _joined(
    _VERSIONS, _OFFERS, st.one_of(st.just(b""), st.binary(min_size=16, max_size=16), _VENCRYPT),
    st.one_of(st.just(bytes(4)), _REASONS.map(lambda text: rfb.u32(1) + text)),
)  # fmt: skip


def shake_console(sent: bytes, piece: int, password: bool, tls: bool) -> str:
    """A console's handshake: it is entered, or there is no way in, and never without TLS where TLS must be."""

    async def shake() -> str:
        peer = ScriptedPeer(sent, piece=piece)
        access = console.Access(password=b"pw" if password else None, tls=tls, name="node")
        try:
            await console.shake_hands(peer, access, Encryption(None, anonymous(), 1.0))
        except Broken as err:
            return type(err).__name__
        # what answers here has no TLS
        assert not tls
        return "entered"

    return asyncio.run(shake())


_ANSWERS = st.sampled_from([
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: syros-serial\r\n\r\nlogin: ",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nno\n",
    b"HTTP/1.1 600 What\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
])  # fmt: skip


def enter_serial(sent: bytes, piece: int, token: str | None) -> str:
    """What may answer for seriald: the port is entered, or there is no way in; all that follows is the guest's."""
    asked = Forward(
        host="node", port=8780, kind=Kind.WEBSOCKET, seconds=60.0, server="s", user="u", project="p", request_id="r",
        protocol=Protocol.SERIAL, guest="syros-1", console_password=token,
    )  # fmt: skip

    async def enter() -> str:
        peer = ScriptedPeer(sent, piece=piece)
        try:
            await serial.enter(peer, asked)
        except Broken as err:
            return type(err).__name__
        head, end, rest = sent.partition(b"\r\n\r\n")
        assert end and b"101" in head
        assert rest.startswith(bytes(peer._ahead))
        return "entered"

    return asyncio.run(enter())


_PASSED = {0: 20, 3: 10, 150: 10}
_DROPPED = {4: 8, 5: 6, 250: 4}


@st.composite
def client_message(draw: st.DrawFn) -> tuple[bytes, bool]:
    """A message of a viewer's, and whether it passes."""
    kind = draw(st.sampled_from([*_PASSED, *_DROPPED, 2, 6, 248, 251, 255]))
    if kind in _PASSED or kind in _DROPPED:
        size = (_PASSED.get(kind) or _DROPPED[kind]) - 1
        return bytes([kind]) + draw(st.binary(min_size=size, max_size=size)), kind in _PASSED
    count = draw(st.integers(0, 20))
    if kind == 2:
        return b"\2\0" + count.to_bytes(2, "big") + bytes(4 * count), True
    if kind == 6:
        size = draw(st.sampled_from([count, -count]))
        return b"\6\0\0\0" + size.to_bytes(4, "big", signed=True) + bytes(count), False
    if kind == 248:
        return b"\xf8\0\0\0" + bytes(4) + bytes([count]) + bytes(count), True
    if kind == 251:
        return b"\xfb\0" + bytes(4) + bytes([count, 0]) + bytes(16 * count), False
    return draw(st.sampled_from([
        (b"\xff\0" + bytes(10), False), (b"\xff\1\0\0", True), (b"\xff\1\0\2" + bytes(6), True),
    ]))  # fmt: skip


def watch(messages: list[tuple[bytes, bool]], rest: bytes, cuts: list[int]) -> str:
    """The filter of who may only watch: what passes does so whole however it is cut, and nothing else does."""
    sent = b"\0" + b"".join(message for message, _ in messages)
    right = b"\1" + b"".join(message for message, passes in messages if passes)
    whole = Watcher()
    assert whole.passed(sent) == right
    outcome = "messages"
    sent += rest
    try:
        right += whole.passed(rest)
    except Broken:
        outcome = "unknown"
    watcher, passed, at = Watcher(), b"", 0
    try:
        for cut in [*sorted({each % (len(sent) + 1) for each in cuts}), len(sent)]:
            passed += watcher.passed(sent[at:cut])
            at = cut
    except Broken:
        assert outcome == "unknown"
    else:
        assert outcome == "messages" and passed == right
    assert len(passed) <= len(sent)
    return outcome


class _Transport(asyncio.Transport):
    """Takes what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.ended = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.ended
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self.ended

    def close(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.ended = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


_OPENING = "\r\n".join([
    f"GET /?ticket={_TICKET} HTTP/1.1", "Host: console.example", "Upgrade: websocket", "Connection: Upgrade",
    f"Sec-WebSocket-Key: {browser.KEY}", "Sec-WebSocket-Version: 13", f"Origin: {_PAGE}", "", "",
]).encode()  # fmt: skip


@st.composite
def frame(draw: st.DrawFn) -> bytes:
    """A frame of a client's, with a length in one of its three forms (RFC 6455 section 5.2)."""
    first = draw(st.sampled_from([0x82, 0x81, 0x02, 0x01, 0x80, 0x00, 0x88, 0x89, 0x8A, 0xC2, 0x83, 0x8B, 0x09]))
    data = draw(st.one_of(st.binary(max_size=60), st.sampled_from([b"\3\xe8", b"\3", b"\3\xe8\xff", "ü".encode()])))
    form = draw(st.sampled_from([len(data), 126, 127]))
    size = {126: len(data).to_bytes(2, "big"), 127: len(data).to_bytes(8, "big")}.get(form, b"")
    masked = bytes(byte ^ browser.MASK[at % 4] for at, byte in enumerate(data))
    return bytes([first, 0x80 | form]) + size + browser.MASK + masked


def open_websocket(opening: bytes, frames: bytes, pieces: int, text: bool) -> str:
    """A stranger at the public port: one ticket at most, and no more bytes than were sent."""

    async def feed() -> str:
        shown: list[str] = []
        got = b""

        def known(stream: WebSocketStream, ticket: str) -> None:
            shown.append(ticket)
            stream.takes_text = text

        def sink(data: bytes) -> None:
            nonlocal got
            got += data

        stream = WebSocketStream(origins=[_PAGE], on_connect=lambda _: None, on_ticket=known)
        stream._sink = sink
        transport = _Transport()
        stream.connection_made(transport)
        sent = opening + frames
        for start in range(0, len(sent), pieces):
            if transport.ended:
                break
            stream.data_received(sent[start : start + pieces])
        if not transport.ended:
            stream.eof_received()
        stream.connection_lost(None)
        assert len(shown) <= 1
        assert not got or shown
        assert len(got) <= len(frames)
        if not shown:
            return transport.written[:12].decode("latin-1") or "nothing"
        return f"ticket, {'bytes' if got else 'no bytes'}"

    return asyncio.run(feed())


_FIELDS = {
    "op": ["forward", "list", "history", "kill", "reboot", None, 1], "token": [_TOKEN, "other", None, ""],
    "host": ["node", "::1", "", "a b", None, 5], "port": [11000, 0, -1, 1.5, True, "11000"],
    "kind": ["vnc", "websocket", "x", None, []], "seconds": [60, 0, 1e308, "60", None], "server": ["s", "", None, 1],
    "user": ["u", "ü", {}], "project": ["p"], "request_id": ["r", "\n"], "view_only": [True, False, 1],
    "take_over": [True, False, None], "protocol": ["rfb", "serial", "x", None], "guest": ["syros-1", "", "../x", 1],
    "console_password": ["pw", None, "ü", ""], "tls": [True, 0], "tls_name": ["", "node", []],
    "secret": ["8letters", _TICKET, None, "", 5], "after": [0, 5, -1, 2**80, None, True], "boot": ["", "b", 1],
    "session": ["5e55", None], "": [0],
}  # fmt: skip
_GOOD = {
    "op": "forward", "token": _TOKEN, "host": "node", "port": 11000, "kind": "vnc", "seconds": 60, "server": "s",
    "user": "u", "project": "p", "request_id": "r",
}  # fmt: skip


@st.composite
def control_line(draw: st.DrawFn) -> bytes:
    """A request, with some of its fields changed."""
    doc: dict[str, object] = draw(st.sampled_from([
        _GOOD, {"op": "list", "token": _TOKEN}, {"op": "history", "token": _TOKEN}, {"op": "kill", "token": _TOKEN},
    ]))  # fmt: skip
    names = draw(st.lists(st.sampled_from(sorted(_FIELDS)), max_size=4))
    doc = {**doc, **{name: draw(st.sampled_from(_FIELDS[name])) for name in names}}
    for name in draw(st.lists(st.sampled_from(sorted(_FIELDS)), max_size=1)):
        doc.pop(name, None)
    return json.dumps(doc).encode()


class _Service:
    """Grants everything."""

    async def forward(self, request: Forward) -> Granted:
        return Granted("5e55", "8letters", host="proxy", port=25000, url="")

    def sessions(self) -> list[Session]:
        return []

    def history(self, after: int, boot: str) -> History:
        assert after >= 0
        return History(boot="b", next=0, lost=0, sessions=[])

    def kill(self, *, session: str | None, server: str | None, user: str | None, project: str | None) -> int:
        assert any((session, server, user, project)) or "" in (session, server, user, project)
        return 0


def ask_control(line: bytes) -> str:
    """A line of the control channel: it is answered, by one line, and never without the token."""
    settings = VncauthproxySettings(token=_TOKEN, plain_control=True, destinations=("127.0.0.0/8",))
    answer = asyncio.run(Control(settings, _Service(), Metrics()).answer(line))
    assert answer.endswith(b"\n") and answer.count(b"\n") == 1
    doc = json.loads(answer)
    if doc["ok"]:
        assert json.loads(line)["token"] == _TOKEN
        return "done"
    assert doc["message"]
    return str(doc["error"])


_ASKED = st.sampled_from([
    b"GET /v1/log/syros-1?length=5 HTTP/1.1\r\nHost: n\r\nAuthorization: Bearer t0ken\r\n\r\n",
    b"GET /v1/console/syros-1 HTTP/1.1\r\nAuthorization: Bearer t0ken\r\nConnection: Upgrade\r\n"
    b"Upgrade: syros-serial\r\n\r\n",
    b"GET /v1/console/syros-1 HTTP/1.1\r\nAuthorization: Bearer t0ken\r\n\r\n",
    b"POST /v1/log/../x HTTP/1.0\r\nAuthorization: Bearer other\r\n\r\n",
])  # fmt: skip


def ask_seriald(head: bytes) -> str:
    """A request to seriald: understood or refused, and understood of nobody without the token."""
    try:
        asked = requests.read(head, token=_TOKEN.encode())
    except requests.Refused as no:
        return str(no.status.value)
    assert _TOKEN.encode() in head
    assert "/" not in asked.guest and not asked.guest.startswith(".")
    return type(asked).__name__


@dataclass(frozen=True)
class Target:
    """What is fed, with what, and what has to come of it now and then."""

    feed: Callable[..., str]
    examples: st.SearchStrategy[tuple[object, ...]]
    outcomes: frozenset[str]


TARGETS = {
    "viewers": Target(
        shake_viewer,
        st.tuples(
            bent(_joined(_VERSIONS, st.sampled_from([b"\2", b"\1", b""]))), _PIECES, st.booleans(), st.booleans(),
            st.booleans(),
        ),
        frozenset({"let in", "Broken", "WrongPassword", "Refused"}),
    ),
    "consoles": Target(
        shake_console,
        st.tuples(bent(_CONSOLES), _PIECES, st.booleans(), st.sampled_from([False, False, True])),
        frozenset({"entered", "Broken", "NoWay"}),
    ),
    "serial ports": Target(
        enter_serial,
        st.tuples(bent(_ANSWERS), _PIECES, st.sampled_from([None, "t0ken", "a b", "\x01", "x\r\ny: z"])),
        frozenset({"entered", "Broken", "NoWay"}),
    ),
    "watchers": Target(
        watch,
        st.tuples(
            st.lists(client_message(), max_size=6), st.binary(max_size=20), st.lists(st.integers(0, 1000), max_size=8)
        ),
        frozenset({"messages", "unknown"}),
    ),
    "WebSockets": Target(
        open_websocket,
        st.tuples(
            bent(st.just(_OPENING)), bent(st.lists(frame(), max_size=5).map(b"".join)), st.integers(1, 500),
            st.booleans(),
        ),
        frozenset({"ticket, bytes", "ticket, no bytes", "HTTP/1.1 400"}),
    ),
    "control lines": Target(
        ask_control,
        st.tuples(bent(control_line())),
        frozenset({"done", "invalid", "unauthorized"}),
    ),
    "seriald's requests": Target(
        ask_seriald,
        st.tuples(bent(_ASKED)),
        frozenset({"Log", "Console", "400", "401", "404", "426"}),
    ),
}  # fmt: skip


def feed(target: Target, examples: int, seed: int) -> Seen:
    """Feed a target so many examples; tell what came of them. Raises what hypothesis has found."""
    seen: Seen = Counter()
    quiet = hypothesis.settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )

    @quiet
    @hypothesis.seed(seed)
    @hypothesis.given(example=target.examples)
    def one(example: tuple[object, ...]) -> None:
        seen[target.feed(*example)] += 1

    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        one()
    finally:
        logging.disable(level)
    return seen
