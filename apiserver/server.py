"""A server within the process, for the sandbox and for tests; production has gunicorn."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import flask
from werkzeug import serving

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

#: seconds within which it notices that it is to stop
_STOP_POLL = 0.05


class Server:
    """Serves an app, each request in a thread of its own, until stopped."""

    def __init__(self, app: flask.Flask, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # werkzeug, asked to listen by itself, ends the process when the port is taken
        with socket.create_server((host, port), family=family, backlog=128) as listening:
            self.port: int = listening.getsockname()[1]
            self._server = serving.make_server(
                host, self.port, _closing(app), threaded=True, request_handler=_Handler, fd=listening.fileno()
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_STOP_POLL,), name="api", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests; those under way end by themselves."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def serve(app: flask.Flask, host: str, port: int) -> Server:
    """Serve an app at once, at any free port if it is 0; raises OSError when the port is taken."""
    server = Server(app, host, port)
    server.start()
    return server


def _closing(app: WSGIApplication) -> WSGIApplication:
    """Have every answer closed: werkzeug forgets one whose client hung up just after it was sent."""

    def closing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        answer = app(environ, start_response)
        try:
            yield from answer
        finally:
            # PEP 3333: whatever has such a method is closed
            if close := getattr(answer, "close", None):
                close()

    return closing


class _Handler(serving.WSGIRequestHandler):
    """Quiet: the app logs each request itself."""

    #: seconds that a client may take to send its request
    timeout = 60

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""
