"""Serial consoles all the way: a WebSocket client, the proxy as a process, a seriald over TLS, and a QEMU's socket."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from common.console_proxy import ConsoleProxyRefused
from common.consoles import EndedSession, Granted, Kind, Protocol
from lab import process
from seriald import port as ports
from tests.integration.vncauthproxy.conftest import PATIENCE, Proxy, Qemu
from tests.support.authority import Authority
from tests.unit.seriald.fakes import TOKEN, Daemon, FakeQemu, operator, read

NAME = "syros-1"
PAGE = "https://page.example"


class Node:
    """A seriald, the guest on its node, and the way to it through a proxy."""

    def __init__(self, folder: Path, authority: Authority, start: Callable[..., Proxy]) -> None:
        folder.mkdir()
        (folder / "ctrl").mkdir()
        cert, key = authority.issue("node")
        self.guest = FakeQemu(folder / "ctrl", NAME)
        self.daemon = Daemon(folder, plain_http=False, cert=str(cert), key=str(key))
        self.guest.accept()
        self._start = start
        self._told = {
            "serial_ports": str(self.daemon.seriald.port), "console_ca": str(authority.ca), "web_host": "127.0.0.1",
            "web_port": 0, "plain_web": True, "public_url": "ws://127.0.0.1/", "origins": [PAGE],
        }  # fmt: skip

    def start(self, **more: object) -> None:
        self.proxy = self._start(**{**self._told, **more})

    def grant(self, **more: object) -> Granted:
        told: dict[str, object] = {
            "kind": Kind.WEBSOCKET, "protocol": Protocol.SERIAL, "guest": NAME, "console_password": TOKEN,
            "server": "server-1", **more,
        }  # fmt: skip
        return self.proxy.forward(self.daemon.seriald.port, **told)

    def url(self, way: Granted) -> str:
        """What `os-getSerialConsole` gives."""
        port = self.proxy.events("vncauthproxy.started")[0]["web_port"]
        return f"ws://127.0.0.1:{port}/?ticket={way.secret}"

    def connect(self, way: Granted) -> ClientConnection:
        """Come as clients of Nova's serial consoles do."""
        return connect(
            self.url(way),
            subprotocols=[Subprotocol("binary"), Subprotocol("base64")],
            proxy=None,
            open_timeout=PATIENCE,
        )

    def open(self, **more: object) -> ClientConnection:
        way = self.grant(**more)
        found = self.connect(way)
        self.proxy.wait_event("session.opened", session=way.session)
        return found

    def ended(self) -> list[EndedSession]:
        return self.proxy.control.history().sessions

    def viewers(self) -> int:
        """How many seriald has for the guest."""
        return sum(len(port._viewers) for port in self.daemon.seriald._ports.values())

    @property
    def log(self) -> bytes:
        return (self.daemon.state / f"{NAME}.log").read_bytes()


@pytest.fixture
def node(tmp_path: Path, authority: Authority, start: Callable[..., Proxy]) -> Iterator[Node]:
    made = Node(tmp_path / "node", authority, start)
    yield made
    made.guest.quit()
    made.daemon.stop()


def shown(viewer: ClientConnection, count: int) -> bytes:
    """So many bytes of binary frames."""
    found = b""
    while len(found) < count:
        message = viewer.recv(timeout=PATIENCE)
        assert isinstance(message, bytes)
        found += message
    return found


def closed(viewer: ClientConnection) -> tuple[int, str]:
    """The close, after whatever is still shown."""
    with pytest.raises(ConnectionClosed) as caught:
        while True:
            viewer.recv(timeout=PATIENCE)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


def test_what_is_typed_and_printed_goes_both_ways_and_is_kept_as_ever(node: Node) -> None:
    node.start()
    with node.open() as viewer, operator(node.daemon.ctrl, NAME) as local:
        assert viewer.subprotocol == "binary"
        viewer.send(b"\x03\xff")
        assert node.guest.typed(2) == b"\x03\xff"
        viewer.send("grün\n")
        assert node.guest.typed(6) == "grün\n".encode()
        viewer.send(["gr", "ü", "n"])
        assert node.guest.typed(5) == "grün".encode()
        node.guest.print(b"login: \xfc")
        assert shown(viewer, 8) == read(local, 8) == b"login: \xfc"
        assert node.log == b"login: \xfc"
    ended = node.proxy.wait_event("session.ended")
    assert (ended["protocol"], ended["reason"], ended["typed"]) == ("serial", "viewer_left", 13)
    (told,) = node.ended()
    assert (told.protocol, told.kind, told.shown, told.typed) == (Protocol.SERIAL, Kind.WEBSOCKET, 8, 13)
    node.guest.print(b"after")
    process.wait_until(lambda: node.log.endswith(b"after"), what="it is kept", timeout=PATIENCE)
    assert TOKEN not in node.proxy.log


def test_what_comes_as_text_and_is_none_ends_the_session(node: Node) -> None:
    node.start()
    with node.open() as viewer:
        viewer.protocol.send_text(b"\xff\xfe")
        viewer.socket.sendall(b"".join(viewer.protocol.data_to_send()))
        assert closed(viewer)[0] == 1007


def test_who_may_only_watch_types_nothing(node: Node) -> None:
    node.start()
    with node.open(view_only=True) as watching, node.open() as working:
        watching.send(b"rm -r /\n")
        watching.send("reboot\n")
        # what came before a ping is through when it is answered
        assert watching.ping().wait(PATIENCE)
        working.send(b"ls\n")
        assert node.guest.typed(3) == b"ls\n"
        node.guest.print(b"bin")
        assert shown(watching, 3) == shown(working, 3) == b"bin"


def test_a_serial_console_is_taken_over_and_the_screen_is_not(node: Node, qemu: Callable[..., Qemu]) -> None:
    node.start(destination_ports="1-65535")
    screen = qemu()
    way = node.proxy.forward(screen.port, kind=Kind.WEBSOCKET, server="server-1")
    with node.connect(way) as seen, node.open() as first, node.open(view_only=True) as watching:
        assert shown(seen, 12) == b"RFB 003.008\n"
        seen.send(b"RFB 003.008\n\1")
        assert shown(seen, 6) == b"\1\1\0\0\0\0"
        node.proxy.wait_event("session.opened", session=way.session)
        with node.open(take_over=True) as second:
            assert closed(first) == (4409, "taken over by another viewer")
            assert [each.reason for each in node.ended()] == ["taken_over"]
            node.guest.print(b"on")
            assert shown(second, 2) == shown(watching, 2) == b"on"
            assert len(node.proxy.control.sessions()) == 3


def test_one_that_is_awaited_takes_no_place_and_a_ninth_viewer_is_told(node: Node) -> None:
    node.start()
    for _ in range(8):
        node.grant()
    with contextlib.ExitStack() as stack:
        process.wait_until(lambda: not node.viewers(), what="nobody is left of the checks", timeout=PATIENCE)
        for _ in range(8):
            local = stack.enter_context(operator(node.daemon.ctrl, NAME))
            local.sendall(b"x")
            assert node.guest.typed(1) == b"x"
        with pytest.raises(ConsoleProxyRefused, match="as many viewers as it may have") as caught:
            node.grant()
        assert caught.value.code == "unreachable"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"console_password": "guess"}, "it refuses the token"),
        ({"console_password": None}, "it refuses the token"),
        ({"guest": "syros-2"}, "no guest of this name"),
        ({"tls_name": "node2.example"}, r"TLS failed.*node2\.example"),
    ],
)
def test_a_serial_port_that_can_t_be_had_says_why(node: Node, more: dict[str, object], reason: str) -> None:
    node.start()
    with pytest.raises(ConsoleProxyRefused, match=reason) as caught:
        node.grant(**more)
    assert caught.value.code == "unreachable"
    assert node.proxy.control.sessions() == []


def test_without_authorities_no_seriald_is_trusted(node: Node) -> None:
    node.start(console_ca="")
    with pytest.raises(ConsoleProxyRefused, match="no console_ca"):
        node.grant()


def test_an_operator_ends_a_serial_session(node: Node) -> None:
    node.start()
    with node.open(user="link:7") as viewer:
        assert node.proxy.control.kill(user="link:7") == 1
        assert closed(viewer) == (1000, "the session was ended by the operator")


@pytest.mark.parametrize(
    ("limit", "words"),
    [("idle_seconds", "nothing has happened for too long"), ("session_seconds", "the session has lasted as long as")],
)
def test_limits_are_those_of_any_session(node: Node, limit: str, words: str) -> None:
    node.start(**{limit: 0.2})
    with node.connect(node.grant()) as viewer:
        code, reason = closed(viewer)
        assert code == 1000 and reason.startswith(words)


def test_a_guest_that_ends_and_a_seriald_that_stops_end_their_sessions(node: Node) -> None:
    node.start()
    with node.open() as viewer:
        node.guest.print(b"bye")
        node.guest.quit()
        assert shown(viewer, 3) == b"bye"
        assert closed(viewer) == (1000, "the console was closed")
    # as when the node is started again: the guest is there anew
    node.guest = FakeQemu(node.daemon.ctrl, NAME)
    node.guest.accept()
    node.daemon.wait_held(NAME)
    awaited = node.grant()
    with node.open() as viewer:
        node.daemon.stop()
        assert closed(viewer) == (1000, "the console was closed")
    # QEMU has its socket back, and who comes now is told that there is no way
    assert [path.name for path in node.daemon.ctrl.iterdir()] == [f"{NAME}.serial"]
    with node.connect(awaited) as viewer:
        assert closed(viewer) == (1014, "the console can't be reached")
    assert [each.reason for each in node.ended()] == ["console_closed", "console_closed", "console_unreachable"]


def test_a_viewer_who_does_not_read_delays_nobody(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_RATE", 1 << 30)
    node.start()
    way = node.grant()
    with node.connect(way) as slow, node.open() as quick:
        node.proxy.wait_event("session.opened", session=way.session)
        # until there is more than the kernel keeps on the way
        number = 0
        while node.viewers() > 1:
            number += 1
            assert number < 1000
            node.guest.print(b"%07d\n" % number * 32_768)
            assert shown(quick, 262_144).endswith(b"%07d\n" % number)
            assert node.log.endswith(b"%07d\n" % number)
        # seriald has dropped it; it is told of that after what was on the way
        assert closed(slow) == (1000, "the console was closed")
        assert [(each.session, each.reason) for each in node.ended()] == [(way.session, "console_closed")]


def test_the_proxy_s_stop_and_its_kill_leave_the_guest_to_others(node: Node) -> None:
    node.start()
    with node.open() as viewer:
        assert node.proxy.stop() == 0
        assert closed(viewer) == (1000, "the console proxy is being restarted")
    node.start()
    with node.open() as viewer:
        viewer.send(b"x")
        assert node.guest.typed(1) == b"x"
        node.proxy.kill()
        with pytest.raises(ConnectionClosed):
            viewer.recv(timeout=PATIENCE)
    with operator(node.daemon.ctrl, NAME) as local:
        local.sendall(b"y")
        assert node.guest.typed(1) == b"y"
        node.guest.print(b"still here")
        assert read(local, 10) == b"still here"


def test_text_is_no_frame_of_a_screen_s(node: Node, qemu: Callable[..., Qemu]) -> None:
    node.start(destination_ports="1-65535")
    with node.connect(node.proxy.forward(qemu().port, kind=Kind.WEBSOCKET)) as viewer:
        viewer.send("RFB 003.008\n")
        assert closed(viewer)[0] == 1003


def test_the_client_of_the_documentation_is_one(node: Node, tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "consoles.md").read_text()
    script = tmp_path / "serial_console.py"
    script.write_text(text.partition("```python\n")[2].partition("```")[0])
    node.start()
    way = node.grant()
    terminal, stdin = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, str(script), node.url(way)], stdin=stdin, stdout=subprocess.PIPE, start_new_session=True
        ) as client:
            node.proxy.wait_event("session.opened", session=way.session)
            os.write(terminal, b"ls\x03")
            assert node.guest.typed(3) == b"ls\x03"
            node.guest.print(b"bin\xff")
            assert client.stdout is not None
            assert client.stdout.read(4) == b"bin\xff"
            os.write(terminal, b"\x1d")
            assert client.stdout.read() == b"\r\n1000 \r\n"
        assert client.returncode == 0
    finally:
        os.close(terminal)
        os.close(stdin)
    assert [each.reason for each in node.ended()] == ["viewer_left"]
