"""The client of seriald, against a real one."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloud import serial_logs
from cloud.console_settings import ConsoleSettings
from cloud.serial_logs import NodeLogs
from common.config import ConfigError
from common.errors import Unavailable
from lab import certificate, process
from tests.unit.seriald.fakes import TOKEN, Daemon

NODE = "node1.example.org"


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    """The certificate of a node, by its name alone, which no resolver knows; its key is beside it."""
    key, chain = certificate.make("node1", names=[NODE], addresses=[], now=datetime.now(UTC))
    (tmp_path / "key.pem").write_text(key)
    (tmp_path / "ca.pem").write_text(chain)
    return tmp_path / "ca.pem"


@pytest.fixture
def node(tmp_path: Path, ca: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path, plain_http=False, cert=str(ca), key=str(tmp_path / "key.pem"))
    (daemon.state / "syros-1.log").write_bytes(b"one\ntwo\nthree")
    yield daemon
    daemon.stop()


def client(port: int, ca: Path, **changes: object) -> NodeLogs:
    settings: dict[str, object] = {"token": TOKEN, "port": port, "ca_file": str(ca), "timeout": 5.0, **changes}
    found = serial_logs.of(ConsoleSettings(**settings))  # type: ignore[arg-type]  # each is of its type
    assert found is not None
    return found


def tail(logs: NodeLogs, guest: str = "syros-1", *, node: str = NODE, lines: int | None = None) -> bytes:
    return logs.tail(guest, node=node, address="127.0.0.1", lines=lines)


def test_a_nodes_address_is_asked_and_its_name_is_checked(node: Daemon, ca: Path) -> None:
    logs = client(node.seriald.port, ca)
    assert tail(logs) == b"one\ntwo\nthree"
    assert tail(logs, lines=2) == b"two\nthree"
    assert tail(logs, lines=0) == b""


def test_a_guest_that_has_printed_nothing_has_an_empty_log(node: Daemon, ca: Path) -> None:
    assert tail(client(node.seriald.port, ca), "syros-2") == b""


def test_a_node_that_is_not_who_it_should_be_is_told_no_token(node: Daemon, ca: Path) -> None:
    with pytest.raises(Unavailable, match="not who it should be"):
        tail(client(node.seriald.port, ca), node="node2.example.org")


def test_a_node_with_another_token_refuses(node: Daemon, ca: Path) -> None:
    with pytest.raises(Unavailable, match="refused to show its console: 401"):
        tail(client(node.seriald.port, ca, token="another"))


def test_a_node_that_is_down_is_unavailable(ca: Path) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        tail(client(process.free_port(), ca))


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"])
def test_a_node_that_answers_nonsense_or_nothing_is_unavailable_in_time(ca: Path, said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.recv(1000)
                accepted.sendall(said)
                if not said:
                    done.wait(10)

        done = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        began = time.monotonic()
        logs = client(listener.getsockname()[1], ca, plain_http=True, timeout=0.3)
        with pytest.raises(Unavailable):
            tail(logs)
        assert time.monotonic() - began < 5
        done.set()
        thread.join()


def test_no_more_nodes_are_asked_at_once_than_the_operator_wants(ca: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        logs = client(silent.getsockname()[1], ca, plain_http=True, timeout=1.0, connections=1)
        refused: list[str] = []

        def ask() -> None:
            try:
                tail(logs)
            except Unavailable as err:
                refused.append(str(err))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(refused) == 3
    assert any("too many" in reason for reason in refused)


def test_a_file_of_certificates_that_is_not_there_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ca_file"):
        serial_logs.of(ConsoleSettings(token="x", ca_file=str(tmp_path / "absent")))


def test_without_a_token_nobody_is_asked() -> None:
    assert serial_logs.of(ConsoleSettings()) is None
