"""What a daemon tells systemd: ready, alive, stopping."""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from common import supervisor
from common.supervisor import Supervisor


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Stand in for systemd's end of the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield receiver


def test_without_a_supervisor_nothing_is_told_and_nothing_fails() -> None:
    nobody = Supervisor({})
    nobody.tell("READY=1")
    assert nobody.patience is None


def test_one_that_is_gone_does_not_matter(tmp_path: Path) -> None:
    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).tell("READY=1")


def test_an_abstract_socket_is_reached() -> None:
    name = f"syros-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{name}")
        receiver.settimeout(30)
        Supervisor({"NOTIFY_SOCKET": f"@{name}"}).tell("READY=1")
        assert receiver.recv(100) == b"READY=1"


def test_signs_of_life_come_thrice_within_the_patience() -> None:
    watched = Supervisor({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())})
    assert watched.patience == 30.0
    assert watched.pace == 10.0


def test_the_watchdog_of_another_process_is_not_ours() -> None:
    assert Supervisor({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}).patience is None


def test_a_daemon_of_threads_tells_its_life(told: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000")
    stop = threading.Event()
    daemon = threading.Thread(target=supervisor.until, args=(stop,))
    daemon.start()
    try:
        assert [told.recv(100), told.recv(100), told.recv(100)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    finally:
        stop.set()
        daemon.join(30)
    assert _rest(told)[-1] == b"STOPPING=1"


def test_a_daemon_of_a_loop_tells_its_life(told: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000")

    async def serve() -> list[bytes]:
        stop = asyncio.Event()
        serving = asyncio.create_task(supervisor.until_set(stop))
        heard = [await asyncio.to_thread(told.recv, 100) for _ in range(3)]
        stop.set()
        await serving
        return heard

    assert asyncio.run(serve()) == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    assert _rest(told)[-1] == b"STOPPING=1"


def _rest(told: socket.socket) -> list[bytes]:
    told.setblocking(False)
    heard = []
    while True:
        try:
            heard.append(told.recv(100))
        except BlockingIOError:
            return heard
