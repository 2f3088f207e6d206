"""The API as its own process: gunicorn with several workers on PostgreSQL."""

import json
import os
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloud import vault
from lab import process
from tests.integration.apiserver import served
from tests.support.authority import Authority
from tests.unit.apiserver.asking import login_body

WORKERS = 2


@dataclass
class Api:
    """A running API server."""

    url: str
    process: process.Guarded
    metrics: Path
    config: Path
    log: Path

    def ask(
        self, path: str, *, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], str]:
        """Send a request on a connection of its own; give status, headers and text."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data=data, headers={"Content-Type": "application/json", **(headers or {})}
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as err:
            with err:
                return err.code, dict(err.headers), err.read().decode()

    def alive(self) -> bool:
        try:
            return self.ask("/healthz")[0] == 200
        except OSError:
            return False

    def workers(self) -> set[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(pid) for pid in children.read_text().split()}


def until(condition: Callable[[], bool]) -> None:
    process.wait_until(condition, what="the API server", timeout=30)


@pytest.fixture
def api(tmp_path: Path, postgres_url: str) -> Iterator[Api]:
    served.fill(postgres_url)
    port = process.free_port()
    file = tmp_path / "syros.toml"
    served.configure(file, postgres_url, key=vault.new_key(), port=port, workers=WORKERS)
    metrics = tmp_path / "metrics"
    running = process.Guarded(
        [sys.executable, "-m", "apiserver", "--config", str(file)],
        log=tmp_path / "log",
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(metrics)},
        cwd=Path(__file__).parents[3],
    )
    found = Api(f"http://127.0.0.1:{port}", running, metrics, file, tmp_path / "log")
    try:
        until(found.alive)
        yield found
    finally:
        running.kill()


def test_a_user_logs_in_at_any_worker_and_is_known_at_all(api: Api) -> None:
    status, headers, _ = api.ask("/identity/v3/auth/tokens", body=login_body("demo"))
    assert status == 201
    token = {"X-Auth-Token": headers["X-Subject-Token"]}
    assert {api.ask("/identity/v3/projects", headers=token)[0] for _ in range(20)} == {200}


def test_what_is_not_ready_is_named(api: Api) -> None:
    status, _, text = api.ask("/readyz")
    said = {"status": "not ready", "database": "ok", "bus": "unreachable", "schema": "ok"}
    assert (status, json.loads(text)) == (503, said)


def test_any_worker_gives_the_numbers_of_all(api: Api) -> None:
    for _ in range(20):
        api.ask("/identity/v3")
    assert {
        line
        for _ in range(10)
        for line in api.ask("/metrics")[2].splitlines()
        if line.startswith("syros_api_requests_total") and 'route="/identity/v3"' in line
    } == {'syros_api_requests_total{method="GET",route="/identity/v3",status="200"} 20.0'}


def test_a_killed_worker_is_replaced(api: Api) -> None:
    until(lambda: len(api.workers()) == WORKERS)
    killed = min(api.workers())
    os.kill(killed, signal.SIGKILL)
    until(lambda: killed not in api.workers() and len(api.workers()) == WORKERS)
    until(api.alive)


def test_sighup_reads_the_configuration_again_and_drops_no_request(api: Api) -> None:
    until(lambda: len(api.workers()) == WORKERS)
    old = api.workers()
    api.config.write_text(api.config.read_text().replace(f"workers = {WORKERS}", f"workers = {WORKERS + 1}"))
    answers: list[int] = []
    api.process.send_signal(signal.SIGHUP)

    def renewed() -> bool:
        answers.append(api.ask("/identity/v3")[0])
        now = api.workers()
        return len(now) == WORKERS + 1 and not now & old

    until(renewed)
    assert set(answers) == {200}


def test_sighup_with_a_configuration_that_can_not_be_meant_changes_nothing(api: Api) -> None:
    until(lambda: len(api.workers()) == WORKERS)
    api.config.write_text("[api]\nworkerz = 3\n")
    api.process.send_signal(signal.SIGHUP)
    until(lambda: "did you mean workers?" in api.log.read_text())
    until(lambda: len(api.workers()) == WORKERS)
    assert api.ask("/identity/v3")[0] == 200


def test_tls_is_served_and_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path, postgres_url: str) -> None:
    served.fill(postgres_url)
    first, second = Authority(tmp_path / "first"), Authority(tmp_path / "second")
    cert, key = first.issue("api")
    port = process.free_port()
    file = tmp_path / "syros.toml"
    more = f'cert = "{cert}"\nkey = "{key}"\n'
    served.configure(file, postgres_url, key=vault.new_key(), port=port, more=more)

    def version(ca: Path) -> str:
        """Ask for the versions, trusting that CA; give where clients are sent."""
        context = ssl.create_default_context(cafile=ca)
        with urllib.request.urlopen(f"https://127.0.0.1:{port}/identity/v3", timeout=20, context=context) as answer:
            return str(json.loads(answer.read())["version"]["links"][0]["href"])

    def trusts(ca: Path) -> bool:
        try:
            return version(ca) != ""
        except OSError:
            return False

    command = [sys.executable, "-m", "apiserver", "--config", str(file)]
    running = process.Guarded(command, log=tmp_path / "log", env=dict(os.environ), cwd=Path(__file__).parents[3])
    try:
        until(lambda: trusts(first.ca))
        assert version(first.ca).startswith(f"https://127.0.0.1:{port}/")
        assert not trusts(second.ca)
        new_cert, new_key = second.issue("api")
        cert.write_bytes(new_cert.read_bytes())
        # half of a renewal, which nobody has been told of yet
        assert trusts(first.ca)
        key.write_bytes(new_key.read_bytes())
        running.send_signal(signal.SIGHUP)
        until(lambda: trusts(second.ca))
        assert not trusts(first.ca)
        cert.write_text("nonsense")
        running.send_signal(signal.SIGHUP)
        until(lambda: "[api] cert and key" in (tmp_path / "log").read_text())
        assert trusts(second.ca)
    finally:
        running.kill()


def test_sigterm_ends_it_in_good_order(api: Api) -> None:
    api.process.send_signal(signal.SIGTERM)
    assert api.process.wait(timeout=30) == 0
    assert not api.metrics.exists()


@pytest.mark.parametrize("text", ["a\\u0000b", "\\ud800", "\\u0007"])
def test_what_postgresql_can_not_hold_is_refused_before_it_gets_there(api: Api, text: str) -> None:
    body = json.dumps(login_body("NAME")).replace("NAME", text)
    request = urllib.request.Request(
        f"{api.url}/identity/v3/auth/tokens", data=body.encode(), headers={"Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)
    with caught.value as answer:
        assert answer.code == 400


def test_a_configuration_that_can_not_be_meant_is_said_once_and_ends_it(tmp_path: Path) -> None:
    file = tmp_path / "syros.toml"
    file.write_text("[api]\nprot = 1\n")
    done = subprocess.run(
        [sys.executable, "-m", "apiserver", "--config", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 1
    assert "did you mean port?" in done.stderr
    assert "Traceback" not in done.stderr
