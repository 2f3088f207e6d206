import http.client

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
