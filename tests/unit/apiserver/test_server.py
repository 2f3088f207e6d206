import http.client
import io
import socket
import struct
import threading
import urllib.request
from collections.abc import Iterator

import flask
import pytest

from apiserver import server


def test_an_app_is_served_within_the_process_until_it_is_stopped(app: flask.Flask) -> None:
    serving = server.serve(app, "127.0.0.1", 0)
    connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=10)
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b'{"status":"alive"}')
    connection.close()
    serving.stop()
    with pytest.raises(ConnectionRefusedError):
        connection.request("GET", "/healthz")


def test_a_port_that_is_taken_is_an_error_and_not_the_end(app: flask.Flask) -> None:
    serving = server.serve(app, "127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        server.serve(app, "127.0.0.1", serving.port)
    serving.stop()


def test_a_file_is_closed_that_was_sent() -> None:
    sent = io.BytesIO(b"whole")
    app = flask.Flask(__name__)
    app.get("/")(lambda: flask.send_file(sent, mimetype="text/plain"))
    serving = server.serve(app, "127.0.0.1", 0)
    with urllib.request.urlopen(f"http://127.0.0.1:{serving.port}/", timeout=10) as answer:
        assert answer.read() == b"whole"
    serving.stop()
    assert sent.closed


def test_an_answer_is_closed_when_its_client_has_hung_up() -> None:
    reset, closed = threading.Event(), threading.Event()

    def body() -> Iterator[bytes]:
        yield b"half\n"
        reset.wait(10)

    app = flask.Flask(__name__)

    @app.get("/")
    def answer() -> flask.Response:
        response = flask.Response(body(), headers={"Content-Length": "5"})
        response.call_on_close(closed.set)
        return response

    serving = server.serve(app, "127.0.0.1", 0)
    with socket.create_connection(("127.0.0.1", serving.port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with client.makefile("rb") as answered:
            while answered.readline() not in (b"half\n", b""):
                pass
        # closed with a reset, which the server finds once it has sent all that there is
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    reset.set()
    assert closed.wait(10)
    serving.stop()
