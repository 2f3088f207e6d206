"""What seriald tells over HTTP, and to whom."""

from __future__ import annotations

import socket
import ssl
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.config import ConfigError
from lab import certificate
from seriald import request
from seriald.request import Console, Log
from seriald.settings import SerialdSettings
from tests.unit.seriald.fakes import PATIENCE, TOKEN, Daemon, FakeQemu

UPGRADE = {"Connection": "keep-alive, Upgrade", "Upgrade": "websocket, syros-serial"}


def ask(line: str, **headers: str) -> Log | Console | int:
    """What is understood, or the status of a refusal."""
    lines = {"Authorization": f"Bearer {TOKEN}", **headers}
    head = f"{line} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
    try:
        asked = request.read(head.encode("latin-1"), token=TOKEN.encode())
    except request.Refused as no:
        return no.status
    return asked


@pytest.mark.parametrize(
    ("target", "lines"),
    [
        ("/v1/log/syros-1", None),
        ("/v1/log/syros-1?length=", None),
        ("/v1/log/syros-1?length=0", 0),
        ("/v1/log/syros-1?length=2", 2),
    ],
)
def test_a_log_is_asked_for_by_lines_from_its_end(target: str, lines: int | None) -> None:
    assert ask(f"GET {target}") == Log("syros-1", lines)


def test_a_serial_port_is_asked_for_by_an_upgrade() -> None:
    assert ask("GET /v1/console/syros-1", **UPGRADE) == Console("syros-1")
    assert ask("GET /v1/console/syros-1", Connection="UPGRADE", Upgrade="Syros-Serial") == Console("syros-1")
    for headers in ({}, {"Upgrade": "syros-serial"}, {"Connection": "Upgrade"}, {**UPGRADE, "Upgrade": "websocket"}):
        assert ask("GET /v1/console/syros-1", **headers) == 426


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /v1/log/../../etc/passwd", 404),
        ("GET /v1/log/%2e%2e", 404),
        ("GET /v1/log/", 404),
        ("GET /", 404),
        ("GET /v1/console/", 404),
        ("GET /v1/console/../syros-1", 404),
        ("POST /v1/log/syros-1", 405),
        ("POST /v1/console/syros-1", 405),
        ("GET /v1/log/syros-1?length=-1", 400),
        ("GET /v1/log/syros-1?length=many", 400),
        ("GET /v1/log/syros-1?length=" + "9" * 10, 400),
        ("GET", 400),
        ("", 400),
        ("GET  /v1/log/syros-1", 400),
    ],
)
def test_whatever_else_is_asked_is_refused(request_line: str, status: int) -> None:
    assert ask(request_line, **UPGRADE) == status


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9"])
def test_who_does_not_show_the_token_learns_nothing(shown: str) -> None:
    for target in ("log/syros-1", "console/syros-1", "nothing"):
        assert ask(f"GET /v1/{target}", Authorization=shown, **UPGRADE) == 401


def test_a_client_that_sends_too_much_or_goes_away_costs_only_its_connection(start: Callable[..., Daemon]) -> None:
    daemon = start()
    for sent in (b"GET /v1/log/" + b"x" * 100_000, b"GET / HT"):
        with socket.create_connection(("127.0.0.1", daemon.seriald.port), timeout=PATIENCE) as raw:
            raw.sendall(sent)
            raw.shutdown(socket.SHUT_WR)
            try:
                assert raw.recv(1) == b""
            except ConnectionResetError:
                pass  # it was not even read
    assert daemon.get("/v1/log/syros-1")[0] == 404


def test_the_log_comes_over_tls_and_not_without(
    start: Callable[..., Daemon], qemu: Callable[[str], FakeQemu], tmp_path: Path
) -> None:
    key, chain = certificate.make("node1", names=["node1"], addresses=["127.0.0.1"], now=datetime.now(UTC))
    (tmp_path / "key.pem").write_text(key)
    (tmp_path / "chain.pem").write_text(chain)
    guest = qemu("syros-1")
    daemon = start(plain_http=False, cert=str(tmp_path / "chain.pem"), key=str(tmp_path / "key.pem"))
    guest.accept()
    guest.quit()
    request = urllib.request.Request(
        f"https://127.0.0.1:{daemon.seriald.port}/v1/log/syros-1", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cadata=chain)),
        urllib.request.HTTPErrorProcessor(),
    )
    (daemon.state / "syros-1.log").write_bytes(b"kept")
    with opener.open(request, timeout=PATIENCE) as answer:
        assert answer.read() == b"kept"
    with socket.create_connection(("127.0.0.1", daemon.seriald.port), timeout=PATIENCE) as raw:
        raw.sendall(f"GET /v1/log/syros-1 HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        assert b"kept" not in raw.recv(100)


@pytest.mark.parametrize(
    "changes", [{}, {"token": "x"}, {"token": "x", "cert": "y"}, {"plain_http": True}, {"token": "é", "key": "k"}]
)
def test_without_a_token_or_a_certificate_it_does_not_begin(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="seriald"):
        SerialdSettings(**changes)  # type: ignore[arg-type]  # each is of its type
