"""A console host within the sandbox: the real vncauthproxy, and simulated consoles, in a loop of their own."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from collections.abc import Callable, Collection, Coroutine
from typing import TypeVar

from cloud.console_desk import Desk
from cloud.console_places import Guest, Node, Places, Screen
from cloud.console_proxies import Proxies
from cloud.console_settings import ConsoleSettings
from common import hosts
from common.console_proxy import ConsoleProxy
from sandbox import screens, serial_ports
from sandbox.screens import Screens
from sandbox.serial_ports import SerialPorts
from vncauthproxy.service import Vncauthproxy
from vncauthproxy.settings import VncauthproxySettings

_LOOPBACK = "127.0.0.1"
_PATIENCE = 20.0
#: seconds between two looks at which guests run
_LOOK = 0.5

T = TypeVar("T")


class ConsoleHost:
    """Start it, let viewers to consoles by `desk`, stop it. Raises OSError for a port that can't be had."""

    def __init__(self, *, host: str, port: int, pages: tuple[str, ...], running: Callable[[], Collection[str]]) -> None:
        """Serve browsers at `host` and `port`, any that is free for 0, from pages of these origins.

        `running` names the guests that run, as Ganeti names them: a console ends with its guest.
        """
        #: what the proxy and the serial ports are shown
        self.token = secrets.token_urlsafe(32)
        self._host = host
        self._port = port or _free_port(host)
        self._pages = pages
        self._running = running
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="consoles", daemon=True)

    @property
    def origin(self) -> str:
        """Where browsers connect to."""
        return f"ws://{hosts.bracketed(self._host)}:{self._port}"

    def start(self) -> None:
        self._thread.start()
        self._screens = Screens()
        self._serial_ports = SerialPorts(self.token)
        self._serial_port = self._run(self._serial_ports.start())
        settings = VncauthproxySettings(
            control_host=_LOOPBACK,
            control_port=0,
            plain_control=True,
            token=self.token,
            destinations=("127.0.0.0/8",),
            destination_ports="1-65535",
            serial_ports=str(self._serial_port),
            plain_serial=True,
            host=_LOOPBACK,
            public_host=_LOOPBACK,
            web_host=self._host,
            web_port=self._port,
            plain_web=True,
            public_url=f"{self.origin}/",
            origins=self._pages,
            metrics_address="",
        )
        self._proxy = Vncauthproxy(settings)
        self._run(self._proxy.start())
        self._watching = asyncio.run_coroutine_threadsafe(self._watch(), self._loop)

    def stop(self) -> None:
        self._watching.cancel()
        self._run(self._proxy.stop())
        self._run(self._screens.stop())
        self._run(self._serial_ports.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def control(self) -> str:
        """Where the proxy is asked, as host:port."""
        return f"{_LOOPBACK}:{self._proxy.control_port}"

    def desk(self, places: Places) -> Desk:
        """Give what consoles are shown with, where `places` tells which servers have one."""
        proxy = ConsoleProxy(_LOOPBACK, self._proxy.control_port, tls=None, token=self.token)
        settings = ConsoleSettings(proxies=(self.control,), token=self.token, port=self._serial_port)
        return Desk(settings, _SimulatedPlaces(self, places), Proxies({self.control: proxy}))

    def screen(self, guest: Guest) -> Screen:
        """Tell where a guest's simulated screen is."""
        return Screen(screens.HOST, self._run(self._screens.port(guest.ganeti_name, guest.name)))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            guests = self._running()
            self._screens.keep(guests)
            self._serial_ports.keep(guests)

    def _run(self, what: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(_PATIENCE)


class _SimulatedPlaces:
    """Asks the simulated Ganeti whether a server has a screen, and finds it here."""

    def __init__(self, host: ConsoleHost, told: Places) -> None:
        self._host = host
        self._told = told

    def screen(self, guest: Guest) -> Screen:
        self._told.screen(guest)
        return self._host.screen(guest)

    def node(self, guest: Guest) -> Node:
        return Node(self._told.node(guest).name, serial_ports.HOST)


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as found:
        return int(found.getsockname()[1])
