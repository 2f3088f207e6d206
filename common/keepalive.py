"""TCP's own way of noticing a peer that has gone without a word (RFC 9293 section 3.8.4)."""

from __future__ import annotations

import asyncio
import contextlib
import socket

#: seconds of silence before the kernel asks, seconds between questions, and how many stay unanswered
_IDLE, _EVERY, _TIMES = 60, 20, 3


def set_up(transport: asyncio.BaseTransport) -> None:
    """Have the kernel end a connection whose peer has not been there for two minutes; other sockets are left alone."""
    connected = transport.get_extra_info("socket")
    if connected is None or connected.family not in (socket.AF_INET, socket.AF_INET6):
        return
    # one that has ended already
    with contextlib.suppress(OSError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _EVERY)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _TIMES)
