"""The program: its control channel and its front over TLS, by IPv6, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from common import console_proxy
from common.console_proxy import ConsoleProxy, ConsoleProxyRefused, ConsoleProxyUnreachable
from common.consoles import Kind
from lab import process
from tests.conftest import missing
from tests.integration.vncauthproxy.conftest import PATIENCE, TOKEN, Proxy, Qemu
from tests.support.authority import Authority
from tests.unit.vncauthproxy.bed import Console
from tests.unit.vncauthproxy.browser import Browser


def test_only_the_proxy_s_own_certificate_is_believed(
    start: Callable[..., Proxy], authority: Authority, tmp_path: Path
) -> None:
    proxy = start()
    assert proxy.control.sessions() == []
    strange = console_proxy.trust(str(Authority(tmp_path / "other").ca))
    with pytest.raises(ConsoleProxyUnreachable, match="certificate verify failed"):
        ConsoleProxy("127.0.0.1", proxy.port, tls=strange, token=TOKEN, timeout=PATIENCE).sessions()
    with pytest.raises(ConsoleProxyUnreachable):
        ConsoleProxy("127.0.0.1", proxy.port, tls=None, token=TOKEN, timeout=PATIENCE).sessions()
    trusted = console_proxy.trust(str(authority.ca))
    with pytest.raises(ConsoleProxyRefused, match="token"):
        ConsoleProxy("127.0.0.1", proxy.port, tls=trusted, token="guess", timeout=PATIENCE).sessions()
    # who was turned away has not hurt anybody
    assert proxy.control.sessions() == []
    assert TOKEN not in proxy.log


def test_a_client_certificate_is_asked_for_where_that_is_wanted(
    start: Callable[..., Proxy], authority: Authority, tmp_path: Path
) -> None:
    proxy = start(control_ca=str(authority.ca), token="")

    def client(tls: ssl.SSLContext) -> ConsoleProxy:
        return ConsoleProxy("127.0.0.1", proxy.port, tls=tls, timeout=PATIENCE)

    cert, key = authority.issue("api")
    assert client(console_proxy.trust(str(authority.ca), cert=str(cert), key=str(key))).sessions() == []
    with pytest.raises(ConsoleProxyUnreachable):
        client(console_proxy.trust(str(authority.ca))).sessions()
    cert, key = Authority(tmp_path / "other").issue("api")
    with pytest.raises(ConsoleProxyUnreachable):
        client(console_proxy.trust(str(authority.ca), cert=str(cert), key=str(key))).sessions()


def test_browsers_come_over_tls(start: Callable[..., Proxy], qemu: Callable[..., Qemu], authority: Authority) -> None:
    cert, key = authority.issue("web")
    proxy = start(
        web_host="127.0.0.1",
        web_port=0,
        web_cert=str(cert),
        web_key=str(key),
        public_url="wss://127.0.0.1/",
        origins=["https://page.example"],
    )
    port = int(str(proxy.events("vncauthproxy.started")[0]["web_port"]))
    way = proxy.forward(qemu().port, kind=Kind.WEBSOCKET)

    async def look() -> bytes:
        tls = ssl.create_default_context(cafile=authority.ca)
        async with asyncio.timeout(PATIENCE):
            viewer = await Browser.connect(port, ssl=tls)
            assert await viewer.open(way.secret, origin="https://page.example") == 101
            await viewer.shake_hands()
            viewer.send(b"\1")
            # ServerInit: width, height, pixel format, the name's length and the name
            head = await viewer.read(24)
            name = await viewer.read(int.from_bytes(head[20:24], "big"))
            # the first screen is larger than any buffer on the way
            viewer.send(b"\3\0" + bytes(4) + head[:4])
            while await viewer.read(4) != b"\0\0\0\1":
                pass
            await viewer.read(8 + 4)
            width, height = int.from_bytes(head[:2], "big"), int.from_bytes(head[2:4], "big")
            assert len(await viewer.read(width * height * head[4] // 8)) > 256 * 1024
            await viewer.visit.closed()
            return name

    assert b"QEMU" in asyncio.run(look())
    proxy.wait_event("session.ended", kind="websocket", reason="viewer_left")
    assert way.secret not in proxy.log


@pytest.fixture
def served(start: Callable[..., Proxy], authority: Authority) -> Callable[..., tuple[Proxy, int, tuple[Path, Path]]]:
    """Start a proxy that serves browsers by TLS; give the port, and its certificate's files."""

    def make(**more: object) -> tuple[Proxy, int, tuple[Path, Path]]:
        cert, key = authority.issue("web")
        proxy = start(
            web_host="127.0.0.1", web_port=0, web_cert=str(cert), web_key=str(key), public_url="wss://127.0.0.1/",
            origins=["https://page.example"], **more,
        )  # fmt: skip
        return proxy, int(str(proxy.events("vncauthproxy.started")[0]["web_port"])), (cert, key)

    return make


def test_those_who_are_slow_in_tls_are_strangers_too(
    served: Callable[..., tuple[Proxy, int, tuple[Path, Path]]], qemu: Callable[..., Qemu], authority: Authority
) -> None:
    proxy, port, _ = served(connections=3, connections_per_address=2)
    way = proxy.forward(qemu().port, kind=Kind.WEBSOCKET)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE)) for _ in range(2)]
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as third:
            assert third.recv(1) == b""
        slow[0].close()

        async def look() -> int:
            tls = ssl.create_default_context(cafile=authority.ca)
            # until the proxy has seen that one has left
            async with asyncio.timeout(PATIENCE):
                while True:
                    with contextlib.suppress(OSError):
                        viewer = await Browser.connect(port, ssl=tls)
                        status = await viewer.open(way.secret)
                        viewer.visit.writer.transport.abort()
                        return status

        assert asyncio.run(look()) == 101


def test_who_does_not_get_through_tls_in_time_is_dropped(
    served: Callable[..., tuple[Proxy, int, tuple[Path, Path]]],
) -> None:
    proxy, port, _ = served(viewer_seconds=0.2, connections=1)
    for sent in (b"", b"\x16\x03\x01"):
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as slow:
            slow.sendall(sent)
            with contextlib.suppress(ConnectionResetError):
                assert slow.recv(100) == b""
        proxy.wait_event("viewer.insecure")


def test_a_sighup_renews_certificates_and_ends_nothing(
    served: Callable[..., tuple[Proxy, int, tuple[Path, Path]]],
    qemu: Callable[..., Qemu],
    authority: Authority,
) -> None:
    proxy, port, web = served()
    before = [authority.serial_shown(each) for each in (proxy.port, port)]
    way = proxy.forward(qemu().port, kind=Kind.WEBSOCKET)

    async def stay() -> None:
        async with asyncio.timeout(PATIENCE):
            viewer = await Browser.connect(port, ssl=ssl.create_default_context(cafile=authority.ca))
            assert await viewer.open(way.secret) == 101
            await viewer.shake_hands()
            # in their places
            authority.issue("web")
            authority.issue("proxy")
            await asyncio.to_thread(renew, 2)
            after = [await asyncio.to_thread(authority.serial_shown, each) for each in (proxy.port, port)]
            assert not set(before) & set(after)
            web[0].write_text("nothing")
            await asyncio.to_thread(renew, 3)
            assert await asyncio.to_thread(authority.serial_shown, port) == after[1]
            viewer.send(b"\1")
            assert len(await viewer.read(24)) == 24
            await viewer.visit.closed()

    def renew(times: int) -> None:
        proxy.hang_up()
        process.wait_until(
            lambda: len(proxy.events("certificate.read")) >= times, what="it reads them", timeout=PATIENCE
        )

    asyncio.run(stay())
    (unusable,) = proxy.events("certificate.unusable")
    assert unusable["key"] == "web_cert"
    # the viewer knows of the end before the proxy has said so
    proxy.wait_event("session.ended")
    assert [each["reason"] for each in proxy.events("session.ended")] == ["viewer_left"]


def test_viewers_and_consoles_are_reached_by_ipv6(start: Callable[..., Proxy]) -> None:
    if not socket.has_ipv6:
        missing("no IPv6")
    proxy = start(host="")

    async def come() -> None:
        console = Console()
        port = await console.start("::1")
        way = await asyncio.to_thread(lambda: proxy.forward(port, host="::1"))
        for address in ("::1", "127.0.0.1"):
            reader, writer = await asyncio.open_connection(address, way.port)
            assert await reader.readexactly(12) == b"RFB 003.008\n"
            writer.close()
            await writer.wait_closed()
            refused = await asyncio.to_thread(proxy.wait_event, "viewer.refused", viewer=address)
            assert refused["console"] == f"[::1]:{port}"
        console.stop()

    asyncio.run(come())


def test_a_sigterm_ends_it_in_good_order(start: Callable[..., Proxy], qemu: Callable[..., Qemu]) -> None:
    proxy = start()
    proxy.forward(qemu().port)
    assert proxy.stop() == 0
    assert proxy.events("session.ended")[0]["reason"] == "shutdown"
    assert proxy.events("vncauthproxy.stopped")
    assert "Traceback" not in proxy.log


def test_what_it_can_t_be_told_is_said_in_one_line(tmp_path: Path) -> None:
    config = tmp_path / "syros.toml"
    config.write_text('[vncauthproxy]\nplain_control = true\ntoken = "t"\n')
    done = subprocess.run(
        [sys.executable, "-m", "vncauthproxy", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "Error: [vncauthproxy] destinations: missing; 0.0.0.0/0 and ::/0 are anywhere\n"
