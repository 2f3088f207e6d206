"""A console that has so many bytes to show to whoever comes, as fast as they are taken."""

from __future__ import annotations

import socketserver
import sys

_PIECE = bytes(256 * 1024)


class Screen(socketserver.BaseRequestHandler):
    """RFB 3.8 without a password; ClientInit is answered with what there is to show."""

    size = 0

    def handle(self) -> None:
        self.request.sendall(b"RFB 003.008\n")
        self._read(12)
        self.request.sendall(b"\1\1")
        self._read(1)
        self.request.sendall(bytes(4))
        self._read(1)
        left = self.size
        while left:
            piece = _PIECE[: min(left, len(_PIECE))]
            self.request.sendall(piece)
            left -= len(piece)
        # whoever has seen it all leaves first
        self.request.recv(1)

    def _read(self, count: int) -> None:
        while count:
            count -= len(self.request.recv(count)) or count


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256


if __name__ == "__main__":
    Screen.size = int(sys.argv[2])
    with _Server(("127.0.0.1", int(sys.argv[1])), Screen) as server:
        server.serve_forever()
