"""A TCP relay that stands between a client and a broker: it may speak TLS to the client, and fall silent."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading


class Relay:
    """Listens on a free port of loopback; a context manager that ends every connection it carries."""

    def __init__(self, port: int, *, tls: ssl.SSLContext | None = None) -> None:
        self._target = port
        self._tls = tls
        self._silent = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._server]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.port: int = self._server.getsockname()[1]

    def __enter__(self) -> Relay:
        self._threads[0].start()
        return self

    def __exit__(self, *_error: object) -> None:
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(10)
        for each in self._sockets:
            each.close()

    def fall_silent(self) -> None:
        """From now on swallow what the broker says, and keep the connections."""
        self._silent.set()

    def _accept(self) -> None:
        while True:
            try:
                plain, _address = self._server.accept()
            except OSError:
                return
            self._sockets.append(plain)
            try:
                client = self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
            except OSError:
                continue
            broker = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += [client, broker]
            for source, sink, may_fall_silent in ((client, broker, False), (broker, client, True)):
                thread = threading.Thread(target=self._carry, args=(source, sink, may_fall_silent), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket, may_fall_silent: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not (may_fall_silent and self._silent.is_set()):
                    sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
