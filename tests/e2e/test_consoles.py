"""A console from the real openstack client's URL to the screen, and its end with the server."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from lab import process
from tests.e2e.sandbox_process import SandboxProcess

_PATIENCE = 60.0


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    running = SandboxProcess(tmp_path_factory.mktemp("sandbox"), SYROS_SANDBOX_JOB_SCALE="0")
    running.start()
    yield running
    assert running.stop() == 0


def _post(sandbox: SandboxProcess, path: str, body: object) -> Any:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{sandbox.url}/console/v1/{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
        return json.load(answer)


class _Screen:
    """A connection to a screen, from which bytes are read whatever the frames they come in."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._left = b""

    def enter(self) -> str:
        """Shake hands; give the screen's name."""
        assert self._read(12) == b"RFB 003.008\n"
        self._connection.send(b"RFB 003.008\n")
        assert self._read(2) == b"\x01\x01"
        self._connection.send(b"\x01")
        assert self._read(4) == bytes(4)
        self._connection.send(b"\x01")
        return self._read(int.from_bytes(self._read(24)[20:], "big")).decode()

    def _read(self, size: int) -> bytes:
        while len(self._left) < size:
            message = self._connection.recv(timeout=_PATIENCE)
            assert isinstance(message, bytes)
            self._left += message
        found, self._left = self._left[:size], self._left[size:]
        return found


def _ended(connection: ClientConnection) -> bool:
    try:
        while True:
            connection.recv(timeout=0.2)
    except TimeoutError:
        return False
    except ConnectionClosed:
        return True


def test_the_clients_url_leads_to_the_screen_until_the_server_is_deleted(sandbox: SandboxProcess) -> None:
    sandbox.openstack("server", "create", "--flavor", "m1.small", "--image", "debian-12", "--wait", "web1")
    url = json.loads(sandbox.openstack("console", "url", "show", "web1", "-f", "json"))["url"]
    with urllib.request.urlopen(url, timeout=_PATIENCE) as page:
        assert "connect-src 'self' ws://127.0.0.1:" in page.headers["Content-Security-Policy"]
    (token,) = parse_qs(urlsplit(url).query)["token"]
    session = _post(sandbox, "sessions", {"token": token})["session"]
    assert session["server"]["name"] == "web1"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        _post(sandbox, "sessions", {"token": token})

    with connect(session["url"], origin=sandbox.url, open_timeout=_PATIENCE) as connection:  # type: ignore[arg-type]
        assert _Screen(connection).enter() == "web1"
        resume = {"resume": session["resume"]}
        process.wait_until(
            lambda: _post(sandbox, "status", resume)["viewers"] == 1, what="the viewer is known", timeout=_PATIENCE
        )
        link = _post(sandbox, "links", {**resume, "seconds": 600})["link"]
        (text,) = parse_qs(urlsplit(link["url"]).query)["token"]
        assert _post(sandbox, "sessions", {"token": text})["session"]["view_only"] is True
        sandbox.openstack("server", "delete", "--wait", "web1")
        process.wait_until(lambda: _ended(connection), what="the session is ended", timeout=_PATIENCE)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        _post(sandbox, "sessions", {"token": session["resume"]})
    for secret in (token, text, session["resume"], parse_qs(urlsplit(session["url"]).query)["ticket"][0]):
        assert secret not in (sandbox.folder / "syros.log").read_text(encoding="utf-8")


def test_a_serial_console_is_a_line_to_the_guest(sandbox: SandboxProcess) -> None:
    sandbox.openstack("server", "create", "--flavor", "m1.tiny", "--image", "cirros", "--wait", "web3")
    shown = json.loads(sandbox.openstack("console", "url", "show", "--serial", "web3", "-f", "json"))
    assert shown["type"] == "serial"
    heard = b""
    # a program comes without an origin
    with connect(shown["url"], open_timeout=_PATIENCE) as connection:
        connection.send(b"uptime\r")
        while b"uptime" not in heard:
            message = connection.recv(timeout=_PATIENCE)
            assert isinstance(message, bytes)
            heard += message
    assert b"(simulated)" in heard
    sandbox.openstack("server", "delete", "--wait", "web3")


def test_consoles_of_other_kinds_are_refused_with_a_reason(sandbox: SandboxProcess) -> None:
    sandbox.openstack("server", "create", "--flavor", "m1.tiny", "--image", "cirros", "--wait", "web2")
    with pytest.raises(AssertionError, match=r"400: .*Unavailable console type spice-html5"):
        sandbox.openstack("console", "url", "show", "--spice", "web2")
    sandbox.openstack("server", "stop", "web2")
    with pytest.raises(AssertionError, match="409: "):
        sandbox.openstack("console", "url", "show", "web2")
    sandbox.openstack("server", "delete", "--wait", "web2")
