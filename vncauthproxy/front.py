"""The one port for all browsers: a WebSocket shows its ticket, and is the viewer of the session that it is for."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
import secrets
import ssl
from collections.abc import Callable

from common.consoles import Protocol
from vncauthproxy.metrics import Metrics
from vncauthproxy.session import Session
from vncauthproxy.settings import VncauthproxySettings
from vncauthproxy.stream import Stream
from vncauthproxy.websocket import WebSocketStream

log = logging.getLogger(__name__)

_HANDSHAKE = 10.0


class Taken(Exception):
    """Another session has this ticket."""


class Front:
    """The listener, and the tickets of the sessions that await a browser."""

    def __init__(
        self, settings: VncauthproxySettings, meet: Callable[[Session, Stream], None], metrics: Metrics
    ) -> None:
        self._settings = settings
        self._meet = meet
        self._metrics = metrics
        self._server: asyncio.Server | None = None
        #: sessions by the digest of their tickets: how long a look takes says nothing of a ticket
        self._tickets: dict[bytes, Session] = {}
        self._digests: dict[str, bytes] = {}
        #: those that have shown no ticket yet, and what ends them
        self._strangers: dict[WebSocketStream, asyncio.TimerHandle] = {}

    async def start(self) -> int:
        """Listen; give the port. Raises OSError."""
        tls = None
        if not self._settings.plain_web:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(self._settings.web_cert, self._settings.web_key)
        self._server = await asyncio.get_running_loop().create_server(
            lambda: WebSocketStream(origins=self._settings.origins, on_connect=self._connected, on_ticket=self._shown),
            self._settings.web_host or None,
            self._settings.web_port,
            ssl=tls,
            ssl_handshake_timeout=_HANDSHAKE if tls else None,
            ssl_shutdown_timeout=1.0 if tls else None,
        )
        return int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Hear no more."""
        if self._server is not None:
            self._server.close()
        for stranger in list(self._strangers):
            stranger.abort()

    def expect(self, session: Session, ticket: str) -> None:
        """Await whoever shows the ticket, until `forget`. Raises Taken."""
        digest = _digest(ticket)
        if digest in self._tickets:
            raise Taken("another session has this ticket")
        self._tickets[digest] = session
        self._digests[session.id] = digest

    def forget(self, session: Session) -> None:
        """Have the session's ticket lead nowhere, if it was not shown."""
        digest = self._digests.pop(session.id, None)
        if digest is not None:
            self._tickets.pop(digest, None)

    def _connected(self, stream: WebSocketStream) -> None:
        if len(self._strangers) >= self._settings.connections:
            self._metrics.viewers_refused.labels("crowded").inc()
            stream.abort()
            return
        loop = asyncio.get_running_loop()
        self._strangers[stream] = loop.call_later(self._settings.viewer_seconds, stream.abort)
        stream.on_end = functools.partial(self._known, stream)

    def _known(self, stream: WebSocketStream) -> None:
        timer = self._strangers.pop(stream, None)
        if timer is not None:
            timer.cancel()

    def _shown(self, stream: WebSocketStream, ticket: str) -> None:
        self._known(stream)
        stream.on_end = None
        # from here on it leads nowhere, whatever comes of this viewer
        session = self._tickets.pop(_digest(ticket), None)
        if session is None:
            self._metrics.viewers_refused.labels("ticket").inc()
            log.warning("viewer.refused", extra={"viewer": stream.peer, "reason": "no session has its ticket"})
            stream.refuse("this ticket is unknown, used or expired")
        else:
            stream.takes_text = session.request.protocol is Protocol.SERIAL
            self._meet(session, stream)


def ticket() -> str:
    """Make a ticket up."""
    return secrets.token_urlsafe(32)


def _digest(shown: str) -> bytes:
    return hashlib.sha256(shown.encode("utf-8", "replace")).digest()
