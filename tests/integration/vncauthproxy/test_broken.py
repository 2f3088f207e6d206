"""Ten thousand sessions that come to nothing leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
from pathlib import Path

from common.consoles import Granted, Kind, Protocol
from tests.unit.vncauthproxy import browser as browsers
from tests.unit.vncauthproxy.bed import TOKEN, V8, Bed, Console, Visit, bed
from tests.unit.vncauthproxy.browser import Browser
from tests.unit.vncauthproxy.peers import PATIENCE
from vncauthproxy import rfb
from vncauthproxy.control import Denied

SESSIONS = 10_000
AT_ONCE = 50
SEED = 20261127
PAGE = "https://page.example"


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Breaker:
    """Breaks sessions on either side, as the dice say."""

    def __init__(self, made: Bed) -> None:
        self._made = made
        self._random = random.Random(SEED)
        made.console._script = self.console
        self.opened = self.browsed = self.refused = self.unreachable = self.wired = 0
        self.serial = Console(self.port)
        self.serial_port = 0

    def noise(self) -> bytes:
        return self._random.choice(
            (b"", b"\0", V8, V8[:7], b"RFB 003.003\n", b"GET / HTTP/1.1\r\n\r\n", self._random.randbytes(40))
        )

    async def console(self, visit: Visit) -> None:
        """Be a console that is mostly in order, and sometimes anything."""
        try:
            if self._random.random() < 0.3:
                for _ in range(self._random.randrange(3)):
                    visit.write(self.noise())
                return
            visit.write(V8)
            await visit.read(12)
            visit.write(self._random.choice((b"\1\1", b"\1\1", b"\1\1", b"\0", b"\2\1\2", b"\1\x13", b"\1\5")))
            await visit.read(1)
            visit.write(bytes(4))
            if self._random.random() < 0.7:
                await visit.rest()
        finally:
            visit.close()

    async def port(self, visit: Visit) -> None:
        """Be a seriald that is mostly in order."""
        try:
            await visit.reader.readuntil(b"\r\n\r\n")
            switched = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: syros-serial\r\n\r\n"
            full = b"HTTP/1.1 503 Service Unavailable\r\n\r\n"
            odd = (full, switched[:30], switched[:-30] + b"\r\n\r\n", self.noise())
            visit.write(self._random.choice((switched, switched, switched, *odd)) + self.noise())
            if self._random.random() < 0.7:
                await visit.rest()
        finally:
            visit.close()

    async def one(self) -> None:
        """One session, by whatever way it ends."""
        if self._random.random() < 0.1:
            await self._talk()
        try:
            kind = self._random.choice((Kind.VNC, Kind.VNC, Kind.WEBSOCKET))
            view_only = self._random.random() < 0.5
            serial = kind is Kind.WEBSOCKET and self._random.random() < 0.5
            told: dict[str, object] = {
                "protocol": Protocol.SERIAL, "guest": "syros-1", "port": self.serial_port,
            } if serial else {}  # fmt: skip
            # few servers, so that some are taken over
            server = f"s{self._random.randrange(100)}"
            take_over = not view_only and self._random.random() < 0.3
            way = await self._made.forward(kind=kind, view_only=view_only, server=server, take_over=take_over, **told)
        except Denied as err:
            assert err.code == "unreachable", err
            self.unreachable += 1
            return
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await (self._visit(way) if kind is Kind.VNC else self._browse(way, serial=serial))
        with contextlib.suppress(Denied):
            self._made.service.kill(session=way.session, server=None, user=None, project=None)

    async def _talk(self) -> None:
        """Say something to the control channel."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._made.service.control_port)
        writer.write(self._random.choice((self.noise(), b'{"op": "forward", "token": "%s"}\n' % TOKEN.encode())))
        if self._random.random() < 0.5:
            writer.write(b"\n")
            await reader.readline()
        writer.close()

    async def _browse(self, way: Granted, *, serial: bool) -> None:
        browser = await Browser.connect(self._made.service.web_port)
        try:
            if self._random.random() < 0.3:
                browser.visit.write(self.noise())
                return
            assert await browser.open(way.secret, origin=PAGE) == 101
            if self._random.random() < 0.3:
                browser.visit.write(self.noise())
            elif serial:
                browser.send(self.noise(), opcode=self._random.choice((browsers.BINARY, browsers.TEXT)))
                self.wired += 1
            else:
                await browser.shake_hands()
                self.browsed += 1
                browser.send(b"\1" + self.noise(), opcode=self._random.choice((browsers.BINARY, browsers.TEXT)))
            if self._random.random() < 0.5:
                browser.send(b"\3\xe8", opcode=browsers.CLOSE)
        finally:
            browser.visit.close()

    async def _visit(self, way: Granted) -> None:
        viewer = Visit(*await asyncio.open_connection(way.host, way.port))
        try:
            if self._random.random() < 0.4:
                viewer.write(self.noise())
                return
            await viewer.read(12)
            viewer.write(V8)
            await viewer.read(2)
            viewer.write(self._random.choice((b"\2", b"\2", b"\2", b"\1")))
            challenge = await viewer.read(16)
            right = rfb.response(challenge, way.secret.encode())
            viewer.write(self._random.choice((right, right, right[:9], self._random.randbytes(16))))
            if await viewer.read(4) == bytes(4):
                self.opened += 1
                viewer.write(b"\1" + self.noise())
                if self._random.random() < 0.3:
                    await viewer.writer.drain()
            else:
                self.refused += 1
        finally:
            viewer.close()


def test_ten_thousand_broken_sessions_leave_no_task_and_no_socket() -> None:
    async def test() -> None:
        web: dict[str, object] = {
            "public_url": "ws://console.example/", "plain_web": True, "web_host": "127.0.0.1", "web_port": 0,
            "origins": (PAGE,),
        }  # fmt: skip
        told = {"viewer_seconds": 1.0, "console_seconds": 1.0, "sessions_per_user": 1000, "plain_serial": True}
        async with bed(**told, serial_ports="1-65535", **web) as made:
            breaker = Breaker(made)
            breaker.serial_port = await breaker.serial.start()
            gc.collect()
            files, tasks = descriptors(), len(asyncio.all_tasks())
            left = iter(range(SESSIONS))

            async def some() -> None:
                for _ in left:
                    await breaker.one()

            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(some())
            # each kind of end was come to often, on a slow machine too
            assert min(breaker.opened, breaker.browsed, breaker.wired, breaker.refused, breaker.unreachable) > 100
            assert made.service.sessions() == []
            async with asyncio.timeout(PATIENCE):
                while descriptors() > files or len(asyncio.all_tasks()) > tasks:
                    gc.collect()
                    await asyncio.sleep(0.05)
            breaker.serial.stop()

    asyncio.run(test())
