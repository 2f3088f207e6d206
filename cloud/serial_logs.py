"""The client of seriald: one short request to the node that a guest runs on. Nothing here knows the database."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from typing import Protocol

from cloud.console_settings import ConsoleSettings
from common.config import ConfigError
from common.errors import Unavailable

#: more than any seriald keeps of one guest
_MOST = 16 * 1024 * 1024


class SerialLogs(Protocol):
    """Whoever keeps what guests print."""

    def tail(self, guest: str, *, node: str, address: str | None, lines: int | None) -> bytes:
        """Give the last lines of what a guest has printed, empty if nothing; raises Unavailable.

        `address` is where the node is reached; by its name, if that is not known.
        """


class NodeLogs:
    """Asks the nodes; a few at once, and the rest waits for at most as long as an answer may take."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self._settings = settings
        self._free = threading.BoundedSemaphore(settings.connections)
        self._tls = None if settings.plain_http else ssl.create_default_context(cafile=settings.ca_file or None)

    def tail(self, guest: str, *, node: str, address: str | None, lines: int | None) -> bytes:
        if not self._free.acquire(timeout=self._settings.timeout):
            raise Unavailable("too many consoles are being read: try again")
        try:
            return self._ask(guest, node, address or node, lines)
        except ssl.SSLError as err:
            raise Unavailable("the node of this server is not who it should be") from err
        except (OSError, http.client.HTTPException) as err:
            raise Unavailable("the node of this server does not answer for its console") from err
        finally:
            self._free.release()

    def _ask(self, guest: str, node: str, address: str, lines: int | None) -> bytes:
        connection = _Connection(node, address, self._settings, self._tls)
        try:
            length = "" if lines is None else f"?length={lines}"
            headers = {"Authorization": f"Bearer {self._settings.token}"}
            connection.request("GET", f"/v1/log/{guest}{length}", headers=headers)
            answer = connection.getresponse()
            if answer.status == http.HTTPStatus.NOT_FOUND:
                return b""
            if answer.status != http.HTTPStatus.OK:
                raise Unavailable(f"the node of this server refused to show its console: {answer.status}")
            printed = answer.read(_MOST)
            if answer.length:
                raise http.client.IncompleteRead(printed)
            return printed
        finally:
            connection.close()


def of(settings: ConsoleSettings) -> NodeLogs | None:
    """Give the client that the settings name, None where there is to be none; raises ConfigError."""
    try:
        return NodeLogs(settings) if settings.token else None
    except OSError as err:
        raise ConfigError(f"[console] ca_file {settings.ca_file!r}: {err}") from err


class _Connection(http.client.HTTPConnection):
    """A connection to a node's address, checked by its name: nodes need not be known to the API's resolver."""

    def __init__(self, node: str, address: str, settings: ConsoleSettings, tls: ssl.SSLContext | None) -> None:
        super().__init__(node, settings.port, timeout=settings.timeout)
        self._address = address
        self._patience = settings.timeout
        self._tls = tls

    def connect(self) -> None:
        """Connect, within the time that an answer may take."""
        connected = socket.create_connection((self._address, self.port), self._patience)
        self.sock = connected if self._tls is None else self._tls.wrap_socket(connected, server_hostname=self.host)
