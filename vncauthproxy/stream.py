"""One side of a session, as bytes: read piece by piece while hands are shaken, and then passed on as they come.

What feeds a stream is its subclass: a TCP connection here, a WebSocket elsewhere. A session knows no more than this.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from common import keepalive

#: bytes that wait to be sent before the other side is read no further: with less than asyncio reads at a time
#: (256 KiB), every full read would stop the next one
MOST_WAITING = 256 * 1024
#: the close code of an end that nobody is to blame for, RFC 6455 section 7.4.1
NORMAL = 1000
#: bytes that may come ahead of a handshake before no more are read
_MOST_AHEAD = 16 * 1024


class Broken(Exception):
    """The peer has left, or sent what its protocol has no room for; the text says what."""


class Stream:
    """Bytes from and to a peer. Subclasses call `_feed`, `_finish` and `_stall`, and say how bytes are sent."""

    def __init__(self) -> None:
        self.ended = False
        #: bytes that came from the peer
        self.received = 0
        #: when something last came, by the loop's clock
        self.active_at = 0.0
        self.on_end: Callable[[], None] | None = None
        self._loop = asyncio.get_running_loop()
        self._ahead = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._sink: Callable[[bytes], None] | None = None
        self._source: Stream | None = None
        self._stalled = False
        self._paused = False

    async def read(self, count: int) -> bytes:
        """Give exactly so many bytes. Raises Broken if the peer leaves before it has sent them."""
        while len(self._ahead) < count:
            await self._more()
        return self._taken(count)

    async def read_through(self, mark: bytes, *, most: int) -> bytes:
        """Give what comes up to the end of a mark, not more than so many bytes. Raises Broken if there is none."""
        while (at := self._ahead.find(mark, 0, most)) < 0:
            if len(self._ahead) >= most:
                raise Broken(f"it sent {most} bytes without an end")
            await self._more()
        return self._taken(at + len(mark))

    def relay_to(self, peer: Stream, through: Callable[[bytes], bytes] | None = None) -> None:
        """Send the peer whatever comes from now on, or what `through` makes of it; what waits goes first.

        The peer's slowness is ours: while it has too much to send, nothing is read here.
        """
        self._sink = peer.write if through is None else lambda data: peer.write(through(data))
        peer._source = self
        ahead = bytes(self._ahead)
        self._ahead.clear()
        if ahead:
            self._sink(ahead)
        if self._paused and not peer._stalled:
            self._resume()
        elif peer._stalled:
            self._pause()

    def write(self, data: bytes) -> None:
        """Send bytes; nothing happens once the peer has left."""
        raise NotImplementedError

    def close(self, reason: str = "", *, code: int = NORMAL) -> None:
        """End, once what was written has been sent, and say why if there is room for it; `ended` tells when.

        The code is a WebSocket's, RFC 6455 section 7.4.
        """
        raise NotImplementedError

    def abort(self) -> None:
        """End now."""
        raise NotImplementedError

    @property
    def peer(self) -> str:
        """The peer's address."""
        raise NotImplementedError

    def pause_reading(self) -> None:
        """Take nothing more from the peer, until `resume_reading`."""
        raise NotImplementedError

    def resume_reading(self) -> None:
        """Take again what the peer sends."""
        raise NotImplementedError

    async def _more(self) -> None:
        """Wait for bytes to come."""
        if self.ended:
            raise Broken("it closed the connection")
        if self._paused:
            self._resume()
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _taken(self, count: int) -> bytes:
        found = bytes(self._ahead[:count])
        del self._ahead[:count]
        return found

    def _feed(self, data: bytes) -> None:
        self.received += len(data)
        self.active_at = self._loop.time()
        if self._sink is not None:
            self._sink(data)
            return
        self._ahead += data
        if len(self._ahead) > _MOST_AHEAD:
            self._pause()
        self._wake()

    def _finish(self) -> None:
        if self.ended:
            return
        self.ended = True
        self._wake()
        if self.on_end is not None:
            self.on_end()

    def _stall(self, stalled: bool) -> None:
        """Say whether the peer has too much waiting for it."""
        self._stalled = stalled
        if self._source is not None:
            if stalled:
                self._source._pause()
            else:
                self._source._resume()

    def _pause(self) -> None:
        if not self._paused and not self.ended:
            self._paused = True
            self.pause_reading()

    def _resume(self) -> None:
        if self._paused and not self.ended:
            self._paused = False
            self.resume_reading()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class TransportStream(Stream, asyncio.Protocol):
    """A stream over asyncio's transport, which subclasses feed by `data_received`."""

    def __init__(self) -> None:
        super().__init__()
        self._transport: asyncio.Transport | None = None
        self._peer = ""

    def connected(self) -> None:
        """The connection is there: what a subclass does about it."""

    # Stream

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    @property
    def peer(self) -> str:
        return self._peer

    def pause_reading(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # a stream's is one
        self._transport = transport
        self._peer = address(transport.get_extra_info("peername"))
        transport.set_write_buffer_limits(high=MOST_WAITING)
        keepalive.set_up(transport)
        self.active_at = self._loop.time()
        self.connected()

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish()

    def pause_writing(self) -> None:
        self._stall(True)

    def resume_writing(self) -> None:
        self._stall(False)


class SocketStream(TransportStream):
    """A stream over TCP, that may turn to TLS on the way."""

    def __init__(self, on_connect: Callable[[SocketStream], None] | None = None) -> None:
        super().__init__()
        self._on_connect = on_connect

    def connected(self) -> None:
        if self._on_connect is not None:
            self._on_connect(self)

    async def start_tls(self, context: ssl.SSLContext, name: str, timeout: float) -> None:
        """Go on in TLS as its client, with the certificate checked as the context says. Raises Broken."""
        if self._ahead or self._transport is None or self.ended:
            raise Broken("it sent bytes before TLS")
        try:
            # a server waits for its client's first word in TLS, so nothing can come between
            secured = await self._loop.start_tls(
                self._transport, self, context, server_hostname=name, ssl_handshake_timeout=timeout
            )
        except (OSError, asyncio.IncompleteReadError) as err:
            # asyncio does not tell the protocol of a connection that failed so
            self.abort()
            self._finish()
            raise Broken(f"TLS failed: {getattr(err, 'verify_message', '') or err}") from err
        if secured is None or self.ended:
            raise Broken("it closed the connection in the TLS handshake")
        self._transport = secured
        secured.set_write_buffer_limits(high=MOST_WAITING)

    # Stream

    def write(self, data: bytes) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self, reason: str = "", *, code: int = NORMAL) -> None:
        if self._transport is not None:
            self._transport.close()

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        self._feed(data)


def address(name: object) -> str:
    """Give the address of a socket's name, without its port; one of IPv4 in IPv6's form is IPv4."""
    return str(name[0]).removeprefix("::ffff:") if isinstance(name, tuple) and name else ""
