"""The one port for all browsers: a WebSocket shows its ticket, and is the viewer of the session that it is for."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
import secrets
import socket
from collections.abc import Callable

from common.certificate import Certificate
from common.consoles import Protocol
from vncauthproxy.gate import Crowded, Gate, Place
from vncauthproxy.metrics import Metrics
from vncauthproxy.session import Session
from vncauthproxy.settings import VncauthproxySettings
from vncauthproxy.stream import Stream, address
from vncauthproxy.websocket import WebSocketStream

log = logging.getLogger(__name__)

#: seconds for TLS
_HANDSHAKE = 10.0
#: connections that the kernel keeps until we get to them
_BACKLOG = 512
#: seconds before the next try where there are no files left
_AGAIN = 1.0


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
        #: None where there is no TLS
        self.certificate = None if settings.plain_web else Certificate(settings.web_cert, settings.web_key)
        self._listening: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._securing: set[asyncio.Task[None]] = set()
        self._gate = Gate(settings.connections, settings.connections_per_address)
        #: sessions by the digest of their tickets: how long a look takes says nothing of a ticket
        self._tickets: dict[bytes, Session] = {}
        self._digests: dict[str, bytes] = {}
        #: those that have shown no ticket yet, and what ends them
        self._strangers: dict[WebSocketStream, asyncio.TimerHandle] = {}

    async def start(self) -> int:
        """Listen; give the port. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._listening = await _listen(self._settings.web_host, self._settings.web_port)
        self._accepting = [loop.create_task(self._accept(each)) for each in self._listening]
        return int(self._listening[0].getsockname()[1])

    async def stop(self) -> None:
        """Hear no more."""
        tasks = [*self._accepting, *self._securing]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for listening in self._listening:
            listening.close()
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

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, name = await loop.sock_accept(listening)
            except ConnectionError:
                # it has gone already, accept(2)
                continue
            except OSError as err:
                # no files left, or no memory
                log.warning("viewer.unaccepted", extra={"reason": str(err)})
                await asyncio.sleep(_AGAIN)
                continue
            try:
                # before TLS, whose handshake may be slow too
                place = self._gate.enter(address(name))
            except Crowded as err:
                self._metrics.viewers_refused.labels(str(err)).inc()
                connection.close()
                continue
            task = loop.create_task(self._secure(connection, place))
            self._securing.add(task)
            task.add_done_callback(self._securing.discard)

    async def _secure(self, connection: socket.socket, place: Place) -> None:
        """Go through TLS, where there is any, with one who has a place."""
        stream = WebSocketStream(
            origins=self._settings.origins,
            on_connect=functools.partial(self._connected, place),
            on_ticket=functools.partial(self._shown, place),
        )
        tls = self.certificate.context if self.certificate is not None else None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: stream,
                connection,
                ssl=tls,
                ssl_handshake_timeout=min(_HANDSHAKE, self._settings.viewer_seconds) if tls else None,
                ssl_shutdown_timeout=1.0 if tls else None,
            )
        except OSError as err:
            place.leave()
            self._metrics.viewers_refused.labels("tls").inc()
            log.info("viewer.insecure", extra={"reason": str(err)})
        except BaseException:
            place.leave()
            raise

    def _connected(self, place: Place, stream: WebSocketStream) -> None:
        loop = asyncio.get_running_loop()
        self._strangers[stream] = loop.call_later(self._settings.viewer_seconds, stream.abort)
        stream.on_end = functools.partial(self._known, place, stream)

    def _known(self, place: Place, stream: WebSocketStream) -> None:
        place.leave()
        timer = self._strangers.pop(stream, None)
        if timer is not None:
            timer.cancel()

    def _shown(self, place: Place, stream: WebSocketStream, ticket: str) -> None:
        # from here on it leads nowhere, whatever comes of this viewer
        session = self._tickets.pop(_digest(ticket), None)
        if session is None:
            # a stranger still, until its end
            self._metrics.viewers_refused.labels("ticket").inc()
            log.warning("viewer.refused", extra={"viewer": stream.peer, "reason": "no session has its ticket"})
            stream.refuse("this ticket is unknown, used or expired")
        else:
            self._known(place, stream)
            stream.on_end = None
            stream.takes_text = session.request.protocol is Protocol.SERIAL
            self._meet(session, stream)


async def _listen(host: str, port: int) -> list[socket.socket]:
    """Listen at a host's addresses, or at all of this host's. Raises OSError."""
    if not host:
        both = socket.has_dualstack_ipv6()
        made = [
            socket.create_server(
                ("", port),
                family=socket.AF_INET6 if both else socket.AF_INET,
                backlog=_BACKLOG,
                dualstack_ipv6=both,
            )
        ]
    else:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        made = []
        try:
            for family, _, _, _, name in dict.fromkeys(found):
                made.append(socket.create_server(name[:2], family=family, backlog=_BACKLOG))
        except OSError:
            for each in made:
                each.close()
            raise
    for each in made:
        each.setblocking(False)
    return made


def ticket() -> str:
    """Make a ticket up."""
    return secrets.token_urlsafe(32)


def _digest(shown: str) -> bytes:
    return hashlib.sha256(shown.encode("utf-8", "replace")).digest()
