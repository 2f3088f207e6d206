"""The client of vncauthproxy's control channel: one call, one connection, one line each way."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Mapping

import orjson

from common import consoles

#: in bytes: a list of all the sessions that a proxy may have
_LONGEST_ANSWER = 64 * 1024 * 1024
_PIECE = 256 * 1024


class ConsoleProxyUnreachable(Exception):
    """The proxy has not answered; whether it has done what was asked is unknown."""


class ConsoleProxyRefused(Exception):
    """The proxy has answered no: `code` says what kind of no, `field` which field it is about, if any."""

    def __init__(self, code: str, message: str, field: str | None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


class ConsoleProxy:
    """A proxy at an address. Safe for threads: nothing is kept between calls."""

    def __init__(
        self, host: str, port: int, *, tls: ssl.SSLContext | None, token: str = "", timeout: float = 20.0
    ) -> None:
        """`tls` is None for test beds alone; see `trust`. `timeout` is of a whole call, in seconds.

        A console has [vncauthproxy] console_seconds to answer, within a call: `timeout` is to be longer.
        """
        self._address = (host, port)
        self._tls = tls
        self._token = token
        self._timeout = timeout

    def forward(self, request: consoles.Forward) -> consoles.Granted:
        """Let a viewer to a console. Raises ConsoleProxyRefused, ConsoleProxyUnreachable."""
        answer = self._call("forward", consoles.document(request))
        try:
            return consoles.granted(answer)
        except (KeyError, TypeError) as err:
            raise ConsoleProxyUnreachable(f"an answer that can't be read: {err!r}") from err

    def sessions(self) -> list[consoles.Session]:
        """List the sessions. Raises ConsoleProxyRefused, ConsoleProxyUnreachable."""
        answer = self._call("list", {}).get("sessions")
        try:
            if not isinstance(answer, list):
                raise TypeError("no list of sessions")
            return [consoles.session(each) for each in answer]
        except (KeyError, TypeError, ValueError) as err:
            raise ConsoleProxyUnreachable(f"an answer that can't be read: {err!r}") from err

    def history(self, after: int = 0, *, boot: str = "") -> consoles.History:
        """List sessions that have ended after those that were told before: ask again with its `next` and its `boot`.

        Of a `boot` that is not the proxy's own, `after` is not believed, and the proxy tells all that it remembers.
        Raises ConsoleProxyRefused, ConsoleProxyUnreachable.
        """
        answer = self._call("history", {"after": after, **({"boot": boot} if boot else {})})
        try:
            return consoles.history(answer)
        except (KeyError, TypeError, ValueError) as err:
            raise ConsoleProxyUnreachable(f"an answer that can't be read: {err!r}") from err

    def kill(self, *, session: str = "", server: str = "", user: str = "", project: str = "") -> int:
        """End the sessions that are as it is said, of all that is said; tell how many.

        Raises ConsoleProxyRefused (with `not_found` for a session that is not there), ConsoleProxyUnreachable.
        """
        named = {"session": session, "server": server, "user": user, "project": project}
        killed = self._call("kill", {name: value for name, value in named.items() if value}).get("killed")
        if not isinstance(killed, int):
            raise ConsoleProxyUnreachable("an answer without a number of sessions")
        return killed

    def _call(self, op: str, fields: Mapping[str, object]) -> Mapping[str, object]:
        request = consoles.line({"op": op, **({"token": self._token} if self._token else {}), **fields})
        try:
            answer = orjson.loads(self._exchange(request, time.monotonic() + self._timeout))
        except (OSError, ValueError) as err:
            raise ConsoleProxyUnreachable(f"{self._address[0]}:{self._address[1]}: {err}") from err
        if not isinstance(answer, dict) or "ok" not in answer:
            raise ConsoleProxyUnreachable(f"{self._address[0]}:{self._address[1]}: an answer of another protocol")
        if answer["ok"] is not True:
            field = answer.get("field")
            raise ConsoleProxyRefused(
                str(answer.get("error")), str(answer.get("message")), None if field is None else str(field)
            )
        return answer

    def _exchange(self, request: bytes, deadline: float) -> bytes:
        with contextlib.ExitStack() as closing:
            connection = closing.enter_context(socket.create_connection(self._address, timeout=_left(deadline)))
            if self._tls is not None:
                connection.settimeout(_left(deadline))
                connection = closing.enter_context(self._tls.wrap_socket(connection, server_hostname=self._address[0]))
            connection.settimeout(_left(deadline))
            connection.sendall(request)
            pieces: list[bytes] = []
            size = 0
            while not pieces or not pieces[-1].endswith(b"\n"):
                connection.settimeout(_left(deadline))
                piece = connection.recv(_PIECE)
                size += len(piece)
                if not piece or size > _LONGEST_ANSWER:
                    raise ConnectionError("the answer is cut short" if not piece else "the answer is too long")
                pieces.append(piece)
            return b"".join(pieces)


def trust(ca_file: str, *, cert: str = "", key: str = "") -> ssl.SSLContext:
    """Verify the proxy's certificate, by the system's authorities if `ca_file` is empty, and show one of our own.

    Raises OSError for files that can't be used.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca_file or None)
    if cert:
        context.load_cert_chain(cert, key or None)
    return context


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("it has not answered in time")
    return left
