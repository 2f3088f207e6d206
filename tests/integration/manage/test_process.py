"""The command line as a process of its own, on PostgreSQL and RabbitMQ: what an operator types first."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from cloud import vault
from common import bus
from common.bus.rabbit import RabbitBus


class Shell:
    """Runs `syros-manage` with one configuration file."""

    def __init__(self, folder: Path, database: str, broker: str) -> None:
        self._config = folder / "syros.toml"
        sections = {"database": {"url": database}, "bus": {"url": broker}, "secrets": {"key": vault.new_key()}}
        lines = [
            f"[{name}]\n{key} = {json.dumps(value)}" for name, keys in sections.items() for key, value in keys.items()
        ]
        self._config.write_text("\n".join(lines) + "\n")

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SYROS_")}
        done = subprocess.run(
            [sys.executable, "-m", "manage", "--config", str(self._config), *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--format", "json", code=code).stdout)


@pytest.fixture
def shell(tmp_path: Path, postgres_url: str, amqp_url: str) -> Shell:
    return Shell(tmp_path, postgres_url, amqp_url)


def test_an_installation_is_brought_up_from_nothing(shell: Shell) -> None:
    assert "db upgrade" in shell.run("project", "list", code=1).stderr
    shell.run("db", "upgrade")
    shell.run("db", "check")
    shell.run("project", "add", "admin")
    shell.run("user", "add", "admin", "--project", "admin", "--role", "admin", "--generate-password")
    shell.run("flavor", "add", "m1.tiny", "--vcpus", "1", "--ram", "512", "--disk", "1")

    told = shell.json("status", code=1)

    assert {check["check"]: check["state"] for check in told["checks"]} == {
        "database": "ok",
        "bus": "ok",
        "dead letters": "ok",
        "schema": "ok",
        "secrets": "ok",
        "backends": "trouble",
        "strangers": "ok",
    }


def test_a_dead_letter_is_listed_replayed_and_gone(shell: Shell, amqp_url: str) -> None:
    letter = make_dead_letter(RabbitBus(amqp_url))

    (listed,) = shell.json("event", "dead", "list")
    assert (listed["id"], listed["reason"]) == (letter, "nobody reads this")
    assert shell.json("event", "dead", "replay", letter) == {"replayed": [letter]}
    assert shell.json("event", "dead", "list") == []


def make_dead_letter(broker: bus.Bus) -> str:
    """Publish a message and find it dead, as the dispatcher does; give the letter's id."""
    publisher = broker.publisher()
    publisher.publish([b"{}"])
    publisher.close()
    stop = threading.Event()

    def judge(_body: bytes) -> bus.Judgement:
        stop.set()
        return bus.Judgement(bus.Verdict.DEAD, "nobody reads this")

    broker.consume(judge, stop=stop)
    (letter,) = broker.dead_letters(10)
    return letter.id
