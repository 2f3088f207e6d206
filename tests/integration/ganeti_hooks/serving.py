"""The API's end of what a node asks and sends, over TLS, with a certificate of its own."""

from __future__ import annotations

import json
import ssl
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lab import certificate


class Api:
    """The API's end, over TLS, with a certificate of its own."""

    def __init__(self, folder: Path) -> None:
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.asked: list[tuple[str, str | None, Any]] = []
        #: what is answered when no answer was prepared
        self.document: dict[str, Any] = {}
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self._answer(json.loads(self._read()))

            def do_PUT(self) -> None:
                self._answer(self._read())

            def _read(self) -> bytes:
                return self.rfile.read(int(self.headers["Content-Length"]))

            def _answer(self, body: object) -> None:
                api.asked.append((self.path, self.headers["Authorization"], body))
                status, document = api.answers.pop(0) if api.answers else (200, api.document)
                text = json.dumps(document).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        key, chain = certificate.make("api", names=["localhost"], addresses=["127.0.0.1"], now=datetime.now(UTC))
        self.ca = folder / "ca.pem"
        self.ca.write_text(chain)
        (folder / "key.pem").write_text(key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, folder / "key.pem")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def configure(node: Path, text: str) -> None:
    """Write a node's configuration file, and have its scripts read it."""
    config = node / "os.conf"
    config.write_text(text)
    for script in ("create", "export", "verify"):
        program = node / "os" / "syros" / script
        program.write_text(program.read_text().replace('Path("/etc/syros/os.conf")', f"Path({str(config)!r})"))
