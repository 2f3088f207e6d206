"""A viewer's stream within a WebSocket (RFC 6455): what frames carry is RFB, as noVNC speaks it.

Which bytes make frames is the business of `websockets`, whose protocol knows nothing of sockets.
"""

from __future__ import annotations

import asyncio
import codecs
import http
import logging
import urllib.parse
from collections.abc import Callable, Sequence

from websockets.exceptions import ProtocolError
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from vncauthproxy.stream import NORMAL, TransportStream

#: at its finest it would log requests, which hold tickets
_quiet = logging.getLogger("vncauthproxy.frames")

#: bytes of a message: the longest that a viewer sends is its clipboard
_LONGEST_MESSAGE = 1024 * 1024
_END = b"\r\n\r\n"
#: bytes up to the end of the opening handshake
_LONGEST_HEAD = 16 * 1024
#: bytes to be sent, of which back-pressure leaves less: more are answers to pings that nobody reads
_MOST_UNSENT = 1024 * 1024
#: seconds between pings: what lies between takes silence for an end
_PING = 30.0
#: seconds for the browser to end a closed connection
_GRACE = 5.0
#: of the codes that are for private use, RFC 6455 section 7.4.2
_REFUSED = 4403
_LONGEST_REASON = 120


class WebSocketStream(TransportStream):
    """Calls `on_connect` at its beginning, and `on_ticket` with what the URL shows, when it is a WebSocket at last."""

    def __init__(
        self,
        *,
        origins: Sequence[str],
        on_connect: Callable[[WebSocketStream], None],
        on_ticket: Callable[[WebSocketStream, str], None],
    ) -> None:
        super().__init__()
        _quiet.setLevel(logging.ERROR)
        self._on_connect = on_connect
        self._on_ticket = on_ticket
        #: whether text messages are what is typed, as UTF-8: clients of Nova's serial consoles send them
        self.takes_text = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._head = bytearray()
        self._pinging: asyncio.TimerHandle | None = None
        self._closing: asyncio.TimerHandle | None = None
        # who sends no Origin is no browser, and nobody's cookies are at stake
        allowed: list[Origin | None] = [None, *(Origin(each) for each in origins)]
        self._protocol = ServerProtocol(
            origins=allowed,
            select_subprotocol=_binary,
            max_size=_LONGEST_MESSAGE,
            logger=_quiet,
        )

    def connected(self) -> None:
        self._on_connect(self)

    def refuse(self, reason: str) -> None:
        """Close, and say why: a browser tells its page of a close, but not of an HTTP answer."""
        self._close(_REFUSED, reason)

    # Stream

    def write(self, data: bytes) -> None:
        if data and self._protocol.state is State.OPEN:
            self._protocol.send_binary(data)
            self._send()

    def close(self, reason: str = "", *, code: int = NORMAL) -> None:
        self._close(code, reason)

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        ahead = b""
        if self._protocol.state is State.CONNECTING:
            data, ahead = self._split(data)
            if len(self._head) > _LONGEST_HEAD:
                self.abort()
                return
        self._receive(data)
        if ahead:
            self._receive(ahead)

    def _split(self, data: bytes) -> tuple[bytes, bytes]:
        """Split what belongs to the opening handshake from what is ahead of its answer: that can't be read before."""
        known = len(self._head)
        self._head += data
        end = self._head.find(_END, max(known - len(_END), 0))
        if end < 0:
            return data, b""
        cut = end + len(_END) - known
        return data[:cut], data[cut:]

    def _receive(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._answer(event)
            elif isinstance(event, Frame):
                self._take(event)
        self._send()

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._pinging, self._closing):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def _answer(self, request: Request) -> None:
        """Answer the opening handshake, RFC 6455 section 4.2."""
        response = self._protocol.accept(request)
        self._protocol.send_response(response)
        self._send()
        if response.status_code != http.HTTPStatus.SWITCHING_PROTOCOLS:
            return
        self._pinging = self._loop.call_later(_PING, self._ping)
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)
        self._on_ticket(self, query.get("ticket", [""])[-1])

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT:
            if not self.takes_text:
                self._protocol.fail(CloseCode.UNSUPPORTED_DATA, "binary frames are expected")
                return
            self._decoder = codecs.getincrementaldecoder("utf-8")()
        elif frame.opcode not in (Opcode.BINARY, Opcode.CONT):
            return
        data = bytes(frame.data)
        if self._decoder is not None:
            # RFC 6455 section 8.1, over all frames of a message
            try:
                self._decoder.decode(data, final=frame.fin)
            except UnicodeDecodeError:
                self._protocol.fail(CloseCode.INVALID_DATA, "text in UTF-8 is expected")
                return
            if frame.fin:
                self._decoder = None
        if data:
            self._feed(data)

    def _ping(self) -> None:
        if self._protocol.state is State.OPEN:
            self._protocol.send_ping(b"")
            self._send()
            self._pinging = self._loop.call_later(_PING, self._ping)

    def _close(self, code: int, reason: str) -> None:
        if self._protocol.state is State.OPEN:
            try:
                self._protocol.send_close(code, reason[:_LONGEST_REASON])
            except ProtocolError:
                self._protocol.fail(code, reason[:_LONGEST_REASON])
            self._send()
        elif self._transport is not None and self._protocol.state is State.CONNECTING:
            self._transport.close()

    def _send(self) -> None:
        if self._transport is None:
            return
        for data in self._protocol.data_to_send():
            if self._transport.is_closing():
                continue
            if data:
                self._transport.write(data)
            else:
                # both have said that this is the end, or nothing can be understood any more
                self._transport.close()
        if self._transport.get_write_buffer_size() > _MOST_UNSENT:
            self._transport.abort()
        if self._protocol.close_expected() and self._closing is None:
            self._closing = self._loop.call_later(_GRACE, self.abort)


def _binary(protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Agree to what noVNC and websockify have asked for; newer ones ask for nothing."""
    return Subprotocol("binary") if "binary" in offered else None
