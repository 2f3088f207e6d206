"""Fake servers and clients for the tests of the RAPI client."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rapi import client, endpoint
from tests.unit.rapi import fake_rapi

PASSWORD = "hunter2-dummy"

MakeServer = Callable[..., fake_rapi.FakeRapi]
MakeClient = Callable[..., client.Client]


@pytest.fixture
def make_server() -> Iterator[MakeServer]:
    with contextlib.ExitStack() as stack:

        def make(*args: Any) -> fake_rapi.FakeRapi:
            server = fake_rapi.FakeRapi(*args)
            stack.callback(server.stop)
            return server

        yield make


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    with contextlib.ExitStack() as stack:

        def make(*urls: str, **settings: Any) -> client.Client:
            made = client.Client(endpoint.Endpoint(urls=urls, user="snf", password=PASSWORD, **settings))
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def server(make_server: MakeServer) -> fake_rapi.FakeRapi:
    return make_server()


@pytest.fixture
def api(server: fake_rapi.FakeRapi, make_client: MakeClient) -> client.Client:
    return make_client(server.url)


@pytest.fixture
def dead_url() -> Iterator[str]:
    """An address that refuses: the port is bound, and nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
