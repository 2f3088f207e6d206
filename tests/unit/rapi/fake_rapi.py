"""A small server on loopback that answers as a test tells it, and keeps what it was asked."""

import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """`cut` ends the connection: before any answer, or halfway through its body."""

    status: int = 200
    body: bytes = b"7"
    cut: str | None = None


def answer(value: object, status: int = 200) -> Reply:
    return Reply(status=status, body=json.dumps(value).encode())


def error(status: int, message: str) -> Reply:
    """An error in the form of Ganeti's."""
    return answer({"code": status, "message": message, "explain": "so it is"}, status)


CUT_BEFORE_ANSWER = Reply(cut="before")
CUT_IN_BODY = Reply(cut="within", body=b'{"half":')


class FakeRapi:
    """Serves from the first moment to `stop`; `reply` may be replaced at any time, or be a function."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.reply: Reply | Callable[[Request], Reply] = Reply()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        if context is not None:
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "http" if context is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def last(self) -> Request:
        return self.requests[-1]

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]


def _handler_for(fake: FakeRapi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                self.close_connection = True  # the client went away, as some tests want it to

        def _serve(self) -> None:
            target = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            query = tuple(parse_qsl(target.query, keep_blank_values=True))
            request = Request(self.command, target.path, query, body, dict(self.headers))
            fake.requests.append(request)
            reply = fake.reply(request) if callable(fake.reply) else fake.reply
            self.close_connection = True
            if reply.cut == "before":
                return
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(reply.body) * (2 if reply.cut else 1)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - http.server looks for these names

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    return Handler
