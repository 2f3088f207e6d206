"""What a server's guest has printed, as clients ask for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import flask
import pytest

from apiserver.app import create_app
from apiserver.settings import ApiSettings
from cloud.context import Cloud
from common.errors import Unavailable
from db import instances
from db.instances import State
from db.nodes import Node
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Become, Standing

PATH = "/compute/v2.1/servers"
NODE = "node1.example.org"


@dataclass
class Logs:
    """The nodes, as far as consoles go."""

    printed: bytes = b""
    down: bool = False
    asked: list[tuple[str, str, str | None, int | None]] = field(default_factory=list)

    def tail(self, guest: str, *, node: str, address: str | None, lines: int | None) -> bytes:
        if self.down:
            raise Unavailable("the node of this server does not answer for its console")
        self.asked.append((guest, node, address, lines))
        return self.printed


@pytest.fixture(scope="module")
def shared_logs() -> Logs:
    return Logs()


@pytest.fixture(scope="module")
def knowing_app(standing: Standing, shared_logs: Logs) -> flask.Flask:
    """An app that knows where to ask."""
    cloud = replace(standing.cloud, serial_logs=shared_logs)
    return create_app(cloud, ApiSettings(public_url="http://cloud.example:8774"), bus_ready=lambda: True)


@pytest.fixture
def logs(shared_logs: Logs) -> Logs:
    """The nodes as they are in the beginning."""
    vars(shared_logs).update(vars(Logs()))
    return shared_logs


@pytest.fixture
def asking(standing: Standing, cloud: Cloud, logs: Logs, knowing_app: flask.Flask) -> Asking:
    """The tenant, at an API that knows where to ask."""
    with cloud.sessions.begin() as db:
        db.add(Node(backend_id=1, name=NODE, ip="192.0.2.7"))
    return Asking(knowing_app.test_client(), standing.tokens["demo"])


@pytest.fixture
def placed(active: str, cloud: Cloud) -> str:
    """A server that runs on a node."""
    _place(cloud, active, NODE)
    return active


def _place(cloud: Cloud, server: str, node: str | None) -> None:
    with cloud.sessions.begin() as db:
        row = instances.lock(db, server)
        assert row is not None
        row.node = node


@pytest.mark.parametrize(
    ("wanted", "lines"),
    [
        ({}, None),
        (None, None),
        ({"length": None}, None),
        ({"length": -1}, None),
        ({"length": "-1"}, None),
        ({"length": 0}, 0),
        ({"length": 50}, 50),
        ({"length": "50"}, 50),
        ({"length": 2**31 - 1}, 10_000_000),
    ],
)
def test_the_node_of_the_server_is_asked_for_so_many_lines(
    asking: Asking, placed: str, logs: Logs, wanted: object, lines: int | None
) -> None:
    logs.printed = "grün\r\nlogin: ".encode()
    answer = asking.post(f"{PATH}/{placed}/action", {"os-getConsoleOutput": wanted})
    assert (answer.status_code, answer.json) == (200, {"output": "grün\nlogin: "})
    assert logs.asked == [(f"syros-{placed}", NODE, "192.0.2.7", lines)]


def test_whatever_a_guest_prints_is_text_that_does_nothing_to_a_terminal(
    asking: Asking, placed: str, logs: Logs
) -> None:
    logs.printed = bytes(range(256)) + b"\x1b[2J\xed\xa0\x80"
    output = asking.post(f"{PATH}/{placed}/action", {"os-getConsoleOutput": {}}).json["output"]
    assert "\ufffd" in output
    assert [char for char in output if not char.isprintable() and char not in "\t\n"] == []


@pytest.mark.parametrize(
    ("body", "field_name"),
    [
        ({"os-getConsoleOutput": {"length": "many"}}, "length"),
        ({"os-getConsoleOutput": {"length": -2}}, "length"),
        ({"os-getConsoleOutput": {"length": 1.5}}, "length"),
        ({"os-getConsoleOutput": {"length": True}}, "length"),
        ({"os-getConsoleOutput": {"length": [1]}}, "length"),
        ({"os-getConsoleOutput": 5}, "os-getConsoleOutput"),
    ],
)
def test_a_length_that_can_not_be_meant_is_refused_by_name(
    asking: Asking, placed: str, logs: Logs, body: dict[str, object], field_name: str
) -> None:
    refused = asking.post(f"{PATH}/{placed}/action", body)
    assert refused.status_code == 400
    assert field_name in refused.json["badRequest"]["message"]
    assert logs.asked == []


def test_a_node_that_does_not_answer_makes_it_unavailable_with_the_reason(
    asking: Asking, placed: str, logs: Logs
) -> None:
    logs.down = True
    answer = asking.post(f"{PATH}/{placed}/action", {"os-getConsoleOutput": {}})
    assert answer.status_code == 503
    assert "does not answer" in answer.json["serviceUnavailable"]["message"]


def test_the_log_of_a_stopped_server_is_still_given(
    asking: Asking, placed: str, logs: Logs, become: Become, cloud: Cloud
) -> None:
    become(placed, State.STOPPED)
    _place(cloud, placed, NODE)
    logs.printed = b"Power down"
    assert asking.post(f"{PATH}/{placed}/action", {"os-getConsoleOutput": {}}).json == {"output": "Power down"}


def test_a_server_that_has_been_nowhere_has_no_console_yet(asking: Asking, active: str, cloud: Cloud) -> None:
    _place(cloud, active, None)
    assert asking.post(f"{PATH}/{active}/action", {"os-getConsoleOutput": {}}).status_code == 409


def test_the_console_of_another_tenants_server_is_not_there(
    asking: Asking, placed: str, standing: Standing, logs: Logs
) -> None:
    other = Asking(asking.client, standing.tokens["stranger"])
    assert other.post(f"{PATH}/{placed}/action", {"os-getConsoleOutput": {}}).status_code == 404
    assert logs.asked == []


def test_reading_takes_no_key_since_a_transaction_would_wait_for_the_node(
    asking: Asking, placed: str, logs: Logs
) -> None:
    headers = {"Idempotency-Key": "k"}
    assert asking.post(f"{PATH}/{placed}/action", {"os-getConsoleOutput": {}}, **headers).status_code == 400
    assert logs.asked == []


def test_where_nobody_keeps_what_guests_print_it_is_not_served(demo: Asking, placed: str) -> None:
    answer = demo.post(f"{PATH}/{placed}/action", {"os-getConsoleOutput": {}})
    assert answer.status_code == 501
    assert "[console] token" in answer.json["notImplemented"]["message"]
