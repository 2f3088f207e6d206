"""A guest's output is kept whoever restarts, and operators reach its console as before."""

from __future__ import annotations

import os
import resource
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab import process
from tests.support.authority import Authority
from tests.unit.seriald.fakes import PATIENCE, TOKEN, Daemon, FakeQemu, operator, read

Start = Callable[..., Daemon]
Qemu = Callable[[str], FakeQemu]
NAME = "syros-1"


def test_what_a_guest_prints_is_kept_from_the_moment_it_appears(start: Start, qemu: Qemu) -> None:
    daemon = start()
    guest = qemu(NAME)
    guest.accept()
    guest.print(b"boot\r\nlogin: ")
    assert daemon.wait_log(NAME, b"login: ") == b"boot\r\nlogin: "


def test_a_guest_that_runs_already_is_taken_up_at_the_start(start: Start, qemu: Qemu) -> None:
    guest = qemu(NAME)
    daemon = start()
    assert daemon.holds(NAME)
    guest.accept()
    guest.print(b"late\n")
    daemon.wait_log(NAME, b"late\n")


def test_an_operator_sees_and_types_as_before_and_so_does_a_second(start: Start, qemu: Qemu) -> None:
    guest = qemu(NAME)
    daemon = start()
    guest.accept()
    with operator(daemon.ctrl, NAME) as one, operator(daemon.ctrl, NAME) as two:
        one.sendall(b"ls\n")
        two.sendall(b"ps\n")
        assert sorted(guest.typed(6).splitlines()) == [b"ls", b"ps"]
        guest.print(b"bin etc\n")
        assert (read(one, 8), read(two, 8)) == (b"bin etc\n", b"bin etc\n")
    guest.print(b"after\n")
    daemon.wait_log(NAME, b"after\n")


def test_an_operator_who_does_not_read_stops_neither_the_guest_nor_the_log(start: Start, qemu: Qemu) -> None:
    guest = qemu(NAME)
    daemon = start()
    guest.accept()
    with operator(daemon.ctrl, NAME) as idle:
        idle.sendall(b"x")
        assert guest.typed(1) == b"x"
        for _ in range(40):
            guest.print(b"y" * 65_536)
        guest.print(b"end")
        daemon.wait_log(NAME, b"end")


def test_the_console_is_only_for_who_owns_the_daemon(start: Start, qemu: Qemu) -> None:
    qemu(NAME)
    daemon = start()
    assert stat.S_IMODE((daemon.ctrl / f"{NAME}.serial").stat().st_mode) == 0o600
    assert stat.S_IMODE(daemon.state.stat().st_mode) == 0o700


def test_a_stop_gives_qemu_its_socket_back(start: Start, qemu: Qemu) -> None:
    guest = qemu(NAME)
    daemon = start()
    guest.accept()
    guest.print(b"before")
    daemon.wait_log(NAME, b"before")
    daemon.stop()
    assert sorted(path.name for path in daemon.ctrl.iterdir()) == [f"{NAME}.serial"]
    assert guest.lost_client()
    with operator(daemon.ctrl, NAME) as direct:
        guest.accept()
        guest.print(b"direct")
        assert read(direct, 6) == b"direct"


def test_the_end_of_a_guest_leaves_its_log_and_nothing_of_ours(start: Start, qemu: Qemu) -> None:
    daemon = start()
    guest = qemu(NAME)
    guest.accept()
    daemon.wait_held(NAME)
    guest.print(b"bye")
    guest.quit()
    process.wait_until(lambda: not list(daemon.ctrl.iterdir()), what="it ends", timeout=PATIENCE)
    assert not daemon.holds(NAME)
    assert daemon.log(NAME) == b"bye"


def test_a_connection_that_qemu_drops_while_it_lives_is_made_again(start: Start, qemu: Qemu) -> None:
    daemon = start()
    guest = qemu(NAME)
    guest.accept()
    daemon.wait_held(NAME)
    guest.hang_up()
    guest.accept()
    guest.print(b"still here")
    daemon.wait_log(NAME, b"still here")
    daemon.wait_held(NAME)
    with operator(daemon.ctrl, NAME) as seen:
        seen.sendall(b"x")
        assert guest.typed(1) == b"x"


def test_operators_who_were_there_first_are_waited_for(start: Start, qemu: Qemu) -> None:
    guest = qemu(NAME)
    with ExitStack() as stack:
        waiting = [stack.enter_context(operator(guest.path.parent, NAME)) for _ in range(2)]
        daemon = start(rescan_seconds=0.05)
        assert not daemon.holds(NAME)
        for _ in waiting:
            guest.accept()
        daemon.wait_held(NAME)
    guest.accept()
    guest.print(b"heard")
    daemon.wait_log(NAME, b"heard")


def test_a_guest_that_starts_again_goes_on_in_its_log(start: Start, qemu: Qemu) -> None:
    daemon = start()
    first = qemu(NAME)
    first.accept()
    daemon.wait_held(NAME)
    first.print(b"one\n")
    daemon.wait_log(NAME, b"one\n")
    first.quit()
    second = qemu(NAME)
    second.accept()
    second.print(b"two\n")
    assert daemon.wait_log(NAME, b"two\n") == b"one\ntwo\n"


def test_a_guest_that_came_back_before_the_old_one_was_seen_to_end_keeps_its_socket(start: Start, qemu: Qemu) -> None:
    daemon = start()
    first = qemu(NAME)
    first.accept()
    daemon.wait_held(NAME)
    second = FakeQemu(daemon.ctrl, NAME)
    first.end()
    second.accept()
    second.print(b"second")
    daemon.wait_log(NAME, b"second")
    with operator(daemon.ctrl, NAME) as seen:
        seen.sendall(b"x")
        assert second.typed(1) == b"x"
    second.quit()


def test_a_guest_of_somebody_else_is_left_alone(start: Start, qemu: Qemu) -> None:
    qemu("mail.example.org")
    guest = qemu(NAME)
    daemon = start()
    guest.accept()
    assert daemon.seriald.guests == {NAME}
    names = sorted(path.name for path in daemon.ctrl.iterdir())
    assert names == ["mail.example.org.serial", f"{NAME}.serial", f"{NAME}.serial.qemu"]
    assert daemon.get("/v1/log/mail.example.org")[0] == 404


def test_a_folder_that_is_not_there_yet_is_taken_up_when_it_is(start: Start, tmp_path: Path) -> None:
    later = tmp_path / "later"
    daemon = start(ctrl_dir=later, rescan_seconds=0.05)
    later.mkdir()
    guest = FakeQemu(later, NAME)
    daemon.wait_held(NAME)
    guest.quit()


def test_a_thousand_guests_are_held_at_once_and_each_has_its_own_log(start: Start, qemu: Qemu) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    guests = {f"syros-{number}": qemu(f"syros-{number}") for number in range(1000)}
    daemon = start()
    assert len(daemon.seriald.guests) == len(guests)
    for name, guest in guests.items():
        guest.accept()
        guest.print(name.encode())
    for name in guests:
        assert daemon.wait_log(name, name.encode()) == name.encode()


def test_a_guest_that_prints_without_end_takes_bounded_room_and_delays_no_other(start: Start, qemu: Qemu) -> None:
    loud, quiet = qemu("syros-loud"), qemu("syros-quiet")
    daemon = start(log_kib=64)
    loud.accept()
    quiet.accept()
    for number in range(64):
        loud.print(b"%04d" % number * 8192)
        if number == 32:
            quiet.print(b"still here")
    loud.print(b"end")
    daemon.wait_log("syros-quiet", b"still here")
    kept = daemon.wait_log("syros-loud", b"0063end")
    assert len(kept) == 64 * 1024
    assert sum(path.stat().st_size for path in daemon.state.glob("syros-loud*")) < 2 * 64 * 1024


def test_the_log_of_a_guest_long_gone_is_removed_and_that_of_one_that_runs_is_not(start: Start, qemu: Qemu) -> None:
    state = Path(qemu(NAME).path).parent.parent / "state"
    state.mkdir()
    for name in ("syros-gone", NAME, "syros-recent"):
        (state / f"{name}.log").write_bytes(b"x")
    (state / "syros-gone.log.1").write_bytes(b"x")
    old = time.time() - 31 * 86_400
    for name in ("syros-gone.log", "syros-gone.log.1", f"{NAME}.log"):
        os.utime(state / name, (old, old))
    start(rescan_seconds=0.05)
    process.wait_until(lambda: not list(state.glob("syros-gone*")), what="it is removed", timeout=PATIENCE)
    assert sorted(path.name for path in state.iterdir()) == [f"{NAME}.log", "syros-recent.log"]


@pytest.fixture
def killed(tmp_path: Path, qemu: Qemu) -> tuple[FakeQemu, Path]:
    """A guest whose seriald was killed while it held its port, and the folder of both."""
    guest = qemu(NAME)
    config = tmp_path / "syros.toml"
    config.write_text(
        f'[seriald]\nctrl_dir = "{tmp_path}/ctrl"\nstate_dir = "{tmp_path}/state"\nhost = "127.0.0.1"\n'
        f'port = {process.free_port()}\ntoken = "{TOKEN}"\nplain_http = true\n'
    )
    command = [sys.executable, "-m", "seriald", "--config", str(config)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[3]) as running:
        guest.accept()
        guest.print(b"before\n")
        log = tmp_path / "state" / f"{NAME}.log"
        process.wait_until(lambda: log.exists() and log.stat().st_size == 7, what="it is kept", timeout=PATIENCE)
        process.wait_until(guest.parked.exists, what="the port is held", timeout=PATIENCE)
        running.send_signal(signal.SIGKILL)
    assert guest.lost_client()
    return guest, tmp_path


def test_after_a_crash_the_next_one_goes_on_with_the_log(killed: tuple[FakeQemu, Path], start: Start) -> None:
    guest, _ = killed
    daemon = start()
    assert daemon.holds(NAME)
    guest.accept()
    guest.print(b"after\n")
    assert daemon.wait_log(NAME, b"after\n") == b"before\nafter\n"
    with operator(daemon.ctrl, NAME) as seen:
        seen.sendall(b"x")
        assert guest.typed(1) == b"x"


def test_a_guest_that_ended_after_a_crash_leaves_nothing(killed: tuple[FakeQemu, Path], start: Start) -> None:
    guest, _ = killed
    guest.quit()
    daemon = start()
    assert daemon.seriald.guests == set()
    assert not guest.parked.exists()
    assert daemon.log(NAME) == b"before\n"


def test_a_guest_that_started_again_after_a_crash_is_the_one_that_is_heard(
    killed: tuple[FakeQemu, Path], start: Start, qemu: Qemu
) -> None:
    guest, _ = killed
    guest.quit()
    again = qemu(NAME)
    daemon = start()
    assert daemon.holds(NAME)
    again.accept()
    again.print(b"again\n")
    assert daemon.wait_log(NAME, b"again\n") == b"before\nagain\n"


def test_a_crash_between_two_names_of_one_socket_is_recovered_from(start: Start, qemu: Qemu) -> None:
    guest = qemu(NAME)
    os.link(guest.path, guest.parked)
    (guest.path.parent / f"{NAME}.serial.new").touch()
    daemon = start()
    guest.accept()
    guest.print(b"heard")
    daemon.wait_log(NAME, b"heard")
    daemon.stop()
    assert sorted(path.name for path in daemon.ctrl.iterdir()) == [f"{NAME}.serial"]


def test_a_sighup_renews_the_certificate_and_ends_no_console(tmp_path: Path, qemu: Qemu) -> None:
    guest = qemu(NAME)
    authority = Authority(tmp_path / "authority")
    cert, key = authority.issue("node")
    port = process.free_port()
    config = tmp_path / "syros.toml"
    config.write_text(
        f'[seriald]\nctrl_dir = "{tmp_path}/ctrl"\nstate_dir = "{tmp_path}/state"\nhost = "127.0.0.1"\n'
        f'port = {port}\ntoken = "{TOKEN}"\ncert = "{cert}"\nkey = "{key}"\n'
    )
    said = tmp_path / "said"
    command = [sys.executable, "-m", "seriald", "--config", str(config)]

    def heard(event: str, times: int) -> None:
        process.wait_until(lambda: said.read_text().count(event) >= times, what=event, timeout=PATIENCE, every=0.02)

    with said.open("w") as file, ExitStack() as stack:
        running = stack.enter_context(subprocess.Popen(command, cwd=Path(__file__).parents[3], stderr=file))
        stack.callback(running.terminate)
        heard("seriald.started", 1)
        guest.accept()
        before = authority.serial_shown(port)
        tls = ssl.create_default_context(cafile=authority.ca)
        plain = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))
        viewer = stack.enter_context(tls.wrap_socket(plain, server_hostname="127.0.0.1"))
        lines = ["Connection: Upgrade", "Upgrade: syros-serial", f"Authorization: Bearer {TOKEN}"]
        viewer.sendall("\r\n".join([f"GET /v1/console/{NAME} HTTP/1.1", "Host: node", *lines, "", ""]).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += viewer.recv(1)
        authority.issue("node")
        running.send_signal(signal.SIGHUP)
        heard("certificate.read", 1)
        after = authority.serial_shown(port)
        assert after != before
        cert.write_text("nothing")
        running.send_signal(signal.SIGHUP)
        heard("certificate.unusable", 1)
        assert authority.serial_shown(port) == after
        guest.print(b"still")
        assert read(viewer, 5) == b"still"
