"""What guests may say, on bytes, and how they are answered."""

import http.client
import io
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metadatad.exchange import Answer, Asked, Exchange, Refused

HOST = b"Host: 169.254.169.254\r\n"


def ask(data: bytes, *, request_size: int = 8192) -> Asked | None:
    return Exchange(request_size=request_size).take(data)


def request(target: str, method: str = "GET", version: str = "1.1", headers: bytes = HOST) -> bytes:
    return f"{method} {target} HTTP/{version}\r\n".encode() + headers + b"\r\n"


def refused(data: bytes, **sizes: int) -> int:
    with pytest.raises(Refused) as caught:
        ask(data, **sizes)
    return caught.value.answer.status


class Bytes(io.BytesIO):
    def makefile(self, _mode: str) -> io.BytesIO:
        return self


def parsed(data: bytes, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """An answer, as a client of the standard library reads it."""
    response = http.client.HTTPResponse(cast("http.client.socket", Bytes(data)), method=method)  # type: ignore[name-defined]
    response.begin()
    return response.status, dict(response.getheaders()), response.read()


@pytest.mark.parametrize("target", ["/", "/latest/meta-data/", "/openstack/2012-08-10/meta_data.json", "//openstack/"])
def test_a_path_is_asked_for(target: str) -> None:
    assert ask(request(target)) == Asked(target, head=False)


def test_the_oldest_clients_are_understood() -> None:
    assert ask(request("/latest", version="1.0", headers=b"")) == Asked("/latest", head=False)


def test_a_query_is_left_out() -> None:
    assert ask(request("/latest?x=/compute")) == Asked("/latest", head=False)


def test_what_comes_in_pieces_is_put_together() -> None:
    exchange = Exchange(request_size=8192)
    data = request("/latest")
    assert [exchange.take(bytes((byte,))) for byte in data[:-1]] == [None] * (len(data) - 1)
    assert exchange.take(data[-1:]) == Asked("/latest", head=False)


@pytest.mark.parametrize(
    "target",
    [
        "/..",
        "/latest/../compute",
        "/./x",
        "/%2e%2e/x",
        "/a%00",
        "/é".encode().decode("latin-1"),
        "/a;b",
        "/a\\b",
        "/a@b",
    ],
)
def test_a_path_that_might_lead_elsewhere_leads_nowhere(target: str) -> None:
    data = b"GET " + target.encode("latin-1") + b" HTTP/1.1\r\n" + HOST + b"\r\n"
    assert refused(data) in (400, 404)


@pytest.mark.parametrize("target", ["latest", "http://169.254.169.254/latest", "*", "api.example:443"])
def test_only_paths_are_asked_for(target: str) -> None:
    assert refused(request(target)) == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "get"])
def test_it_is_read_only(method: str) -> None:
    assert refused(request("/latest", method)) == 405


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(data: bytes) -> None:
    assert refused(data) == 400


def test_what_is_too_long_is_refused_before_it_has_ended() -> None:
    assert refused(b"GET / HTTP/1.1\r\nX: " + b"x" * 9000) == 431
    assert refused(b"GET /" + b"x" * 2000, request_size=1024) == 431


@given(st.binary(max_size=300))
def test_no_bytes_make_anything_else_of_it(data: bytes) -> None:
    try:
        asked = ask(data)
    except Refused as err:
        assert err.answer.status in (400, 404, 405, 431, 501)
    else:
        assert asked is None or asked.path.startswith("/")


def test_an_answer_says_how_long_it_is_and_that_it_is_the_last() -> None:
    status, headers, body = parsed(Exchange(request_size=1024).answer(Answer(200, b"\xff\n", "application/json")))
    assert (status, body) == (200, b"\xff\n")
    assert headers == {
        "Content-Type": "application/json",
        "Content-Length": "2",
        "Connection": "close",
        "Cache-Control": "no-store",
    }


def test_who_asks_for_the_head_gets_no_body() -> None:
    exchange = Exchange(request_size=1024)
    assert exchange.take(request("/", "HEAD")) == Asked("/", head=True)
    data = exchange.answer(Answer(200, b"body"))
    assert data.endswith(b"\r\n\r\n")
    assert parsed(data, "HEAD")[1]["Content-Length"] == "4"


def test_refusals_say_what_to_do() -> None:
    assert parsed(Exchange(request_size=1024).answer(Answer(503)))[1]["Retry-After"] == "5"
    assert parsed(Exchange(request_size=1024).answer(Answer(405)))[1]["Allow"] == "GET, HEAD"
