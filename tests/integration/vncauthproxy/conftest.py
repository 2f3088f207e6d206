"""A vncauthproxy as a process of its own, and QEMUs with nothing but a screen."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common import console_proxy
from common.console_proxy import ConsoleProxy
from common.consoles import Forward, Granted, Kind
from lab import process
from tests.conftest import missing
from tests.support.authority import Authority

PATIENCE = 60.0
TOKEN = "between-api-and-proxy"
_numbers = itertools.count(1)


class Proxy:
    """The program, its log, and a client of its control channel."""

    def __init__(self, folder: Path, authority: Authority, **more: object) -> None:
        folder.mkdir()
        self._log = folder / "log"
        cert, key = authority.issue("proxy")
        first = process.free_port()
        told: dict[str, object] = {
            "control_port": 0,
            "control_cert": str(cert),
            "control_key": str(key),
            "token": TOKEN,
            "destinations": ["127.0.0.0/8", "::1/128"],
            "destination_ports": "1-65535",
            "ports": f"{first}-{first + 40}",
            "public_host": "127.0.0.1",
            "metrics_address": "",
            **more,
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in told.items()]
        config = folder / "syros.toml"
        config.write_text("\n".join(["[vncauthproxy]", *lines, "[log]", 'format = "json"', ""]))
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SYROS_")}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "vncauthproxy", "--config", str(config)],
                env=environ,
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        process.wait_until(
            lambda: bool(self.events("vncauthproxy.started")), what=f"no proxy: {self.log}", timeout=PATIENCE
        )
        self.port = int(str(self.events("vncauthproxy.started")[0]["port"]))
        self.control = ConsoleProxy(
            "127.0.0.1", self.port, tls=console_proxy.trust(str(authority.ca)), token=TOKEN, timeout=PATIENCE
        )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def events(self, name: str) -> list[dict[str, object]]:
        """The lines of the log with this event."""
        lines = [line for line in self.log.splitlines(keepends=True) if line.endswith("\n")]
        return [found for found in map(json.loads, lines) if found["event"] == name]

    def wait_event(self, name: str, **facts: object) -> dict[str, object]:
        """The first line with this event, and with these facts."""

        def found() -> list[dict[str, object]]:
            return [event for event in self.events(name) if facts.items() <= event.items()]

        process.wait_until(lambda: bool(found()), what=f"{name} {facts} in {self.log}", timeout=PATIENCE)
        return found()[0]

    def forward(self, port: int, **more: object) -> Granted:
        wanted: dict[str, object] = {
            "host": "127.0.0.1",
            "port": port,
            "kind": Kind.VNC,
            "seconds": 60.0,
            "server": f"server-{next(_numbers)}",
            "user": "u1",
            "project": "p1",
            "request_id": "req-1",
            **more,
        }
        return self.control.forward(Forward(**wanted))  # type: ignore[arg-type]  # each is of its type

    def stop(self) -> int:
        """End it as systemd does; give its exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(PATIENCE)

    def hang_up(self) -> None:
        """Have it read its certificates anew."""
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)


class Qemu:
    """A QEMU without a guest: its screen says that there is no display, and its log which keys came."""

    def __init__(self, folder: Path, options: str = "", objects: tuple[str, ...] = ()) -> None:
        folder.mkdir()
        self._log = folder / "log"
        self.port = process.free_port()
        command = ["qemu-system-x86_64", "-M", "none", "-display", "none", "-nodefaults", "-trace", "vnc_key_event*"]
        command += ["-trace", "vnc_client_connect"]
        for each in objects:
            command += ["-object", each]
        # a display may be numbered below zero: 5900 and it are the port
        command += ["-vnc", f"127.0.0.1:{self.port - 5900}{options}"]
        self._process = process.Guarded(command, log=self._log)
        process.wait_until(self._listens, what=f"no QEMU: {self.log}", timeout=PATIENCE)

    def _listens(self) -> bool:
        listening = subprocess.run(["ss", "-Hltn", f"sport = :{self.port}"], capture_output=True, check=True)
        return bool(listening.stdout)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def keys(self) -> list[int]:
        """The keysyms that came, of keys that were pressed."""
        return [int(found[1], 16) for found in re.finditer(r"vnc_key_event_\w+ down 1, sym (0x[0-9a-f]+)", self.log)]

    def end(self) -> None:
        self._process.kill()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def start(tmp_path: Path, authority: Authority) -> Iterator[Callable[..., Proxy]]:
    """Start a proxy; it ends with the test."""
    started: list[Proxy] = []

    def make(**more: object) -> Proxy:
        started.append(Proxy(tmp_path / f"proxy-{len(started)}", authority, **more))
        return started[-1]

    yield make
    for each in started:
        each.kill()


@pytest.fixture
def qemu(tmp_path: Path) -> Iterator[Callable[..., Qemu]]:
    """Start a QEMU; it ends with the test."""
    if shutil.which("qemu-system-x86_64") is None:
        missing("no QEMU: Debian's qemu-system-x86")
    started: list[Qemu] = []

    def make(options: str = "", *objects: str) -> Qemu:
        started.append(Qemu(tmp_path / f"qemu-{len(started)}", options, objects))
        return started[-1]

    yield make
    for each in started:
        each.end()
