"""The serial port by the network: `/v1/console/NAME`, beside the operators on the node."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from lab import process
from seriald import port as ports
from tests.unit.seriald.fakes import PATIENCE, TOKEN, Daemon, FakeQemu, operator, read

Start = Callable[..., Daemon]
Qemu = Callable[[str], FakeQemu]
NAME = "syros-1"


def ask(daemon: Daemon, name: str = NAME) -> tuple[socket.socket, bytes]:
    """Ask for a guest's serial port; give the connection, and the answer's head."""
    remote = socket.create_connection(("127.0.0.1", daemon.seriald.port), timeout=PATIENCE)
    lines = ["Connection: Upgrade", "Upgrade: syros-serial", f"Authorization: Bearer {TOKEN}"]
    remote.sendall("\r\n".join([f"GET /v1/console/{name} HTTP/1.1", "Host: node", *lines, "", ""]).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += remote.recv(1)
    return remote, head


def join(daemon: Daemon) -> socket.socket:
    remote, head = ask(daemon)
    assert head.startswith(b"HTTP/1.1 101 ") and b"\r\nUpgrade: syros-serial\r\n" in head
    return remote


def held(start: Start, qemu: Qemu) -> tuple[Daemon, FakeQemu]:
    guest = qemu(NAME)
    daemon = start()
    guest.accept()
    return daemon, guest


def test_bytes_go_both_ways_beside_an_operator_and_the_log(start: Start, qemu: Qemu) -> None:
    daemon, guest = held(start, qemu)
    with join(daemon) as remote, operator(daemon.ctrl, NAME) as local:
        remote.sendall(b"\0\xff")
        assert guest.typed(2) == b"\0\xff"
        local.sendall(b"ls")
        assert guest.typed(2) == b"ls"
        printed = bytes(range(256))
        guest.print(printed)
        assert (read(remote, 256), read(local, 256)) == (printed, printed)
    guest.print(b"\nafter\n")
    assert daemon.wait_log(NAME, b"after\n") == printed + b"\nafter\n"
    assert daemon.get(f"/v1/log/{NAME}?length=2") == (200, b"after\n")


def test_a_ninth_is_told_why_it_is_not_let_in(start: Start, qemu: Qemu) -> None:
    daemon, guest = held(start, qemu)
    with ExitStack() as stack:
        for number in range(8):
            viewer = join(daemon) if number % 2 else operator(daemon.ctrl, NAME)
            stack.enter_context(viewer).sendall(b"x")
            assert guest.typed(1) == b"x"
        with operator(daemon.ctrl, NAME) as local:
            assert read(local, 100) == b"seriald: there are 8 viewers already\r\n"
        remote, head = ask(daemon)
        with remote:
            assert head.startswith(b"HTTP/1.1 503 ")
            assert read(remote, 100) == b"there are 8 viewers already"
    # those who have left make room
    process.wait_until(lambda: not viewers(daemon), what="they have left", timeout=PATIENCE)
    join(daemon).close()


def viewers(daemon: Daemon) -> int:
    return sum(len(port._viewers) for port in daemon.seriald._ports.values())


def test_a_guest_that_is_not_here_has_no_console(start: Start, qemu: Qemu) -> None:
    qemu("mail.example.org")
    daemon = start()
    (daemon.state / "syros-9.log").write_bytes(b"of a guest that has ended")
    for name in ("syros-9", "mail.example.org"):
        remote, head = ask(daemon, name)
        with remote:
            assert head.startswith(b"HTTP/1.1 404 ")


def test_who_does_not_read_delays_neither_the_guest_nor_the_log(
    start: Start, qemu: Qemu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "_RATE", 1 << 30)
    daemon, guest = held(start, qemu)
    with join(daemon) as idle:
        idle.sendall(b"x")
        assert guest.typed(1) == b"x"
        # more than the kernel keeps between the two
        for _ in range(64):
            guest.print(b"y" * 262_144)
        guest.print(b"end")
        daemon.wait_log(NAME, b"end")
        process.wait_until(lambda: not viewers(daemon), what="it is dropped", timeout=PATIENCE)


def test_the_end_of_the_guest_ends_its_viewers_after_its_last_words(start: Start, qemu: Qemu) -> None:
    daemon, guest = held(start, qemu)
    with join(daemon) as remote:
        guest.print(b"bye")
        guest.quit()
        assert read(remote, 100) == b"bye"


def test_a_stop_ends_remote_viewers_and_gives_qemu_its_socket_back(start: Start, qemu: Qemu) -> None:
    daemon, guest = held(start, qemu)
    with join(daemon) as remote, join(daemon) as stuck:
        guest.print(b"shown")
        assert read(remote, 5) == b"shown"
        daemon.stop()
        assert read(remote, 1) == b""
        with contextlib.suppress(ConnectionResetError):
            assert read(stuck, 100) == b"shown"
    assert sorted(path.name for path in daemon.ctrl.iterdir()) == [f"{NAME}.serial"]
