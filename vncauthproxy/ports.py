"""The ports for native viewers: each is listened on for one session, and is used again as late as can be."""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Callable

from vncauthproxy.stream import SocketStream


class Exhausted(Exception):
    """No port of the pool is free."""


class Ports:
    """The pool. A port belongs to whoever `listen` gave it to, until `release`."""

    def __init__(self, host: str, ports: range) -> None:
        self._host = host
        self._free = deque(ports)

    async def listen(self, on_connect: Callable[[SocketStream], None]) -> tuple[asyncio.Server, int]:
        """Listen on a free port, by IPv4 and IPv6 as the host's address allows.

        Raises Exhausted, and OSError for an address that is not ours.
        """
        for _ in range(len(self._free)):
            port = self._free.popleft()
            try:
                server = await asyncio.get_running_loop().create_server(
                    lambda: SocketStream(on_connect), self._host or None, port
                )
            except OSError as err:
                self._free.append(port)
                if err.errno != errno.EADDRINUSE:
                    raise
                continue
            except BaseException:
                self._free.append(port)
                raise
            return server, port
        raise Exhausted("all ports for viewers are taken")

    def release(self, port: int) -> None:
        """Take a port back whose listener is closed."""
        self._free.append(port)
