"""Frames to guests, out of their taps: one raw socket for all of them."""

from __future__ import annotations

import socket


class Sender:
    """Sends whole Ethernet frames. Raises OSError where this is not allowed."""

    def __init__(self) -> None:
        # protocol 0: nothing is received
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.setblocking(False)

    def send(self, interface: str, frame: bytes) -> None:
        """Send a frame. Raises OSError: the interface is gone, or down, or takes no more now."""
        self._socket.sendto(frame, (interface, 0))

    def close(self) -> None:
        self._socket.close()
