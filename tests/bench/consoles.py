"""Consoles through vncauthproxy, against a direct connection and websockify alone, in turns; and memory for each.

Who shows and who looks are the same each time, and take their share of the machine: what is compared is the whole way.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from common.console_proxy import ConsoleProxy
from common.consoles import Forward, Granted, Kind
from lab import process
from tests.bench import figures
from tests.unit.vncauthproxy.bed import V8, Visit
from tests.unit.vncauthproxy.browser import Browser
from vncauthproxy import rfb

TOTAL = 64 * 1024 * 1024
ROUNDS = 5
CROWDS = (1, 100)
SESSIONS = 500
PATIENCE = 120.0

_TOKEN = "bench"
_PAGE = "https://page.example"

Way = Callable[[], Awaitable[Visit]]


def measure() -> tuple[list[figures.Figure], list[figures.Size]]:
    """Give the times in which 64 MiB are shown, by one session and by a hundred, and the memory of a session."""
    _allow_many_files()
    speeds = []
    for crowd in CROWDS:
        with _bed(TOTAL // crowd) as bed:
            speeds += asyncio.run(bed.compare(crowd, TOTAL // crowd))
    with _bed(1) as bed:
        return speeds, asyncio.run(bed.sizes())


class _Bed:
    """The console, the proxy and websockify, as processes."""

    def __init__(self, size: int) -> None:
        self.screen, self.web, self.websockify = (process.free_port() for _ in range(3))
        control = process.free_port()
        first = process.free_port()
        told = {
            "CONTROL_PORT": control, "PLAIN_CONTROL": "true", "TOKEN": _TOKEN, "DESTINATIONS": "127.0.0.0/8",
            "DESTINATION_PORTS": "1-65535", "PORTS": f"{first}-{first + 1000}", "HOST": "127.0.0.1",
            "PUBLIC_HOST": "127.0.0.1", "WEB_HOST": "127.0.0.1", "WEB_PORT": self.web, "PLAIN_WEB": "true",
            "PUBLIC_URL": f"ws://127.0.0.1:{self.web}/", "ORIGINS": _PAGE, "SESSIONS_PER_USER": 4096,
            "METRICS_ADDRESS": "",
        }  # fmt: skip
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SYROS_")}
        environ |= {f"SYROS_VNCAUTHPROXY_{name}": str(value) for name, value in told.items()}
        environ |= {"SYROS_LOG_LEVEL": "ERROR"}
        commands = (
            [sys.executable, "-m", "tests.bench.screen", str(self.screen), str(size)],
            [sys.executable, "-m", "websockify", f"127.0.0.1:{self.websockify}", f"127.0.0.1:{self.screen}"],
            [sys.executable, "-m", "vncauthproxy"],
        )
        self._processes = [
            subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for command in commands
        ]
        self.control = ConsoleProxy("127.0.0.1", control, tls=None, token=_TOKEN, timeout=PATIENCE)
        for port in (self.screen, self.websockify, control):
            process.wait_until(lambda port=port: _listens(port), what=f"port {port}", timeout=PATIENCE)

    def stop(self) -> None:
        for each in self._processes:
            each.terminate()
        for each in self._processes:
            each.wait(PATIENCE)

    async def compare(self, crowd: int, size: int) -> list[figures.Figure]:
        ways: dict[str, Way] = {
            "direct": self._direct,
            "vncauthproxy, native": self._native,
            "websockify alone": self._by_websockify,
            "vncauthproxy, WebSocket": self._browser,
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                visits = [await way() for _ in range(crowd)]
                started = time.perf_counter()
                await asyncio.gather(*(_look(visit, size) for visit in visits))
                taken[name].append(time.perf_counter() - started)
                for visit in visits:
                    await visit.closed()
        medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
        direct, websockify = medians["direct"], medians["websockify alone"]
        what = "one session" if crowd == 1 else f"{crowd} sessions at once"
        return [
            figures.of(
                f"{name}: {what}",
                seconds,
                f"{medians[name] / direct:.1f} times direct, {medians[name] / websockify:.2f} times websockify",
            )
            for name, seconds in taken.items()
        ]

    async def sizes(self) -> list[figures.Size]:
        before = self._resident()
        found = [figures.Size("vncauthproxy without sessions", before)]
        for name, way in (("native", self._native), ("WebSocket", self._browser)):
            visits = [await way() for _ in range(SESSIONS)]
            now = self._resident()
            each = (now - before) / SESSIONS
            found.append(figures.Size(f"with {SESSIONS} sessions, {name}", now, f"{each:.1f} KiB each"))
            for visit in visits:
                await visit.closed()
            process.wait_until(lambda: not self.control.sessions(), what="no session", timeout=PATIENCE)
        return found

    def _resident(self) -> int:
        """KiB of the proxy's memory."""
        status = Path(f"/proc/{self._processes[2].pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))

    async def _direct(self) -> Visit:
        visit = Visit(*await asyncio.open_connection("127.0.0.1", self.screen, limit=1024 * 1024))
        await visit.read(12)
        visit.write(V8)
        await visit.read(2)
        visit.write(b"\1")
        await visit.read(4)
        return visit

    async def _native(self) -> Visit:
        way = await self._granted(Kind.VNC)
        visit = Visit(*await asyncio.open_connection(way.host, way.port, limit=1024 * 1024))
        await visit.read(12)
        visit.write(V8)
        await visit.read(2)
        visit.write(b"\2")
        visit.write(rfb.response(await visit.read(16), way.secret.encode()))
        await visit.read(4)
        return visit

    async def _browser(self) -> Visit:
        way = await self._granted(Kind.WEBSOCKET)
        return await self._websocket(self.web, way.secret)

    async def _by_websockify(self) -> Visit:
        return await self._websocket(self.websockify, None)

    async def _websocket(self, port: int, ticket: str | None) -> Visit:
        browser = await Browser.connect(port, limit=1024 * 1024)
        if await browser.open(ticket, origin=_PAGE, protocol="binary") != 101:
            raise RuntimeError(browser.head)
        await browser.shake_hands()
        return _Framed(browser.visit.reader, browser.visit.writer, browser)

    async def _granted(self, kind: Kind) -> Granted:
        request = Forward(
            host="127.0.0.1", port=self.screen, kind=kind, seconds=60.0, server="s", user="u", project="p",
            request_id="req-1",
        )  # fmt: skip
        return await asyncio.to_thread(self.control.forward, request)


class _Framed(Visit):
    """A visit whose bytes go in frames; what comes is counted with its frames, which are some in a thousand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, browser: Browser) -> None:
        super().__init__(reader, writer)
        self._browser = browser

    def write(self, data: bytes) -> None:
        self._browser.send(data)


async def _look(visit: Visit, size: int) -> None:
    """Have it shown, and look until all of it is."""
    visit.write(b"\1")
    # sent at once, whatever form it has
    await visit.writer.drain()
    left = size
    while left > 0:
        seen = await visit.reader.read(1024 * 1024)
        if not seen:
            raise RuntimeError(f"{left} of {size} bytes were not shown")
        left -= len(seen)


def _listens(port: int) -> bool:
    return bool(subprocess.run(["ss", "-Hltn", f"sport = :{port}"], capture_output=True, check=True).stdout)


def _allow_many_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextlib.contextmanager
def _bed(size: int) -> Iterator[_Bed]:
    made = _Bed(size)
    try:
        yield made
    finally:
        made.stop()
