"""The load balancer of docs/install.md before two API servers and two console proxies: what a failure costs."""

import http.client
import json
import os
import re
import shutil
import socket
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from websockets.sync import client as ws_client
from websockets.sync import server as ws_server

from apiserver.settings import ApiSettings
from cloud import vault
from lab import process
from tests.conftest import missing
from tests.integration.apiserver import served
from tests.support.authority import Authority
from tests.unit.apiserver.asking import login_body

ROOT = Path(__file__).parents[3]
PATIENCE = 60.0
_ASKERS = 4


def documented() -> str:
    """Give the configuration as the documentation has it."""
    (found,) = re.findall(r"^```haproxy\n(.*?)^```$", (ROOT / "docs/install.md").read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


@dataclass
class Balanced:
    """HAProxy, with the API servers behind it by their names in its configuration."""

    port: int
    ca: Path
    socket: Path
    commands: dict[str, list[str]]
    logs: Path
    running: dict[str, process.Guarded] = field(default_factory=dict)
    token: str = ""

    def start(self, name: str) -> None:
        self.running[name] = process.Guarded(
            self.commands[name], log=self.logs / f"{name}.log", env=dict(os.environ), cwd=ROOT
        )

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=self.tls())

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, http.client.HTTPMessage]:
        """Send a request on a connection of its own."""
        connection = self.connect()
        headers = {"Content-Type": "application/json", "X-Auth-Token": self.token, "Host": "cloud.example"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.headers
        finally:
            connection.close()

    def seen(self) -> dict[str, str]:
        """Tell how HAProxy has marked each server: "UP" or "DOWN …"."""
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(self.socket))
            link.sendall(b"show stat\n")
            with link.makefile() as said:
                lines = [line.rstrip("\n").split(",") for line in said if line.strip()]
        names = lines[0]
        rows = [dict(zip(names, line, strict=False)) for line in lines[1:]]
        return {row["svname"]: row["status"] for row in rows if row["# pxname"] == "apiservers"}

    def wait_seen(self, **wanted: str) -> None:
        def as_wanted() -> bool:
            seen = self.seen()
            return all(seen[name].startswith(status) for name, status in wanted.items())

        process.wait_until(as_wanted, what=f"HAProxy sees {wanted}, and not {self.seen()}", timeout=PATIENCE)


class Askers:
    """Several who look at the cloud all the time, each request by itself."""

    def __init__(self, balanced: Balanced) -> None:
        self._balanced = balanced
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(_ASKERS)]
        self.found: Counter[int | str] = Counter()

    def __enter__(self) -> "Askers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self, count: int = 60) -> None:
        """Return after so many more answers."""
        wanted = self.found.total() + count
        process.wait_until(lambda: self.found.total() >= wanted, what=f"{count} more answers", timeout=PATIENCE)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                status: int | str = self._balanced.ask("GET", "/identity/v3/projects")[0]
            except (OSError, http.client.HTTPException) as err:
                status = repr(err)
            self.found[status] += 1


@pytest.fixture(scope="module")
def balanced(module_postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balanced]:
    if shutil.which("haproxy") is None:
        missing("not installed: haproxy")
    folder = tmp_path_factory.mktemp("balanced")
    served.fill(module_postgres_url)
    authority = Authority(folder / "authority")
    (folder / "cloud.pem").write_text("".join(file.read_text() for file in authority.issue("cloud.example")))
    text = documented()
    commands, key = {}, vault.new_key()
    with ExitStack() as stack:
        for name, address in re.findall(r"server (\w+) (192\.0\.2\.\d+:\d+)", text):
            if name.startswith("console"):
                text = text.replace(address, f"127.0.0.1:{stack.enter_context(Screen(name)).port}")
                continue
            port = process.free_port()
            text = text.replace(address, f"127.0.0.1:{port}")
            file = folder / f"{name}.toml"
            served.configure(file, module_postgres_url, key=key, port=port)
            commands[name] = [sys.executable, "-m", "apiserver", "--config", str(file)]
        front = process.free_port()
        text = text.replace("bind :443", f"bind 127.0.0.1:{front}").replace(
            "/etc/haproxy/cloud.pem", f"{folder}/cloud.pem"
        )
        # who it runs as is the operator's; how it sees its servers is asked here
        text = re.sub(r"^    (user|group) .*\n", "", text, flags=re.MULTILINE)
        text = text.replace("global\n", f"global\n    stats socket {folder}/socket mode 600\n")
        (folder / "haproxy.cfg").write_text(text)
        found = Balanced(front, authority.ca, folder / "socket", commands, folder)
        balancer = process.Guarded(["haproxy", "-db", "-f", str(folder / "haproxy.cfg")], log=folder / "haproxy.log")
        try:
            for name in commands:
                found.start(name)
            process.wait_until(found.socket.exists, what=f"HAProxy, see {folder}", timeout=PATIENCE)
            found.wait_seen(api1="UP", api2="UP")
            status, headers = found.ask("POST", "/identity/v3/auth/tokens", login_body("demo"))
            assert status == 201
            found.token = headers["X-Subject-Token"]
            yield found
        finally:
            balancer.kill()
            for running in found.running.values():
                running.kill()


@dataclass
class Screen:
    """What stands for a console proxy: it says its name, and then what it is told."""

    name: str
    port: int = 0

    def __enter__(self) -> "Screen":
        def answer(connection: ws_server.ServerConnection) -> None:
            connection.send(self.name)
            for message in connection:
                connection.send(message)

        self._server = ws_server.serve(answer, "127.0.0.1", 0)
        self.port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()


def test_haproxy_takes_the_configuration(balanced: Balanced) -> None:
    said = process.run(["haproxy", "-c", "-f", str(balanced.logs / "haproxy.cfg")])
    assert "WARNING" not in said


def test_without_the_broker_no_api_server_is_given_up(balanced: Balanced) -> None:
    assert balanced.ask("GET", "/readyz")[0] == 503
    assert balanced.seen()["api1"].startswith("UP")
    assert balanced.ask("GET", "/identity/v3/projects")[0] == 200


def test_who_looks_notices_nothing_of_an_api_server_that_is_killed(balanced: Balanced) -> None:
    with Askers(balanced) as askers:
        askers.wait_for_more()
        balanced.running["api1"].kill()
        askers.wait_for_more()
        balanced.wait_seen(api1="DOWN")
        askers.wait_for_more()
        balanced.start("api1")
        balanced.wait_seen(api1="UP")
        askers.wait_for_more()
    assert set(askers.found) == {200}


def test_who_looks_notices_nothing_of_an_api_server_that_is_stopped_in_good_order(balanced: Balanced) -> None:
    with Askers(balanced) as askers:
        askers.wait_for_more()
        balanced.running["api2"].stop()
        askers.wait_for_more()
        balanced.start("api2")
        balanced.wait_seen(api2="UP")
        askers.wait_for_more()
    assert set(askers.found) == {200}


@pytest.mark.parametrize("begun", [b"", b"Content-Length: 100\r\n\r\n{"], ids=["headers", "body"])
def test_who_is_slow_to_ask_keeps_no_thread_of_an_api_server(balanced: Balanced, begun: bytes) -> None:
    request = b"POST /identity/v3/auth/tokens HTTP/1.1\r\nHost: cloud.example\r\n" + begun
    tls = balanced.tls()
    with ExitStack() as stack:
        for _ in range(2 * ApiSettings.threads * len(balanced.commands)):
            link = stack.enter_context(socket.create_connection(("127.0.0.1", balanced.port), timeout=30))
            slow = stack.enter_context(tls.wrap_socket(link, server_hostname="localhost"))
            slow.sendall(request)
        assert balanced.ask("GET", "/identity/v3/projects")[0] == 200
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("name", ["console1", "console2"])
def test_a_console_reaches_the_proxy_that_its_name_is_of(balanced: Balanced, name: str) -> None:
    with (
        socket.create_connection(("127.0.0.1", balanced.port), timeout=30) as link,
        ws_client.connect(
            f"wss://{name}.cloud.example/", sock=link, ssl=balanced.tls(), server_hostname="localhost", proxy=None
        ) as connection,
    ):
        assert connection.recv(timeout=30) == name
        connection.send(b"a key")
        assert connection.recv(timeout=30) == b"a key"
